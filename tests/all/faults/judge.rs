//! The checker: compares ledger, runs and their events, jobs, guardrails, the agent's journal, the outbox and the
//! mailbox with what was promised.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use agent::journal::{Entry, Journal, Opened};
use domain::run::{State, may_go};
use sqlx::FromRow;

use super::harness::{Bench, GUARD};
use super::victim::Effect;

const POLL: Duration = Duration::from_millis(100);

/// How an incident must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Closed as fixed, without a person.
    Fixed,
    /// With a person, who was told.
    Escalated,
}

/// Whether a run passes through *in doubt*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It never does.
    No,
    /// It does, once.
    Yes,
}

/// What is promised for a fault.
#[derive(Debug, Clone)]
pub struct Promise {
    /// Lines in the ledger.
    pub effects: usize,
    /// How it ends.
    pub end: End,
    /// The attempt it ends with.
    pub attempts: RangeInclusive<i16>,
    /// Whether it passes through *in doubt*.
    pub doubt: Doubt,
    /// How often one mail arrives: more than once if a server may have died over it, under one Message-ID even so.
    pub deliveries: RangeInclusive<u32>,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The fix took place more often than promised.
    Doubled(String),
    /// It did not take place, or what came of it is lost.
    Lost(String),
    /// A run that nobody hears of.
    Silent(String),
    /// Records that do not agree.
    Wrong(String),
}

#[derive(Debug, FromRow)]
struct Run {
    run_id: String,
    state: String,
    attempt: i16,
}

#[derive(Debug, FromRow)]
struct Event {
    seq: i64,
    from_state: Option<String>,
    to_state: String,
}

#[derive(Debug, FromRow)]
struct Job {
    attempt: i16,
    state: String,
    fence: Option<i64>,
    results: i64,
}

#[derive(Debug, FromRow)]
struct Mail {
    kind: String,
    state: String,
    message_id: String,
}

/// Everything that is compared.
#[derive(Debug)]
struct Records {
    ledger: Vec<Effect>,
    runs: Vec<Run>,
    events: Vec<Event>,
    jobs: Vec<Job>,
    /// State and outcome.
    incidents: Vec<(String, Option<String>)>,
    mails: Vec<Mail>,
    /// The attempts whose admission still holds a slot, and those of all admissions.
    held: Vec<i32>,
    admitted: Vec<i32>,
    suspicions: i64,
    /// Message-ID without brackets, and how often it arrived.
    mailbox: BTreeMap<String, u32>,
    journal: Vec<Entry>,
}

