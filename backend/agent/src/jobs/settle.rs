//! What became of a run, read from its record: the record decides, not anybody's memory.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use keys::{Context, SigningKey, to_canonical};
use runner::record::{self, Abort, Error, Event, Order, Record, Rest, StepEnd, What, output_path};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wire::v1::{Ended, JobKey, JobResult, MAX_OUTPUT_BYTES, ResultBody, StepResult};

/// What the record says.
#[derive(Debug, PartialEq)]
pub enum Settled {
    /// A runner holds the lock.
    Lives,
    /// It is over.
    Over(Outcome),
}

/// How a run ended, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How.
    pub ended: Ended,
    /// Each step that began.
    pub steps: Vec<StepResult>,
    /// SHA-256 of the whole output, hex.
    pub output_digest: String,
    /// Length of the whole output.
    pub output_bytes: u64,
    /// Milliseconds from `BEGIN` to the end.
    pub took_ms: u64,
}

impl Outcome {
    /// Nothing was executed.
    pub fn not_run(why: impl Into<String>) -> Self {
        Self {
            ended: Ended::NotRun { why: why.into() },
            steps: Vec::new(),
            output_digest: keys::digest(b"").to_string(),
            output_bytes: 0,
            took_ms: 0,
        }
    }
}

/// A result as it is kept in the record; its output stays in the output file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    body: String,
    signature: String,
    output_bytes: u64,
}

/// Settles the run in `slot`, without waiting: takes the lock, and if the run has not begun, sees to it that
/// it never will.
///
/// # Errors
/// The record cannot be used.
pub fn settle(dir: &Path, slot: u16, fence: i64, now: Duration) -> Result<Settled, Error> {
    let Some(record) = Record::open(dir, slot)?.try_lock()? else { return Ok(Settled::Lives) };
    let events = match record.events(fence) {
        Ok(events) => events,
        // It began, or there would be nothing to damage; no one knows how it ended.
        Err(Error::Damaged) => {
            return Ok(Settled::Over(Outcome { ended: in_doubt(0), ..Outcome::not_run("") }));
        }
        Err(error) => return Err(error),
    };
    if events.is_empty() {
        record.append(fence, Event { at: now, what: What::Aborted(Abort::ByAgent) })?;
        return Ok(Settled::Over(Outcome::not_run(abort_sentence(Abort::ByAgent))));
    }
    Ok(Settled::Over(outcome(&events)))
}

fn in_doubt(step: u16) -> Ended {
    Ended::InDoubt { step, runner_gone: true }
}

fn abort_sentence(why: Abort) -> &'static str {
    match why {
        Abort::ByAgent => "the runner had not begun when the agent looked",
        Abort::PermitTooOld => "the permit was too old when the runner came to begin",
        Abort::OtherBoot => "the machine was booted before the runner began",
        Abort::Frozen => "actions were frozen before the runner began",
    }
}

/// What the events of a run that no runner holds any more say.
fn outcome(events: &[Event]) -> Outcome {
    let mut outcome = Outcome::not_run("nothing was begun");
    let began = events.first().map_or(Duration::ZERO, |event| event.at);
    let since = |at: Duration, from: Duration| u64::try_from(at.saturating_sub(from).as_millis()).unwrap_or(u64::MAX);
    let mut open = began;
    for event in events {
        match event.what {
            What::Aborted(why) => return Outcome::not_run(abort_sentence(why)),
            What::Begin { step } => {
                open = event.at;
                outcome.steps.push(StepResult { step, code: None, began_ms: since(open, began), took_ms: 0 });
                outcome.ended = in_doubt(step);
            }
            What::End { step, how, rest, output } => {
                if let Some(last) = outcome.steps.last_mut() {
                    last.took_ms = since(event.at, open);
                    last.code = match how {
                        StepEnd::Exited(code) => Some(code),
                        // As the shell's `timeout` says it.
                        StepEnd::TimedOut => Some(124),
                    };
                }
                outcome.ended = match (how, rest) {
                    (StepEnd::TimedOut, _) => Ended::TimedOut,
                    (StepEnd::Exited(code), Rest::Over) => Ended::Exited { code },
                    // The next step did not begin, but the job is not what was ordered either.
                    (StepEnd::Exited(_), Rest::More) => in_doubt(step),
                };
                outcome.output_bytes = output.bytes;
                outcome.output_digest = keys::Digest(output.digest).to_string();
            }
        }
        outcome.took_ms = since(event.at, began);
    }
    outcome
}

