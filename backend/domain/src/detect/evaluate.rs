//! The evaluator: state and event in; state, signal and next timer out.
//!
//! The clock is an argument: `at` must not run backwards (the gateway counts it on its monotonic clock from
//! an instant of the database). `no_data` never raises and never clears; a raised target recovers only when
//! `ok_when` holds, or when a person stopped the service.

use jiff::Timestamp;

use super::check::{Check, Kind};
use super::reading::{Readings, Seen, Severity, Value, Verdict, all_hold};
use super::record::DetectRecord;

/// What is known of one check on one target; the row of `check_states`.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Grows with each stored change; 0 = never stored.
    pub version: i64,
    /// What the thresholds say, hold time included.
    pub verdict: Verdict,
    /// Since when.
    pub verdict_at: Timestamp,
    /// Bad, but not yet for its hold time: how bad, and since when.
    pub pending: Option<(Severity, Timestamp)>,
    /// Bad observations in a row.
    pub failures: u32,
    /// Whether the last signal said `raised`.
    pub raised: bool,
    /// Why what looks bad is none.
    pub excused: Option<String>,
    /// What was seen last.
    pub seen: Seen,
    /// When.
    pub observed_at: Timestamp,
}

impl State {
    /// Of a target never looked at.
    pub fn unseen(at: Timestamp) -> State {
        State {
            version: 0,
            verdict: Verdict::NoData,
            verdict_at: at,
            pending: None,
            failures: 0,
            raised: false,
            excused: None,
            seen: Seen::NoData { why: "not looked at yet".into() },
            observed_at: at,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// A look.
    Observed(&'a Seen),
    /// The time has come that [`Evaluation::next_timer`] named.
    Timer,
}

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Bad for its hold time.
    Raised(Severity),
    /// Ok again; how bad it was.
    Cleared(Severity),
}

impl Signal {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Signal::Raised(_) => "raised",
            Signal::Cleared(_) => "cleared",
        }
    }

