//! Runs: what was sent, what the host said of each step, what it wrote.

use std::time::Duration;

use serde_json::Value;
use store::pages::incident::{JobResult, Run, RunEvent};
use store::remediate::progress::Progress;
use views::story::{self, Entry, Event, LineKind, OutputLine, RunState, Step, StepState, Versioned};

use super::Facts;

/// The longest output shown, in lines; the rest is kept and not shown.
const LINES: usize = 400;

/// One entry for each attempt that left this server.
pub fn entries(facts: &Facts) -> Vec<Entry> {
    let mut entries = Vec::new();
    for run in &facts.runs {
        let results: Vec<&JobResult> =
            facts.results.iter().filter(|r| r.run_id == run.run_id && r.purpose == "fix").collect();
        for earlier in results.iter().filter(|result| result.attempt < run.attempt) {
            let again = "it may run twice, so it was tried again";
            let told =
                tell(run, "steps", Said::Result(earlier), answered(ended(&body(earlier)), again), earlier.attempt);
            entries.push(Entry { at: earlier.received_at, event: Event::Run(told) });
        }
        let newest = results.iter().find(|result| result.attempt == run.attempt).copied();
        let Some(state) = state(facts, run, newest) else { continue };
        let at = match &state {
            RunState::Waiting => run.admitted_at,
            RunState::Refused { .. } | RunState::Cancelled { .. } => run.ended_at,
            _ => run.started_at,
        };
        let said = Said::of(facts, run, "fix", newest);
        let event = Event::Run(tell(run, "steps", said, state, run.attempt));
        entries.push(Entry { at: at.or(run.admitted_at).unwrap_or(run.planned_at), event });
        entries.extend(undo(facts, run));
    }
    entries
}

/// The undo of a run: while it is wanted, and once the host has said how it ended.
fn undo(facts: &Facts, run: &Run) -> Option<Entry> {
    let result = facts.results.iter().find(|r| r.run_id == run.run_id && r.purpose == "undo");
    let (at, state) = match result {
        Some(result) => (result.received_at, ended(&body(result))),
        None if run.state == "undoing" => {
            let wanted = |event: &&RunEvent| event.run_id == run.run_id && event.to_state == "undoing";
            (facts.run_events.iter().rev().find(wanted)?.at, RunState::Waiting)
        }
        None => return None,
    };
    let said = Said::of(facts, run, "undo", result);
    Some(Entry { at, event: Event::Run(tell(run, "undo", said, state, run.attempt)) })
}

/// Who signed the playbook version.
pub fn signer(run: &Run) -> String {
    format!("playbook key {}", run.key_version)
}

fn body(result: &JobResult) -> Value {
    serde_json::from_str(&result.body).unwrap_or_default()
}

/// How the run stands; `None` while nothing left this server.
fn state(facts: &Facts, run: &Run, result: Option<&JobResult>) -> Option<RunState> {
    let cause = |to: &str| {
        facts
            .run_events
            .iter()
            .rev()
            .find(|event| event.run_id == run.run_id && event.to_state == to)
            .map(|event| event.cause.clone())
    };
    // What came before the doubt: the host's own word, or its silence.
    let doubt = || {
        let unknown = |event: &&RunEvent| event.run_id == run.run_id && event.to_state == "unknown";
        facts.run_events.iter().rev().find(unknown).map(|event| match event.detail.get("ended") {
            Some(_) => "it began, and the host does not know how it ended".to_owned(),
            None => "it was permitted, and the host has not said how it ended".to_owned(),
        })
    };
    let reason = |other: &str| run.end_reason.clone().unwrap_or_else(|| other.to_owned());
    Some(match run.state.as_str() {
        "planned" | "held" | "awaiting_approval" | "observed" | "denied" => return None,
        "admitted" => RunState::Waiting,
        "running" => RunState::Running,
        "unknown" => RunState::InDoubt {
            reason: doubt().unwrap_or_else(|| "it is in doubt whether it ran".to_owned()),
            answered: None,
        },
        // The server itself looked again, and there was nothing to act on.
        "refused" if reason("").starts_with("Nothing ran") => RunState::Cancelled { reason: reason("") },
        "refused" => RunState::Refused { reason: reason("by its own limits") },
        "cancelled" => RunState::Cancelled { reason: reason("recovered by itself") },
        "not_run" if doubt().is_some() => {
            RunState::InDoubt { reason: doubt().unwrap_or_default(), answered: Some(reason("nothing was executed")) }
        }
        "not_run" => RunState::Cancelled { reason: reason("nothing was executed") },
        "expired" => RunState::Cancelled { reason: reason("it waited too long") },
        _ => match result {
            Some(result) => {
                // A host that is done with a run in doubt leaves the word to the check; a person gives their own.
                let person = facts.run_events.iter().rev().find(|event| {
                    event.run_id == run.run_id && event.to_state == "verifying" && event.detail.get("by").is_some()
                });
                let decides = "the same check decides whether it helped";
                answered(ended(&body(result)), person.map_or(decides, |event| event.cause.as_str()))
            }
            None => RunState::InDoubt {
                reason: doubt().unwrap_or_else(|| "the host did not say".to_owned()),
                answered: cause("verifying"),
            },
        },
    })
}

/// A doubt that is over, with what ended it.
fn answered(state: RunState, answer: &str) -> RunState {
    match state {
        RunState::InDoubt { reason, answered: None } => RunState::InDoubt { reason, answered: Some(answer.to_owned()) },
        other => other,
    }
}

