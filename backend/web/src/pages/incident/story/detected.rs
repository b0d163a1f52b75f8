//! Decisions of stage detect: what was read, what counts as bad, how long it had to be so, what was not known.

use std::time::Duration;

use domain::detect::words::{name, words};
use domain::detect::{Comparison, DetectRecord, Op, Value, Verdict};
use store::pages::incident::Alert;
use views::story::{Detected, Entry, Event, Evidence};

use super::Facts;
use crate::pages::incident::readings::{evidence, verdict};

/// One entry for each alert, from the decision on the signal that raised it.
pub fn entries(facts: &Facts) -> Vec<Entry> {
    facts
        .alerts
        .iter()
        .map(|alert| Entry {
            at: alert.signalled_at.unwrap_or(alert.opened_at),
            event: Event::Detected(detected(alert)),
        })
        .collect()
}

fn detected(alert: &Alert) -> Detected {
    let record: Option<DetectRecord> = alert.detected.clone().and_then(|record| serde_json::from_value(record).ok());
    let saw = alert.seen.as_ref().map_or_else(
        || "The check was bad for its hold time.".to_owned(),
        |seen| format!("On {} it read: {}.", alert.target, words(seen)),
    );
    let hold = alert.definition.get("hold_secs").and_then(serde_json::Value::as_u64);
    let mut told = Detected {
        check: format!("{} ({})", alert.check, alert.target),
        verdict: verdict(&alert.severity),
        saw,
        before: None,
        rule: None,
        hold: hold.map(Duration::from_secs),
        bad_since_at: None,
        grace: None,
        evidence: alert.seen.as_ref().map(evidence).unwrap_or_default(),
    };
    let Some(record) = record else { return told };
    told.verdict = verdict(record.verdict.word());
    told.before = Some(record.before.word().replace('_', " "));
    told.rule = rule(&record);
    told.hold = Some(Duration::from_secs(record.hold_secs.into()));
    told.bad_since_at = record.bad_since;
    told.grace = grace(&record);
    let judged = if record.verdict == Verdict::Warning { &record.warning_when } else { &record.critical_when };
    for reading in &mut told.evidence {
        reading.is_bad = judged.iter().any(|c| name(&c.reading) == reading.name);
    }
    let absent = record.absent.into_iter().map(|name| Evidence {
        name: first_large(&name),
        value: None,
        is_bad: false,
        at: None,
    });
    told.evidence.extend(absent);
    told
}

/// "critical when state is failed; twice in a row: it was 2 times".
fn rule(record: &DetectRecord) -> Option<String> {
    let said = |word: &str, when: &[Comparison]| {
        let all: Vec<String> = when.iter().map(comparison).collect();
        (!all.is_empty()).then(|| format!("{word} when {}", all.join(" and ")))
    };
    let mut parts: Vec<String> =
        [said("critical", &record.critical_when), said("warning", &record.warning_when), said("ok", &record.ok_when)]
            .into_iter()
            .flatten()
            .collect();
    if record.failures_needed > 1 {
        parts.push(format!("it takes {} in a row and there were {}", record.failures_needed, record.failures));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn comparison(c: &Comparison) -> String {
    let op = match c.op {
        Op::Eq => "is",
        Op::Ne => "is not",
        Op::Lt => "is below",
        Op::Le => "is at most",
        Op::Gt => "is above",
        Op::Ge => "is at least",
    };
    let value = match &c.value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
    };
    format!("{} {op} {value}", name(&c.reading))
}

/// What the grace after a boot had to say, if the boot is known.
fn grace(record: &DetectRecord) -> Option<String> {
    let booted_at = record.booted_at?;
    let since = |at: jiff::Timestamp| views::took(Duration::try_from(record.at.duration_since(at)).unwrap_or_default());
    let up = since(booted_at);
    Some(match record.grace_until.filter(|until| *until > booted_at) {
        None => format!("none after a boot; the host had been up for {up}"),
        Some(until) if until <= record.at => format!("over for {}; the host had been up for {up}", since(until)),
        Some(_) => format!("not over yet; the host had been up for {up}"),
    })
}

fn first_large(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), chars.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_decision_is_told_with_its_thresholds_its_times_and_what_was_absent() {
        let record = json!({
            "outcome": "raised", "severity": "critical", "reason": "r", "check": "web", "target": "nginx",
            "at": "2026-11-24T06:00:10Z", "seen": {"data": {"state": "failed"}}, "before": "no_data", "verdict": "critical",
            "critical_when": ["state = failed", "restarts_an_hour >= 3"], "warning_when": [], "ok_when": ["state = running"],
            "hold_secs": 2, "bad_since": "2026-11-24T06:00:08Z", "failures_needed": 2, "failures": 3,
            "booted_at": "2026-11-24T05:00:10Z", "grace_until": "2026-11-24T05:05:10Z", "excused": null,
            "absent": ["restarts an hour"]
        });
        let alert = Alert {
            host_id: uuid::Uuid::nil(),
            check: "web".into(),
            definition: json!({}),
            target: "nginx".into(),
            severity: "critical".into(),
            opened_at: jiff::Timestamp::UNIX_EPOCH,
            closed_at: None,
            close_cause: None,
            signalled_at: None,
            seen: Some(json!({"data": {"state": "failed", "pid": 3}})),
            observed_at: None,
            detected: Some(record),
        };
        let told = detected(&alert);
        assert_eq!(told.before.as_deref(), Some("no data"));
        assert_eq!(
            told.rule.as_deref(),
            Some(
                "critical when state is failed and restarts an hour is at least 3; ok when state is running; it takes 2 in a row and there were 3"
            )
        );
        assert_eq!(
            (told.hold, told.bad_since_at.map(|at| at.subsec_nanosecond())),
            (Some(Duration::from_secs(2)), Some(0))
        );
        assert_eq!(
            told.grace.map(|grace| grace.replace('\u{a0}', " ")).as_deref(),
            Some("over for 55 min; the host had been up for 1 h")
        );
        let evidence: Vec<(&str, bool, bool)> =
            told.evidence.iter().map(|e| (e.name.as_str(), e.is_bad, e.value.is_none())).collect();
        assert_eq!(evidence, [("pid", false, false), ("state", true, false), ("Restarts an hour", false, true)]);
    }
}
