//! Stage verify: the same check, fresh data, a settle time, a stability window.

use std::time::Duration;

use async_trait::async_trait;
use domain::run::State;
use domain::verify::judge::{Facts, Look, Neighbour, Next, Outcome, VerifyRecord, judge};
use domain::verify::undo::{UndoRecord, restored, wants_undo};
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::classify::{alerts, incidents};
use store::decisions::{self, NewDecision};
use store::notify::{self, About};
use store::remediate::runs::{self, Run};
use store::remediate::{breakers, guardrails, playbooks, undo};
use store::verify::neighbours;
use store::verify::verifications::{self, Due};
use store::{Queue, Store, StoreError, TenantScope, TenantTx};

use crate::breaker;
use crate::ladder::{self, Climbed, Judged};
use crate::lease::{Batch, Stage};

/// Verifications a batch leases.
const BATCH: i64 = 50;
/// How long one is leased.
const LEASE: Duration = Duration::from_secs(30);

/// The stage.
#[derive(Debug)]
pub struct Verify;

#[async_trait]
impl Stage for Verify {
    fn queue(&self) -> Queue {
        Queue::Verify
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        let due = verifications::claim_due(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        let more = if due.len() as i64 == BATCH { Batch::More } else { Batch::Drained };
        for d in due {
            let mut tx = store.begin(scope).await?;
            one(&mut tx, &d).await?;
            tx.commit().await?;
        }
        Ok(more)
    }
}

async fn one(tx: &mut TenantTx, d: &Due) -> store::Result<()> {
    let now = tx.now().await?;
    // A server of an older version, which may still run beside this one, places no question for later.
    if !d.is_asked {
        return verifications::ask_again(tx, d, now, d.first_ok_at).await;
    }
    let look = match d.answer.as_deref() {
        None => Look::Unanswered,
        Some("ok") => Look::Ok,
        Some("no_data") => Look::NoData,
        Some(_) => Look::Bad,
    };
    let stable = d.stable.span();
    let beside = neighbours::list(tx, d.run_id, d.attempt).await?;
    let undo = d.purpose == "undo";
    // An undo is judged by what was ok before the fix; of its own check it is enough that it answers.
    let (look, bad_since_first, worse) = if undo {
        (restored(d.exited_ok, look, &beside), false, false)
    } else {
        (look, d.bad_since_first, beside.iter().any(Neighbour::is_worse))
    };
    let beside_asked = undo || d.phase != "asked_first" || beside.is_empty();
    match judge(&Facts { now, look, first_ok_at: d.first_ok_at, bad_since_first, beside_asked, worse, stable }) {
        Next::AskBeside => verifications::ask_again(tx, d, now, None).await,
        Next::LookAgain { at } => verifications::ask_again(tx, d, at, Some(d.first_ok_at.unwrap_or(now))).await,
        Next::Judged { outcome } if undo => undone(tx, d, outcome == Outcome::Fixed, beside).await,
        Next::Judged { outcome } => end(tx, d, look, outcome, beside).await,
    }
}

/// The verdict: `fixed` closes alert and incident in this very transaction; *not fixed* goes on to the next rung, if
/// there is one; all else goes to a person.
async fn end(tx: &mut TenantTx, d: &Due, look: Look, outcome: Outcome, beside: Vec<Neighbour>) -> store::Result<()> {
    let now = tx.now().await?;
    let (to, cause) = match outcome {
        Outcome::Fixed => (State::Fixed, "the check is ok and stays ok"),
        Outcome::NotFixed => (State::NotFixed, "the check is still bad"),
        Outcome::CannotTell => (State::CannotTell, "the check gave no answer"),
        Outcome::MadeWorse => (State::MadeWorse, "another check turned critical"),
    };
    let Some(run) = runs::find(tx, d.run_id).await? else { return Ok(()) };
    let breakers_hear = lock_for(tx, &run, outcome).await?;
    let alert = alerts::find(tx, d.alert_id).await?;
    runs::advance(tx, d.run_id, State::Verifying, to, cause, json!({}), None).await?;
    verifications::mark_ended(tx, d, outcome.word()).await?;
    let worse: Vec<String> =
        beside.iter().filter(|n| n.is_worse()).map(|n| format!("“{}” ({})", n.check, n.target)).collect();
    record(tx, d, look, outcome, beside).await?;
    tx.due(Queue::Remediate, now);
    let about = About { client_id: d.client_id, incident_id: d.incident_id, run_id: Some(d.run_id) };
    if outcome == Outcome::Fixed {
        runs::close_remediation(tx, d.run_id, outcome.word()).await?;
        if breakers_hear {
            breaker::after(tx, &run, true, true).await?;
        }
        if alert.is_some() {
            alerts::mark_closed(tx, d.alert_id, "fixed").await?;
        }
        incidents::mark_closed(tx, d.incident_id, "fixed").await?;
        return notify::fixed(tx, about, d.run_id).await;
    }
    let recovered = alert.as_ref().is_none_or(|a| a.newest_ok);
    if wants_undo(outcome, undoable(tx, &run).await?, d.was_in_doubt, recovered) {
        // Stage remediate decides on the undo, under its own limits; till then nobody is called.
        let cause = "the playbook declares an undo";
        runs::advance(tx, d.run_id, to, State::Undoing, cause, json!({}), None).await?;
        return breaker::after(tx, &run, false, false).await.map(drop);
    }
    let judged = Judged { outcome, target: &d.target, was_in_doubt: d.was_in_doubt, recovered };
    let climbed = ladder::climb(tx, &run, judged).await?;
    if climbed != Climbed::Yes {
        runs::close_remediation(tx, d.run_id, outcome.word()).await?;
    }
    let opened = match outcome {
        Outcome::CannotTell => Vec::new(),
        _ => breaker::after(tx, &run, false, climbed != Climbed::Yes).await?,
    };
    let Climbed::No(but) = climbed else { return Ok(()) };
    if alert.is_some_and(|a| a.newest_ok) {
        alerts::mark_closed(tx, d.alert_id, "recovered").await?;
    }
    let mut why = match outcome {
        Outcome::MadeWorse => {
            format!("Made worse: {} was ok before the fix and is critical after it.", worse.join(", "))
        }
        _ if d.was_in_doubt => {
            format!("In doubt: the fix began, nobody knows how it ended, and {cause}. It is not run again.")
        }
        _ if run.rung > 1 => format!("{} fixes ran one after the other, and {cause}.", run.rung),
        _ => format!("The fix ran, and {cause}."),
    };
    if let Some(but) = but {
        why = format!("{why} {but}");
    }
    if !opened.is_empty() {
        why = format!("{why} A breaker stops {} now.", opened.join(" and "));
    }
    notify::needs_you(tx, about, &why).await
}

/// A verdict that may open or close a breaker is written under the buckets' locks, which come before all others; false
/// when there is no breaker that it could change.
async fn lock_for(tx: &mut TenantTx, run: &Run, outcome: Outcome) -> store::Result<bool> {
    if outcome == Outcome::Fixed && breakers::list_over(tx, run).await?.is_empty() {
        return Ok(false);
    }
    let keys = guardrails::buckets_of(tx.tenant_id(), run.client_id, run.host_id, run.playbook_id);
    guardrails::lock(tx, &keys).await?;
    Ok(true)
}

/// Whether the run's playbook declares how it is taken back.
async fn undoable(tx: &mut TenantTx, run: &Run) -> store::Result<bool> {
    let playbook = playbooks::find(tx, &run.playbook_digest).await?;
    let content: Option<Value> = playbook.and_then(|playbook| serde_json::from_str(&playbook.content).ok());
    Ok(content.is_some_and(|content| content["undo"].as_array().is_some_and(|steps| !steps.is_empty())))
}

/// The verdict on an undo: what worked and was *not fixed* goes on to the next rung; all else goes to a person.
async fn undone(tx: &mut TenantTx, d: &Due, ok: bool, neighbours: Vec<Neighbour>) -> store::Result<()> {
    let now = tx.now().await?;
    let Some(run) = runs::find(tx, d.run_id).await? else { return Ok(()) };
    lock_for(tx, &run, Outcome::NotFixed).await?;
    let alert = alerts::find(tx, d.alert_id).await?;
    let record = UndoRecord { at: now, exited_ok: d.exited_ok, neighbours, undone: ok };
    let record = serde_json::to_value(&record).map_err(|_| StoreError::Corrupt {
        table: "decisions",
        column: "record",
        id: d.run_id,
    })?;
    let (client_id, incident_id, subject_id) = (d.client_id, Some(d.incident_id), d.run_id);
    let (stage, outcome) = ("verify", if ok { State::Undone.word() } else { State::UndoFailed.word() });
    decisions::insert(tx, NewDecision { client_id, stage, incident_id, subject_id, outcome, record }).await?;
    verifications::mark_ended(tx, d, if ok { "fixed" } else { "not_fixed" }).await?;
    if !ok {
        return undo::mark_failed(tx, d.run_id, "not all that was ok before the fix is ok again").await;
    }
    runs::advance(tx, d.run_id, State::Undoing, State::Undone, "the undo was verified", json!({}), None).await?;
    let (was, is) = (json!({ "state": State::Undoing.word() }), json!({ "state": State::Undone.word() }));
    audit::insert(tx, Some(client_id), Entry::changed("run.undone", ("run", d.run_id), was, is)).await?;
    tx.due(Queue::Remediate, now);
    let verdict = undo::find_verdict(tx, d.run_id).await?;
    let outcome = if verdict.as_deref() == Some("made_worse") { Outcome::MadeWorse } else { Outcome::NotFixed };
    let recovered = alert.as_ref().is_none_or(|a| a.newest_ok);
    let judged = Judged { outcome, target: &d.target, was_in_doubt: false, recovered };
    let Climbed::No(but) = ladder::climb(tx, &run, judged).await? else { return Ok(()) };
    runs::close_remediation(tx, d.run_id, outcome.word()).await?;
    breaker::after_closed(tx, &run).await?;
    if alert.is_some_and(|a| a.newest_ok) {
        alerts::mark_closed(tx, d.alert_id, "recovered").await?;
    }
    let said = match outcome {
        Outcome::MadeWorse => {
            "The fix made another check critical; it was undone, and what was ok before it is ok again."
        }
        _ => "The fix ran and did not help; it was undone, and what was ok before it is ok.",
    };
    let about = About { client_id, incident_id: d.incident_id, run_id: Some(d.run_id) };
    notify::needs_you(tx, about, &[Some(said), but].into_iter().flatten().collect::<Vec<_>>().join(" ")).await
}

/// What was looked at and what came of it, as people read it.
async fn record(
    tx: &mut TenantTx,
    d: &Due,
    look: Look,
    outcome: Outcome,
    neighbours: Vec<Neighbour>,
) -> store::Result<()> {
    let now = tx.now().await?;
    let mut looks = Vec::new();
    if let Some(first) = d.first_ok_at {
        looks.push((first, Look::Ok, None));
    }
    looks.push((now, look, d.seen.clone()));
    let record = VerifyRecord {
        at: now,
        check: d.check.clone(),
        target: d.target.clone(),
        before: None,
        looks,
        neighbours,
        settle_secs: d.settle,
        stable_secs: d.stable,
        outcome,
    };
    let record = serde_json::to_value(&record).map_err(|_| StoreError::Corrupt {
        table: "decisions",
        column: "record",
        id: d.run_id,
    })?;
    let (client_id, incident_id, subject_id) = (d.client_id, Some(d.incident_id), d.run_id);
    let (stage, word) = ("verify", outcome.word());
    decisions::insert(tx, NewDecision { client_id, stage, incident_id, subject_id, outcome: word, record }).await?;
    let entry = Entry::done("run.verified", ("run", d.run_id)).with(json!({ "outcome": word }));
    audit::insert(tx, Some(client_id), entry).await
}