/// Waits until everything is as promised, and gives back nothing; or what is wrong when time is up. A doubled fix is
/// not waited for.
pub async fn judge(bench: &mut Bench, promise: &Promise) -> Vec<Finding> {
    let mut findings = vec![Finding::Lost("the records could never be read".into())];
    let wait = async {
        loop {
            if let Ok(records) = read(bench).await {
                findings = compare(&records, promise);
            }
            if findings.is_empty() || findings.iter().any(|f| matches!(f, Finding::Doubled(_))) {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let _ = tokio::time::timeout(GUARD, wait).await;
    if findings.is_empty() {
        // Nothing begins once everything that could begin it is gone.
        bench.kill_agent().await;
        bench.kill_server().await;
        findings.extend(doubled(&bench.victim.ledger(), promise));
    } else {
        bench.print_logs();
    }
    findings
}

async fn read(bench: &Bench) -> sqlx::Result<Records> {
    let rows = &bench.rows;
    let Ok(Opened::Whole(_, journal)) = Journal::open(&bench.path("agent/journal")) else {
        return Err(sqlx::Error::RowNotFound);
    };
    let admitted = "SELECT attempt FROM guardrail_admissions UNION SELECT attempt FROM guardrail_history";
    Ok(Records {
        ledger: bench.victim.ledger(),
        runs: sqlx::query_as("SELECT run_id::text, state, attempt FROM runs").fetch_all(rows).await?,
        events: sqlx::query_as("SELECT seq, from_state, to_state FROM run_events ORDER BY run_id, seq")
            .fetch_all(rows)
            .await?,
        jobs: sqlx::query_as(
            "SELECT attempt, state, fence, (SELECT count(*) FROM job_results r WHERE r.run_id = j.run_id AND r.attempt = j.attempt) AS results
             FROM jobs j ORDER BY attempt",
        )
        .fetch_all(rows)
        .await?,
        incidents: sqlx::query_as("SELECT state, outcome FROM incidents").fetch_all(rows).await?,
        mails: sqlx::query_as("SELECT kind, state, message_id FROM outbox").fetch_all(rows).await?,
        held: sqlx::query_scalar("SELECT attempt FROM guardrail_admissions WHERE released_at IS NULL")
            .fetch_all(rows)
            .await?,
        admitted: sqlx::query_scalar(admitted).fetch_all(rows).await?,
        suspicions: sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM audit WHERE action = 'security') + (SELECT count(*) FROM hosts WHERE state <> 'trusted')",
        )
        .fetch_one(rows)
        .await?,
        mailbox: bench.sink.messages().iter().map(|m| (local_part(&m.message_id), m.deliveries)).collect(),
        journal,
    })
}

fn local_part(message_id: &str) -> String {
    message_id.trim_matches(['<', '>']).rsplit_once('@').map_or(message_id, |(local, _)| local).to_owned()
}

fn compare(records: &Records, promise: &Promise) -> Vec<Finding> {
    let mut findings = doubled(&records.ledger, promise);
    if records.ledger.len() < promise.effects {
        findings.push(Finding::Lost(format!("{} effects of {}", records.ledger.len(), promise.effects)));
    }
    one_run(records, promise, &mut findings);
    story(records, promise, &mut findings);
    jobs(records, &mut findings);
    told(records, promise, &mut findings);
    if records.suspicions > 0 {
        findings.push(Finding::Wrong("a host or a result is distrusted".into()));
    }
    findings
}

fn doubled(ledger: &[Effect], promise: &Promise) -> Vec<Finding> {
    let more = ledger.len() > promise.effects;
    more.then(|| Finding::Doubled(format!("{ledger:?}, promised {}", promise.effects))).into_iter().collect()
}

/// One run, which the ledger names, in the promised end; nothing silent, no slot kept.
fn one_run(records: &Records, promise: &Promise, findings: &mut Vec<Finding>) {
    let ([run], [(incident, outcome)]) = (records.runs.as_slice(), records.incidents.as_slice()) else {
        return findings.push(Finding::Lost(format!("runs {:?}, incidents {:?}", records.runs, records.incidents)));
    };
    let ended = match promise.end {
        End::Fixed => run.state == "fixed" && outcome.as_deref() == Some("fixed"),
        End::Escalated => run.state == "not_fixed" && incident == "escalated",
    };
    if !ended {
        let stands = format!("the run is {}, its incident {incident}, promised {:?}", run.state, promise.end);
        findings.push(Finding::Lost(stands));
    }
    let over = State::parse(&run.state).is_some_and(State::is_end);
    if !over && incident == "open" {
        findings.push(Finding::Silent(format!("the run is {}", run.state)));
    }
    if !promise.attempts.contains(&run.attempt) {
        findings.push(Finding::Wrong(format!("attempt {}, promised {:?}", run.attempt, promise.attempts)));
    }
    for effect in &records.ledger {
        if (&effect.run, effect.attempt) != (&run.run_id, run.attempt) {
            findings.push(Finding::Wrong(format!("{effect:?} is not of {run:?}")));
        }
        if !records.admitted.contains(&i32::from(effect.attempt)) {
            findings.push(Finding::Wrong(format!("{effect:?} was never admitted")));
        }
    }
    if over && !records.held.is_empty() {
        findings.push(Finding::Wrong(format!("slots are still held: attempts {:?}", records.held)));
    }
}

/// The events are one way through the table of edges, without a gap.
fn story(records: &Records, promise: &Promise, findings: &mut Vec<Finding>) {
    let mut at: Option<&str> = None;
    for (event, number) in records.events.iter().zip(1..) {
        let edge = (event.from_state.as_deref().and_then(State::parse), State::parse(&event.to_state));
        let lawful = matches!(edge, (Some(from), Some(to)) if may_go(from, to)) || at.is_none();
        if event.seq != number || event.from_state.as_deref() != at || !lawful {
            findings.push(Finding::Wrong(format!("{event:?} after {at:?}")));
        }
        at = Some(&event.to_state);
    }
    if let [run] = records.runs.as_slice()
        && at != Some(&run.state)
    {
        findings.push(Finding::Wrong(format!("the run is {}, its last event says {at:?}", run.state)));
    }
    let doubts = records.events.iter().filter(|event| event.to_state == "unknown").count();
    if doubts != usize::from(promise.doubt == Doubt::Yes) {
        findings.push(Finding::Wrong(format!("{doubts} times in doubt, promised {:?}", promise.doubt)));
    }
}

/// Each job ended, with one result at most; each fence was started once at most, and its result is acked.
fn jobs(records: &Records, findings: &mut Vec<Finding>) {
    for job in &records.jobs {
        let ended = matches!(job.state.as_str(), "finished" | "withdrawn" | "refused");
        if !ended || (job.state == "finished") != (job.results == 1) {
            findings.push(Finding::Lost(format!("{job:?}")));
        }
    }
    if records.jobs.iter().map(|job| job.attempt).ne(1..=records.jobs.len() as i16) {
        findings.push(Finding::Wrong(format!("attempts are missing: {:?}", records.jobs)));
    }
    let mut fences: BTreeMap<i64, (usize, usize, usize)> = BTreeMap::new();
    for entry in &records.journal {
        match entry {
            Entry::Started { fence, .. } => fences.entry(*fence).or_default().0 += 1,
            Entry::Finished { fence } => fences.entry(*fence).or_default().1 += 1,
            Entry::Acked { fence } => fences.entry(*fence).or_default().2 += 1,
            _ => {}
        }
    }
    for job in records.jobs.iter().filter(|job| job.state == "finished") {
        let entries = job.fence.and_then(|fence| fences.remove(&fence));
        // A result that is sent again is acked again only if it was not acked before.
        if entries.is_none_or(|(started, finished, acked)| started > 1 || finished != 1 || acked != 1) {
            findings.push(Finding::Wrong(format!("{job:?} is in the journal as {entries:?}")));
        }
    }
    if !fences.is_empty() {
        findings.push(Finding::Wrong(format!("the journal knows fences of no job: {fences:?}")));
    }
}

/// Every mail was sent and arrived, as one; people heard what they must.
fn told(records: &Records, promise: &Promise, findings: &mut Vec<Finding>) {
    let mut mailbox = records.mailbox.clone();
    let mut kinds = Vec::new();
    for mail in records.mails.iter().filter(|mail| mail.state != "withdrawn") {
        let arrived = mailbox.remove(&mail.message_id);
        if mail.state != "sent" || !arrived.is_some_and(|n| promise.deliveries.contains(&n)) {
            findings.push(Finding::Silent(format!("{mail:?} arrived {arrived:?} times")));
        }
        kinds.push(mail.kind.as_str());
    }
    if !mailbox.is_empty() {
        findings.push(Finding::Wrong(format!("mails that nobody queued: {mailbox:?}")));
    }
    kinds.sort_unstable();
    let right = match (promise.end, promise.doubt) {
        (End::Fixed, Doubt::No) => kinds == ["fixed"],
        // That it is in doubt may have been told before it turned out well.
        (End::Fixed, Doubt::Yes) => kinds == ["fixed"] || kinds == ["fixed", "needs_you"],
        (End::Escalated, _) => kinds == ["needs_you"],
    };
    if !right {
        findings.push(Finding::Silent(format!("people were told {kinds:?}")));
    }
}

mod bites;
