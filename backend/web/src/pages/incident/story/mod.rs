//! From facts to the story: pure, no rows, no clock.

mod admission;
mod classified;
mod detected;
mod diagnostics;
mod run;
mod verified;

#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::run::State;
use jiff::Timestamp;
use store::decisions::Decision;
use store::pages::{hosts, incident};
use store::remediate::approvals::Plan;
use store::remediate::progress::Progress;
use uuid::Uuid;
use views::{
    Clock, Pair, Shell,
    incident::{Ask, IncidentPage, Owner},
    story::{Entry, Escalated, Event, Mail, MailState, PlaybookAside, Reason, Recovered, Released, Versioned},
};

use super::standing::standing;
use crate::pages::approval::{self, Asked};
use crate::pages::host;

/// Everything that was read.
#[derive(Debug)]
pub struct Facts {
    pub incident: incident::Incident,
    pub alerts: Vec<incident::Alert>,
    pub host: Option<hosts::Row>,
    pub hands_off: Vec<hosts::HandsOff>,
    pub decisions: Vec<Decision>,
    pub runs: Vec<incident::Run>,
    pub run_events: Vec<incident::RunEvent>,
    pub results: Vec<incident::JobResult>,
    pub verifications: Vec<incident::Verification>,
    pub mails: Vec<incident::Mail>,
    pub diagnostics: Vec<store::diagnostics::Asked>,
    /// What jobs without a result have written so far.
    pub progress: Vec<Progress>,
    /// The plans of the runs that wait for a yes.
    pub plans: Vec<(Uuid, Plan)>,
}

/// What this member may do here.
#[derive(Debug, Clone, Copy)]
pub struct May {
    /// Who reads.
    pub who: Uuid,
    /// Answer a doubt.
    pub act: bool,
    /// Say yes or no to a fix.
    pub approve: bool,
}

/// The page.
pub fn tell(facts: Facts, shell: Shell, clock: Clock, may: May) -> IncidentPage {
    let run_state = facts.runs.last().map(|run| run.state.as_str());
    let standing = standing(&facts.incident.state, facts.incident.outcome.as_deref(), run_state);
    let entries = entries(&facts, clock.now);
    let now = clock.now;
    IncidentPage {
        shell,
        clock,
        id: facts.incident.incident_id,
        reference: String::new(),
        standing,
        title: facts.incident.title.clone(),
        client: facts.incident.client.clone(),
        opened_at: facts.incident.opened_at,
        closed_at: facts.incident.closed_at,
        remarks: remarks(&facts),
        entries,
        asks: asks(&facts),
        host: facts.host.as_ref().map(|row| host::aside(row, &facts.hands_off, now)),
        playbook: facts.runs.last().map(playbook),
        why_nothing_else: why_nothing_else(&facts),
        may_act: may.act,
        owner: facts.incident.owner.as_ref().map(|(login_id, name, at)| Owner {
            name: name.clone(),
            is_you: *login_id == may.who,
            at: *at,
        }),
        may_approve: may.approve,
    }
}

/// The fixes that wait for a yes, while it is not too late for one.
fn asks(facts: &Facts) -> Vec<Ask> {
    let waiting = facts.plans.iter().filter_map(|(run_id, plan)| {
        let run = facts.runs.iter().find(|run| run.run_id == *run_id)?;
        let place = facts.host.as_ref().map_or_else(|| run.target.clone(), |h| format!("{} on {}", run.target, h.name));
        let (playbook, content) = (run.playbook.as_str(), run.content.as_str());
        approval::ask(Asked { run_id: *run_id, playbook, version: run.version, content, place }, plan)
    });
    waiting.collect()
}

/// All entries, oldest first. What happened at the same instant keeps the order of the stages.
fn entries(facts: &Facts, now: Timestamp) -> Vec<Entry> {
    let mut all = Vec::new();
    hands_off(facts, now, &mut all);
    all.extend(detected::entries(facts));
    all.extend(classified::entries(facts));
    all.extend(admission::entries(facts));
    all.extend(run::entries(facts));
    all.extend(verified::entries(facts));
    recovered(facts, &mut all);
    escalated(facts, &mut all);
    all.extend(facts.diagnostics.iter().map(diagnostics::entry));
    mails(facts, &mut all);
    all.sort_by_key(|entry| entry.at);
    all
}

/// The newest reason, at the newest event that gave one.
fn escalated(facts: &Facts, all: &mut Vec<Entry>) {
    let Some((first, reason)) = facts.incident.escalated_at.zip(facts.incident.escalation_reason.clone()) else {
        return;
    };
    let gives_one = |event: &&incident::RunEvent| {
        State::parse(&event.to_state).is_some_and(|state| state.escalates() || state == State::Unknown)
    };
    let newest = facts.run_events.iter().filter(gives_one).map(|event| event.at).max();
    let at = newest.map_or(first, |at| at.max(first));
    all.push(Entry { at, event: Event::Escalated(Escalated { reason, to: None }) });
}

fn recovered(facts: &Facts, all: &mut Vec<Entry>) {
    for alert in facts.alerts.iter().filter(|alert| alert.close_cause.as_deref() == Some("recovered")) {
        if let Some(at) = alert.closed_at {
            let saw = format!("“{}” on {} is ok again.", alert.check, alert.target);
            all.push(Entry { at, event: Event::Recovered(Recovered { saw }) });
        }
    }
}

