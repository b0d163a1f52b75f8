//! Verifications: the same check, before and after.

use domain::detect::words::{plain, words};
use jiff::Timestamp;
use serde_json::Value;
use store::pages::incident::{Alert, Verification};
use views::{
    Reading, Verdict,
    story::{self, Compared, Entry, Event, Outcome},
};

use super::{super::readings::verdict, Facts};

/// One entry for each verification that has begun.
pub fn entries(facts: &Facts) -> Vec<Entry> {
    facts.verifications.iter().filter_map(|verification| entry(facts, verification)).collect()
}

fn entry(facts: &Facts, v: &Verification) -> Option<Entry> {
    let run = facts.runs.iter().find(|run| run.run_id == v.run_id)?;
    let alert = facts.alerts.iter().find(|alert| alert.host_id == run.host_id && alert.target == run.target);
    let undo = v.purpose == "undo";
    let outcome = match v.outcome.as_deref() {
        None => Outcome::Looking { until_at: end(v) },
        Some("fixed") if undo => Outcome::Undone,
        Some(_) if undo => Outcome::UndoFailed,
        Some("fixed") => Outcome::Fixed,
        Some("not_fixed") => Outcome::NotFixed,
        Some("made_worse") => Outcome::MadeWorse,
        Some(_) => Outcome::CannotTell,
    };
    let record = facts
        .decisions
        .iter()
        .rev()
        .find(|d| d.stage == "verify" && d.subject_id == v.run_id && d.record.get("undone").is_some() == undo)
        .map(|d| &d.record);
    let sentence = match outcome {
        Outcome::CannotTell => {
            Some("The host did not answer, or its answer could not be judged. That is never read as fixed.".to_owned())
        }
        Outcome::MadeWorse => {
            Some("Another check of this host was ok before the fix and is critical after it.".to_owned())
        }
        _ => None,
    };
    let told = story::Verification {
        outcome,
        sentence,
        compared: if undo { beside(record).collect() } else { compared(alert, record) },
        settle: v.settle.duration(),
        stable: v.stable.duration(),
    };
    let at = v.first_ok_at.or(v.ended_at).or(v.started_at)?;
    Some(Entry { at, event: Event::Verification(told) })
}

/// The latest instant at which it can be judged, as far as is known now.
fn end(v: &Verification) -> Timestamp {
    let stable = v.stable.span();
    match v.first_ok_at {
        Some(first) => first + stable,
        None => v.due_at.or(v.started_at).unwrap_or(Timestamp::UNIX_EPOCH) + stable,
    }
}

/// The host's other checks that were ok before the run.
fn beside(record: Option<&Value>) -> impl Iterator<Item = Compared> {
    let neighbours = record.and_then(|record| record.get("neighbours")).and_then(Value::as_array);
    neighbours.into_iter().flatten().map(neighbour)
}

fn neighbour(n: &Value) -> Compared {
    let after = n.get("after").and_then(Value::as_str).map_or(Verdict::NoData, verdict);
    let seen = n.get("seen").filter(|seen| !seen.is_null()).map(words);
    Compared {
        check: format!("{} ({})", plain(&n["check"]), plain(&n["target"])),
        before: Reading { verdict: Verdict::Ok, words: Verdict::Ok.word().to_owned() },
        after: Some(Reading { verdict: after, words: seen.unwrap_or_else(|| "no answer".to_owned()) }),
    }
}

fn compared(alert: Option<&Alert>, record: Option<&Value>) -> Vec<Compared> {
    let Some(alert) = alert else { return Vec::new() };
    let bad = verdict(&alert.severity);
    let before = record.and_then(|record| record.get("before")).filter(|seen| !seen.is_null()).or(alert.seen.as_ref());
    let last = record.and_then(|record| record.get("looks")).and_then(Value::as_array).and_then(|looks| looks.last());
    let after = last.map(|look| {
        let verdict = match look.get(1).and_then(Value::as_str) {
            Some("ok") => Verdict::Ok,
            Some("bad") => bad,
            _ => Verdict::NoData,
        };
        let seen = look.get(2).filter(|seen| !seen.is_null()).map(words);
        Reading { verdict, words: seen.unwrap_or_else(|| "no answer".to_owned()) }
    });
    let before = Reading { verdict: bad, words: before.map_or_else(|| bad.word().to_owned(), words) };
    let own = Compared { check: format!("{} ({})", alert.check, alert.target), before, after };
    std::iter::once(own).chain(beside(record)).collect()
}