    /// How bad.
    pub fn severity(self) -> Severity {
        match self {
            Signal::Raised(s) | Signal::Cleared(s) => s,
        }
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The state since.
    pub state: State,
    /// Whether it is to be stored: a verdict changed, a hold time began or ended, an excuse came or went.
    pub changed: bool,
    /// What this very look says, without hold time: what an answer to `CheckNow` is judged by.
    pub look: Verdict,
    /// The signal and why.
    pub signal: Option<(Signal, DetectRecord)>,
    /// When to evaluate again without an observation.
    pub next_timer: Option<Timestamp>,
}

enum Judged {
    Ok,
    Excused(String),
    /// Neither bad nor recovered.
    Between,
    Grace(Timestamp),
    Bad(Severity),
    NoData,
}

/// Judges one event.
pub fn evaluate(
    check: &Check,
    state: &State,
    event: Event<'_>,
    at: Timestamp,
    booted_at: Option<Timestamp>,
) -> Evaluation {
    let mut new = state.clone();
    let fresh = matches!(event, Event::Observed(_));
    if let Event::Observed(seen) = event {
        new.seen = seen.clone();
        new.observed_at = at;
    }
    let grace_until = booted_at.map(|b| b + check.grace());
    let judged = judge(check, &new.seen, at, grace_until);
    let look = match &judged {
        Judged::Ok | Judged::Excused(_) => Verdict::Ok,
        Judged::Between | Judged::Grace(_) if state.raised => last_bad(check, state).verdict(),
        Judged::Between | Judged::Grace(_) => Verdict::Ok,
        Judged::Bad(severity) => severity.verdict(),
        Judged::NoData => Verdict::NoData,
    };
    new.excused = None;
    let mut next_timer = None;
    let mut signal = None;
    match judged {
        Judged::Ok => signal = recover(check, &mut new),
        Judged::Excused(why) => {
            signal = recover(check, &mut new);
            new.excused = Some(why);
        }
        Judged::Between => rest(&mut new),
        Judged::Grace(until) => {
            rest(&mut new);
            new.excused = Some(format!("the host has just booted, nothing counts as failed until {until}"));
            next_timer = Some(until);
        }
        Judged::NoData => {
            (new.verdict, new.pending, new.failures) = (Verdict::NoData, None, 0);
        }
        Judged::Bad(severity) => {
            (signal, next_timer) = worsen(check, &mut new, severity, at, fresh);
        }
    }
    if new.verdict != state.verdict {
        new.verdict_at = at;
    }
    let changed = new.verdict != state.verdict
        || new.pending != state.pending
        || new.raised != state.raised
        || new.excused != state.excused
        || signal.is_some();
    let signal = signal.map(|s| (s, record(check, state, &new, s, at, booted_at, grace_until)));
    Evaluation { state: new, changed, look, signal, next_timer }
}

fn judge(check: &Check, seen: &Seen, at: Timestamp, grace_until: Option<Timestamp>) -> Judged {
    let Seen::Data(readings) = seen else { return Judged::NoData };
    if check.kind == Kind::Service && readings.get("state") == Some(&Value::Text("stopped".into())) {
        return Judged::Excused("stopped on purpose, no failure".into());
    }
    match badness(check, readings) {
        Some(severity) => match grace_until.filter(|until| at < *until) {
            Some(until) => Judged::Grace(until),
            None => Judged::Bad(severity),
        },
        None if check.ok_when.is_empty() || all_hold(&check.ok_when, readings) => Judged::Ok,
        None => Judged::Between,
    }
}

fn badness(check: &Check, readings: &Readings) -> Option<Severity> {
    if all_hold(&check.critical_when, readings) {
        Some(Severity::Critical)
    } else if all_hold(&check.warning_when, readings) {
        Some(Severity::Warning)
    } else {
        None
    }
}

/// How bad a raised target is said to be; after `no_data` that is no longer known, so the worst the check can say.
fn last_bad(check: &Check, state: &State) -> Severity {
    match state.verdict {
        Verdict::Warning => Severity::Warning,
        Verdict::Critical => Severity::Critical,
        Verdict::Ok | Verdict::NoData if check.critical_when.is_empty() => Severity::Warning,
        Verdict::Ok | Verdict::NoData => Severity::Critical,
    }
}

fn recover(check: &Check, new: &mut State) -> Option<Signal> {
    let was = last_bad(check, new);
    let signal = new.raised.then_some(Signal::Cleared(was));
    (new.verdict, new.pending, new.failures, new.raised) = (Verdict::Ok, None, 0, false);
    signal
}

/// Not bad now, and not recovered: a raised target stays as it is.
fn rest(new: &mut State) {
    (new.pending, new.failures) = (None, 0);
    if !new.raised {
        new.verdict = Verdict::Ok;
    }
}

fn worsen(
    check: &Check,
    new: &mut State,
    severity: Severity,
    at: Timestamp,
    fresh: bool,
) -> (Option<Signal>, Option<Timestamp>) {
    if new.raised && new.verdict != Verdict::NoData && severity <= last_bad(check, new) {
        (new.pending, new.failures) = (None, 0);
        return (None, None); // not better: a raised target recovers, it does not slide down
    }
    let since = new.pending.map_or(at, |(_, since)| since);
    new.pending = Some((severity, since));
    // A timer that finds the target bad for the first time (a grace just ended) looks at the last observation.
    if fresh || new.failures == 0 {
        new.failures = new.failures.saturating_add(1);
    }
    if new.failures < check.failures {
        return (None, None);
    }
    let due = since + check.hold();
    if at < due {
        return (None, Some(due));
    }
    // After `no_data` a raised target is raised again only if it may be worse than it was.
    let again = new.raised && (new.verdict != Verdict::NoData || !check.warning_when.is_empty());
    let signal = (!new.raised || again).then_some(Signal::Raised(severity));
    (new.verdict, new.pending, new.raised) = (severity.verdict(), None, true);
    (signal, None)
}

fn record(
    check: &Check,
    before: &State,
    new: &State,
    signal: Signal,
    at: Timestamp,
    booted_at: Option<Timestamp>,
    grace_until: Option<Timestamp>,
) -> DetectRecord {
    let bad_since = matches!(signal, Signal::Raised(_)).then(|| before.pending.map_or(at, |(_, since)| since));
    let reason = match (signal, bad_since, &new.excused) {
        (Signal::Raised(s), Some(since), _) => {
            let held = at.duration_since(since).as_secs();
            format!("{} is {} for {held} s, its hold time is {} s", check.target, s.word(), check.hold_secs)
        }
        (_, _, Some(excuse)) => format!("{} is {excuse}", check.target),
        _ => format!("{} is ok again", check.target),
    };
    let mut absent = Vec::new();
    if let Seen::Data(readings) = &new.seen {
        for c in check.critical_when.iter().chain(&check.warning_when).chain(&check.ok_when) {
            let fact = format!("reading {}", c.reading);
            if !readings.contains_key(&c.reading) && !absent.contains(&fact) {
                absent.push(fact);
            }
        }
    }
    if booted_at.is_none() {
        absent.push("boot time".into());
    }
    DetectRecord {
        outcome: signal.word().into(),
        severity: signal.severity(),
        reason,
        check: check.name.clone(),
        target: check.target.clone(),
        at,
        seen: new.seen.clone(),
        before: before.verdict,
        verdict: new.verdict,
        critical_when: check.critical_when.clone(),
        warning_when: check.warning_when.clone(),
        ok_when: check.ok_when.clone(),
        hold_secs: check.hold_secs,
        bad_since,
        failures_needed: check.failures,
        failures: new.failures,
        booted_at,
        grace_until,
        excused: new.excused.clone(),
        absent,
    }
}

#[cfg(test)]
mod tests;
