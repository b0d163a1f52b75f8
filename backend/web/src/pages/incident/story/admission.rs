//! Decisions of stage remediate: whether a run may begin, with every limit's numbers.

use jiff::Timestamp;
use serde_json::Value;
use views::{
    Limit, LimitResult, Used,
    story::{Admission, Answer, Entry, Event, Mode, Versioned},
};

use super::Facts;
use crate::pages::limit::label;

/// One entry for each answer; the same answer again to the same run, for the same reason, is told once.
pub fn entries(facts: &Facts) -> Vec<Entry> {
    let mut entries: Vec<(uuid::Uuid, Entry)> = Vec::new();
    for decision in facts.decisions.iter().filter(|d| d.stage == "remediate") {
        let Some(admission) = admission(facts, decision.subject_id, &decision.record) else { continue };
        if let Some((_, Entry { event: Event::Admission(before), .. })) =
            entries.iter_mut().rev().find(|(run, _)| *run == decision.subject_id)
        {
            let both_held = matches!((&before.answer, &admission.answer), (Answer::Held { .. }, Answer::Held { .. }));
            if both_held && kind(&before.reason) == kind(&admission.reason) {
                before.answer = admission.answer;
                before.limits = admission.limits;
                continue;
            }
        }
        entries.push((decision.subject_id, Entry { at: decision.decided_at, event: Event::Admission(admission) }));
    }
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// A reason without its numbers: "held by cooldown, 9:12 left" and "held by cooldown, 8:12 left" are one.
fn kind(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn admission(facts: &Facts, run_id: uuid::Uuid, record: &Value) -> Option<Admission> {
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
    let mode = match record.get("mode").and_then(Value::as_str) {
        Some("auto") => Mode::ByItself,
        Some("approve") => Mode::AskFirst,
        _ => Mode::WatchOnly,
    };
    let (answer, reason) = match record.get("answer").and_then(Value::as_str)? {
        "run" => (Answer::Allowed, "every limit has room".to_owned()),
        "would_run" => (Answer::WouldRun, mode.words().to_owned()),
        "hold" => {
            let headline = text("headline").unwrap_or_else(|| "something holds it".to_owned());
            (
                Answer::Held { until_at: instant(record.get("until")) },
                headline.trim_start_matches("held: ").trim_start_matches("held ").to_owned(),
            )
        }
        "needs_approval" => (Answer::NeedsApproval, "this mapping asks first".to_owned()),
        _ => (Answer::Refused, text("reason").unwrap_or_else(|| "it is never run by itself".to_owned())),
    };
    let run = facts.runs.iter().find(|run| run.run_id == run_id);
    let playbook = run.map(|run| Versioned {
        title: super::playbook(run).playbook.title,
        version: u32::try_from(run.version).unwrap_or(0),
    });
    let limits =
        record.get("limits").and_then(Value::as_array).map(|rows| rows.iter().map(limit).collect()).unwrap_or_default();
    Some(Admission { answer, mode, reason, playbook, limits })
}

fn instant(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_str()?.parse().ok()
}

fn limit(row: &Value) -> Limit {
    let word = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| row.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let holds = row.get("holds").and_then(Value::as_bool).unwrap_or(false);
    let of = number("max").unwrap_or(0);
    Limit {
        label: label(word("limit"), word("scope"), number("window_secs")),
        used: (of > 0).then(|| Used { used: number("used").unwrap_or(0), of, unit: String::new() }),
        state: (of == 0).then(|| if holds { "yes" } else { "no" }.to_owned()),
        because: word("why").to_owned(),
        frees_at: instant(row.get("frees_at")).filter(|_| holds || number("used").unwrap_or(0) > 0),
        result: if holds { LimitResult::Held } else { LimitResult::Allowed },
    }
}
