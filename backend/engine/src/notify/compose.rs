//! From the rows to a mail's facts.

use std::time::Duration;

use domain::classify::record::{Answer, ClassifyRecord};
use domain::detect::words::words;
use domain::notify::{Kind, RECURS_WITHIN};
use domain::verify::judge::VerifyRecord;
use jiff::tz::TimeZone;
use store::decisions::Decision;
use store::outbox::{Composed, Due};
use store::pages::incident::{self, Alert, Incident, Run};
use store::remediate::{runs, stops};
use store::{Result, StoreError, TenantTx, decisions, fleet};
use views::mail::{About, Change, Fixed, Held, NeedsYou};

use super::Notify;

/// Why a mail has nothing true to say any more; none: it still has.
pub async fn outdated(tx: &mut TenantTx, due: &Due) -> Result<Option<&'static str>> {
    let incident = incident::find(tx, due.incident_id).await?.ok_or_else(|| gone(due))?;
    let is_closed = incident.closed_at.is_some();
    Ok(match due.kind {
        Kind::Fixed => None,
        Kind::NeedsYou => is_closed.then_some("the incident is closed"),
        Kind::Held if is_closed => Some("the incident is closed"),
        Kind::Held => {
            let run = match due.run_id {
                Some(run_id) => runs::find(tx, run_id).await?,
                None => None,
            };
            run.is_none_or(|run| run.state != "held").then_some("it is not held any more")
        }
    })
}

/// What one mail is made of.
struct Facts {
    incident: Incident,
    /// None for a problem that could not even become an alert.
    alert: Option<Alert>,
    /// The run the mail is about.
    run: Option<Run>,
    decisions: Vec<Decision>,
}

/// Reads the facts and words them.
pub async fn compose(tx: &mut TenantTx, due: &Due, notify: &Notify) -> Result<Composed> {
    let incident = incident::find(tx, due.incident_id).await?.ok_or_else(|| gone(due))?;
    let alerts = incident::list_alerts(tx, due.incident_id).await?;
    let runs = incident::list_runs(tx, due.incident_id).await?;
    let run = runs.into_iter().find(|run| Some(run.run_id) == due.run_id);
    let facts = Facts {
        incident,
        alert: alerts.into_iter().next(),
        run,
        decisions: decisions::list_of_incident(tx, due.incident_id).await?,
    };
    let about = about(tx, due, notify, &facts).await?;
    let rendered = match due.kind {
        Kind::Fixed => fixed(tx, due, about, &facts).await?.render(),
        Kind::NeedsYou => needs_you(about, &facts, last_said(tx, due, &facts).await?).render(),
        Kind::Held => held(tx, due, about, &facts).await?.render(),
    };
    let (subject, html, text) = (rendered.subject, rendered.html, rendered.text);
    Ok(Composed { sender: notify.sender.clone(), subject, html, text })
}

fn gone(due: &Due) -> StoreError {
    StoreError::Corrupt { table: "outbox", column: "incident_id", id: due.outbox_id }
}

async fn about(tx: &mut TenantTx, due: &Due, notify: &Notify, facts: &Facts) -> Result<About> {
    let now = tx.now().await?;
    let client = fleet::find_client(tx, facts.incident.client_id).await?.ok_or_else(|| gone(due))?;
    let host = match &facts.alert {
        Some(alert) => store::hosts::find(tx, alert.host_id).await?.map(|host| host.name),
        None => None,
    };
    let alert = facts.alert.as_ref();
    // The clock of the place where it happened.
    let zone = TimeZone::get(&client.time_zone).unwrap_or(TimeZone::UTC);
    Ok(About {
        what: alert.map_or_else(|| facts.incident.title.clone(), thing),
        host,
        client: client.name,
        since_at: alert.map_or(facts.incident.opened_at, |alert| alert.signalled_at.unwrap_or(alert.opened_at)),
        link: format!("{}/incidents/{}", notify.public_url, due.incident_id),
        clock: views::Clock { now, zone },
        small_print: due.why.clone(),
    })
}