fn hands_off(facts: &Facts, now: Timestamp, all: &mut Vec<Entry>) {
    let until = facts.incident.closed_at.unwrap_or(now);
    for off in facts.hands_off.iter().filter(|off| off.started_at <= until) {
        let told = views::HandsOff {
            by: off.started_by.clone(),
            until_at: off.ends_at,
            reason: (!off.reason.is_empty()).then(|| off.reason.clone()),
        };
        all.push(Entry { at: off.started_at, event: Event::HandsOff(told) });
        let ended = off.ended_at.unwrap_or(off.ends_at);
        if ended <= until {
            let sentence = Some("What was held is looked at again, with fresh data first.".to_owned());
            all.push(Entry { at: ended, event: Event::Released(Released { by: off.ended_by.clone(), sentence }) });
        }
    }
}

fn mails(facts: &Facts, all: &mut Vec<Entry>) {
    for mail in &facts.mails {
        let state = match mail.state.as_str() {
            "sent" => MailState::Sent,
            "failed" => MailState::Failed { reason: mail.last_error.clone().unwrap_or_else(|| "given up".to_owned()) },
            _ => MailState::Queued,
        };
        let same = all.iter_mut().find_map(|entry| match &mut entry.event {
            Event::Mail(told)
                if entry.at == mail.created_at
                    && told.subject == mail.subject
                    && matches!(
                        (&told.state, &state),
                        (MailState::Sent, MailState::Sent) | (MailState::Queued, MailState::Queued)
                    ) =>
            {
                Some(told)
            }
            _ => None,
        });
        match same {
            Some(told) if told.to.contains(&mail.address) => {}
            Some(told) => told.to.push(mail.address.clone()),
            None => all.push(Entry {
                at: mail.created_at,
                event: Event::Mail(Mail { to: vec![mail.address.clone()], subject: mail.subject.clone(), state }),
            }),
        }
    }
}

/// Short remarks: how long it was away, whether a person was asked.
fn remarks(facts: &Facts) -> Vec<String> {
    let mut remarks = Vec::new();
    let began = facts.alerts.iter().filter_map(|alert| alert.signalled_at).min();
    // An undo is verified too, and does not bring the service back.
    let fixed = |v: &&incident::Verification| v.purpose == "fix" && v.outcome.as_deref() == Some("fixed");
    let ok_again = facts.verifications.iter().rev().find(fixed).and_then(|v| v.first_ok_at);
    if let (Some(began), Some(ok_again)) = (began, ok_again) {
        let away = Duration::try_from(ok_again.duration_since(began)).unwrap_or_default();
        remarks.push(format!("back in {}", views::back_in(away)));
    }
    if facts.incident.closed_at.is_some() && facts.incident.escalated_at.is_none() {
        remarks.push("nobody was asked".to_owned());
    }
    remarks
}

fn playbook(run: &incident::Run) -> PlaybookAside {
    let content: serde_json::Value = serde_json::from_str(&run.content).unwrap_or_default();
    let text = |key: &str| content.get(key).and_then(|value| value.as_str()).map(|word| word.replace('_', " "));
    let pair = |label: &str, value: Option<String>| value.map(|value| Pair { label: label.to_owned(), value });
    PlaybookAside {
        playbook: Versioned {
            title: text("title").unwrap_or_else(|| run.playbook.clone()),
            version: u32::try_from(run.version).unwrap_or(0),
        },
        digest: hex::encode(&run.digest),
        signed_by: Some(run::signer(run)),
        facts: [pair("Name", Some(run.playbook.clone())), pair("Risk", text("risk")), pair("Effect", text("effect"))]
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn why_nothing_else(facts: &Facts) -> Vec<Reason> {
    let reason = |what: &str, why: &str| Reason { what: what.to_owned(), why: why.to_owned() };
    let mut reasons = Vec::new();
    if facts.runs.is_empty() && !facts.decisions.iter().any(|d| d.stage == "remediate") && !facts.decisions.is_empty() {
        reasons.push(reason("Nothing was touched.", "No mapping names a fix for this; it is never guessed."));
    }
    if facts.runs.iter().any(|run| run.state == "observed") {
        reasons.push(reason("Nothing was touched.", "The mapping is on watch only."));
    }
    if let Some(held) = facts.runs.iter().find(|run| run.state == "held") {
        let why = held.hold_reason.as_deref().unwrap_or("a limit");
        reasons.push(reason("It has not run yet.", &format!("Held: {}.", why.trim_start_matches("held: "))));
    }
    if facts.run_events.iter().any(|event| event.to_state == "unknown") {
        reasons.push(reason("No second try.", "A run in doubt is never repeated by itself."));
    }
    if facts.incident.outcome.as_deref() == Some("fixed") && facts.incident.escalated_at.is_none() {
        reasons.push(reason("No person was asked.", "The fix worked, and the same check said so."));
    }
    if facts.runs.len() == 1 && facts.runs[0].state == "fixed" {
        reasons.push(reason("No second rung.", "The first one worked."));
    }
    reasons
}