/// Signs `outcome` and keeps it in the record; synced.
///
/// # Errors
/// The record cannot be written.
pub fn keep(
    dir: &Path,
    slot: u16,
    order: &Order,
    ids: (Uuid, JobKey, &str),
    outcome: Outcome,
    key: &SigningKey,
) -> Result<(), Error> {
    let (host_id, job, envelope_digest) = ids;
    let body = to_canonical(&ResultBody {
        host_id,
        job,
        fence: order.fence,
        envelope_digest: envelope_digest.to_owned(),
        ended: outcome.ended,
        steps: outcome.steps,
        output_digest: outcome.output_digest,
        output_bytes: outcome.output_bytes,
        took_ms: outcome.took_ms,
    })
    .map_err(|error| record::Error::Io(std::io::Error::other(error)))?;
    let signature = key.sign(Context::Result, &body);
    let kept = Kept { body, signature, output_bytes: outcome.output_bytes };
    Record::open(dir, slot)?.set_result(&serde_json::to_string(&kept)?)
}

/// The kept result of `slot` as it is sent.
///
/// # Errors
/// Record or output cannot be read.
pub fn load(dir: &Path, slot: u16) -> Result<Option<JobResult>, Error> {
    let Some(text) = Record::open(dir, slot)?.result()? else { return Ok(None) };
    let kept: Kept = serde_json::from_str(&text)?;
    let length = usize::try_from(kept.output_bytes).unwrap_or(usize::MAX).min(MAX_OUTPUT_BYTES);
    let mut output = vec![0; length];
    File::open(output_path(dir, slot))?.read_exact_at(&mut output, 0)?;
    let output = base64::engine::general_purpose::STANDARD.encode(output);
    Ok(Some(JobResult { body: kept.body, signature: kept.signature, output }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runner::output::Sum;

    fn at(secs: u64, what: What) -> Event {
        Event { at: Duration::from_secs(secs), what }
    }

    fn end(step: u16, how: StepEnd, rest: Rest) -> What {
        What::End { step, how, rest, output: Sum { bytes: 2, digest: [1; 32] } }
    }

    #[test]
    fn a_run_that_ended_is_told_with_its_steps() {
        let outcome = outcome(&[
            at(10, What::Begin { step: 2 }),
            at(11, end(2, StepEnd::Exited(0), Rest::More)),
            at(12, What::Begin { step: 3 }),
            at(15, end(3, StepEnd::Exited(4), Rest::Over)),
        ]);
        assert_eq!(outcome.ended, Ended::Exited { code: 4 });
        assert_eq!((outcome.took_ms, outcome.output_bytes), (5000, 2));
        assert_eq!(outcome.steps[1], StepResult { step: 3, code: Some(4), began_ms: 2000, took_ms: 3000 });
    }

    #[test]
    fn a_begin_without_an_end_is_in_doubt_and_an_end_without_a_begin_of_the_next_too() {
        assert_eq!(outcome(&[at(1, What::Begin { step: 1 })]).ended, in_doubt(1));
        let between = [at(1, What::Begin { step: 1 }), at(2, end(1, StepEnd::Exited(0), Rest::More))];
        assert_eq!(outcome(&between).ended, in_doubt(1));
        let late = [at(1, What::Begin { step: 1 }), at(2, end(1, StepEnd::TimedOut, Rest::Over))];
        assert_eq!(outcome(&late).ended, Ended::TimedOut);
        let aborted = [at(1, What::Aborted(Abort::OtherBoot))];
        assert!(matches!(outcome(&aborted).ended, Ended::NotRun { .. }));
    }
}