/// What broke: the target; a heartbeat has none, and its name says what it looks at.
fn thing(alert: &Alert) -> String {
    if alert.target.is_empty() { alert.check.clone() } else { alert.target.clone() }
}

fn playbook(run: &Run) -> String {
    let content: serde_json::Value = serde_json::from_str(&run.content).unwrap_or_default();
    let title = content["title"].as_str().unwrap_or(&run.playbook);
    format!("{title} (version {})", run.version)
}

/// What the check read when it broke.
fn broke(facts: &Facts) -> Vec<String> {
    let seen = facts.alert.iter().filter_map(|alert| Some((alert, alert.seen.as_ref()?)));
    seen.map(|(alert, seen)| format!("{}: {}", alert.check, words(seen))).collect()
}

/// The newest record that verify wrote of the mail's run.
fn verified(facts: &Facts) -> Option<VerifyRecord> {
    let run = facts.run.as_ref()?;
    let mut newest = facts.decisions.iter().rev().filter(|d| d.stage == "verify" && d.subject_id == run.run_id);
    newest.find_map(|d| serde_json::from_value(d.record.clone()).ok())
}

/// What the check read last, after the fix.
fn after(record: &VerifyRecord) -> Option<String> {
    record.looks.iter().rev().find_map(|(_, _, seen)| seen.as_ref()).map(words)
}

async fn fixed(tx: &mut TenantTx, due: &Due, about: About, facts: &Facts) -> Result<Fixed> {
    let verifications = incident::list_verifications(tx, due.incident_id).await?;
    let verification = verifications
        .into_iter()
        .rfind(|v| Some(v.run_id) == due.run_id && v.purpose == "fix")
        .ok_or_else(|| gone(due))?;
    let back_at = verification.first_ok_at.unwrap_or(about.clock.now);
    let record = verified(facts);
    let changes = record.as_ref().and_then(after).zip(facts.alert.as_ref()).map(|(after, alert)| Change {
        check: alert.check.clone(),
        before: alert.seen.as_ref().map_or_else(|| "bad".to_owned(), words),
        after,
    });
    let times = store::classify::alerts::count_fixed_like(tx, due.incident_id, about.clock.now - RECURS_WITHIN).await?;
    Ok(Fixed {
        back_in: Duration::try_from(back_at.duration_since(about.since_at)).unwrap_or_default(),
        broke: broke(facts),
        ran: facts.run.as_ref().map_or_else(|| "a fix".to_owned(), playbook),
        changes: changes.into_iter().collect(),
        stable: verification.stable.duration(),
        recurs: (times > 1).then(|| format!("{times} times in 31 days; look for the cause")),
        about,
    })
}

/// The last lines that the fix wrote, where it fixed nothing.
async fn last_said(tx: &mut TenantTx, due: &Due, facts: &Facts) -> Result<Vec<String>> {
    let was_of_no_use = |run: &&incident::Run| matches!(run.state.as_str(), "not_fixed" | "undone" | "undo_failed");
    let Some(run) = facts.run.as_ref().filter(was_of_no_use) else { return Ok(Vec::new()) };
    let results = incident::list_results(tx, due.incident_id).await?;
    let result = results.into_iter().rfind(|result| result.run_id == run.run_id && result.purpose == "fix");
    Ok(result.map(|result| last_lines(&String::from_utf8_lossy(&result.output))).unwrap_or_default())
}

/// A mail holds so many lines of an output, each no longer than this; the incident's page has the rest.
const LINES: usize = 5;
const LINE: usize = 200;

fn last_lines(output: &str) -> Vec<String> {
    let clean = |line: &str| line.chars().filter(|c| !c.is_control()).take(LINE).collect::<String>();
    let lines: Vec<String> = output.lines().map(clean).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}