/// How the host said that it ended.
fn ended(body: &Value) -> RunState {
    let ended = body.get("ended").unwrap_or(&Value::Null);
    match ended.get("how").and_then(Value::as_str) {
        Some("exited") => match ended.get("code").and_then(Value::as_i64) {
            Some(0) => RunState::Done,
            Some(code) => RunState::Failed { reason: format!("The last step ended with exit code {code}.") },
            None => RunState::Failed { reason: "The last step did not say how it ended.".to_owned() },
        },
        Some("timed_out") => RunState::Failed { reason: "A step ran over its time limit and was stopped.".to_owned() },
        Some("not_run") => RunState::Cancelled {
            reason: ended.get("why").and_then(Value::as_str).unwrap_or("nothing was executed").to_owned(),
        },
        Some("in_doubt") => RunState::InDoubt {
            reason: "a step began, and the host does not know how it ended".to_owned(),
            answered: None,
        },
        _ => RunState::Done,
    }
}

/// What is known of what a job wrote.
#[derive(Clone, Copy)]
enum Said<'a> {
    Result(&'a JobResult),
    /// While it runs, or of a run whose end nobody knows.
    SoFar(&'a [u8]),
    Nothing,
}

impl<'a> Said<'a> {
    fn of(facts: &'a Facts, run: &Run, purpose: &str, result: Option<&'a JobResult>) -> Self {
        let of_job = |p: &&Progress| p.run_id == run.run_id && p.purpose == purpose && p.attempt == run.attempt;
        match (result, facts.progress.iter().find(of_job)) {
            (Some(result), _) => Said::Result(result),
            (None, Some(progress)) => Said::SoFar(&progress.bytes),
            (None, None) => Said::Nothing,
        }
    }
}

/// `steps` is the key of the playbook's list that was performed: `steps` or `undo`.
fn tell(run: &Run, steps: &str, said: Said<'_>, state: RunState, attempt: i16) -> story::Run {
    let body = match said {
        Said::Result(result) => body(result),
        Said::SoFar(_) | Said::Nothing => Value::Null,
    };
    let content: Value = serde_json::from_str(&run.content).unwrap_or_default();
    let title = content.get("title").and_then(Value::as_str).unwrap_or(&run.playbook).to_owned();
    let (output, output_cut) = match said {
        Said::Result(result) => lines(&result.output, body.get("output_bytes").and_then(Value::as_u64).unwrap_or(0)),
        Said::SoFar(bytes) => lines(bytes, 0),
        Said::Nothing => (Vec::new(), false),
    };
    story::Run {
        id: run.run_id,
        undo: steps == "undo",
        rung: u32::try_from(run.rung).unwrap_or(1).max(1),
        attempt: u32::try_from(attempt).unwrap_or(1).max(1),
        playbook: Versioned { title, version: u32::try_from(run.version).unwrap_or(0) },
        digest: hex::encode(&run.digest),
        signed_by: Some(signer(run)),
        took: body.get("took_ms").and_then(Value::as_u64).filter(|ms| *ms > 0).map(Duration::from_millis),
        steps: performed(content.get(steps), &body, &state),
        state,
        output,
        output_cut,
    }
}

fn performed(declared: Option<&Value>, body: &Value, state: &RunState) -> Vec<Step> {
    let results = body.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let declared = declared.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let step = |(index, declared): (usize, &Value)| {
        let result =
            results.iter().find(|result| result.get("step").and_then(Value::as_u64) == u64::try_from(index + 1).ok());
        let exit_code = result
            .and_then(|result| result.get("code"))
            .and_then(Value::as_i64)
            .and_then(|code| i32::try_from(code).ok());
        let state = match (result, exit_code) {
            (Some(_), Some(0)) => StepState::Done,
            (Some(_), Some(_)) => StepState::Failed,
            (Some(_), None) => StepState::Unknown,
            (None, _) => match state {
                RunState::Running if index == 0 => StepState::Running,
                RunState::Running | RunState::Waiting => StepState::Ahead,
                RunState::InDoubt { .. } => StepState::Unknown,
                _ => StepState::Skipped,
            },
        };
        let argv = declared.get("argv").and_then(Value::as_array);
        let interpreter = declared.pointer("/script/interpreter").and_then(Value::as_str);
        let script = interpreter.map(|interpreter| format!("a script, read by {interpreter}"));
        Step {
            title: declared.get("title").and_then(Value::as_str).unwrap_or("a step").to_owned(),
            command: argv.map(|argv| argv.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")).or(script),
            state,
            took: result.and_then(|result| result.get("took_ms")).and_then(Value::as_u64).map(Duration::from_millis),
            exit_code,
        }
    };
    declared.iter().enumerate().map(step).collect()
}

/// An output of `whole` bytes, or more than that was, as lines, without control characters, and whether there was more.
fn lines(output: &[u8], whole: u64) -> (Vec<OutputLine>, bool) {
    let text = String::from_utf8_lossy(output);
    let mut lines: Vec<OutputLine> = text
        .lines()
        .take(LINES + 1)
        .map(|line| OutputLine {
            after: None,
            kind: LineKind::Text,
            text: line.chars().filter(|c| *c == '\t' || !c.is_control()).collect(),
        })
        .collect();
    let cut = lines.len() > LINES || whole > u64::try_from(output.len()).unwrap_or(u64::MAX);
    lines.truncate(LINES);
    (lines, cut && !output.is_empty())
}