fn needs_you(about: About, facts: &Facts, look_first: Vec<String>) -> NeedsYou {
    let reason = facts.incident.escalation_reason.clone().unwrap_or_default();
    let classified = facts.decisions.iter().rev().filter(|d| d.stage == "classify");
    let classified = classified.filter_map(|d| serde_json::from_value::<ClassifyRecord>(d.record.clone()).ok());
    let answers: Vec<Answer> = classified.map(|record| record.answer).collect();
    let missing = answers.contains(&Answer::PlaybookMissing);
    let symptom = answers.contains(&Answer::Symptom);
    let brief = match facts.run.as_ref().map(|run| run.state.as_str()) {
        None if missing => "its playbook is missing",
        None if symptom => "fixed too often, look for the cause",
        None if facts.alert.is_none() => "could not be handled",
        None => "no known fix",
        Some("observed") => "watch only, nothing ran",
        Some("awaiting_approval") => "the fix waits for you",
        Some("refused") if reason.starts_with("Nothing ran") => "its check gives no data",
        Some("refused") => "the host refused the fix",
        Some("not_run") => "the fix never ran",
        Some("expired") if reason.starts_with("Nobody said yes") => "nobody said yes",
        Some("expired") => "its host is not there",
        Some("not_fixed") if reason.starts_with("In doubt") => "in doubt whether the fix ran",
        Some("not_fixed") => "not fixed by what ran",
        Some("made_worse") => "the fix made it worse",
        Some("undone") if reason.starts_with("The fix made") => "it did harm and was undone",
        Some("undone") => "it did not help and was undone",
        Some("undo_failed") => "the fix and its undo failed",
        Some("cannot_tell") => "cannot tell whether it is fixed",
        Some("unknown" | "running") => "in doubt whether the fix ran",
        Some(_) => "nothing more is tried",
    };
    let began = facts.run.iter().filter(|run| run.started_at.is_some());
    let tried = began.map(|run| match run.state.as_str() {
        "unknown" | "running" => format!("{}: nobody knows how it ended; it is not run again", playbook(run)),
        "not_run" => format!("{}: the host never began it", playbook(run)),
        _ => format!("{}: it ran", playbook(run)),
    });
    let after = verified(facts).and_then(|record| Some(vec![format!("{}: {}", record.check, after(&record)?)]));
    NeedsYou {
        brief: brief.to_owned(),
        reason,
        is_critical: facts.incident.severity == "critical",
        now: after.unwrap_or_else(|| broke(facts)),
        tried: tried.collect(),
        look_first,
        told_next: None,
        about,
    }
}

async fn held(tx: &mut TenantTx, due: &Due, about: About, facts: &Facts) -> Result<Held> {
    let run = facts.run.as_ref().ok_or_else(|| gone(due))?;
    let headline = run.hold_reason.clone().unwrap_or_default();
    let over = stops::list_over(tx, facts.incident.client_id, run.host_id).await?;
    let longest = over.into_iter().max_by_key(|stop| stop.ends_at);
    let (held_by, reason, until_at) = match longest {
        Some(stop) => (format!("{} by {}", stop.kind.label(), stop.by), Some(stop.reason), Some(stop.ends_at)),
        None => {
            let by = headline.strip_prefix("held by ").or_else(|| headline.strip_prefix("held: "));
            (by.unwrap_or(&headline).to_owned(), None, run.hold_until)
        }
    };
    Ok(Held { held_by, reason, until_at, would_run: playbook(run), now: broke(facts), about })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_holds_the_end_of_an_output_without_what_a_terminal_would_obey() {
        let output = "1\n2\n3\n\n4\n5\n\u{1b}[31m6\n";
        assert_eq!(last_lines(output), ["2", "3", "4", "5", "[31m6"]);
        assert_eq!(last_lines(&"x".repeat(1000))[0].len(), LINE);
        assert!(last_lines("").is_empty());
    }
}
