//! What a job's progress does to its run: the one seam between the links and stage remediate.

use domain::run::State;
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::classify::{alerts, incidents};
use store::notify;
use store::remediate::jobs::Job;
use store::remediate::runs::Run;
use store::remediate::{guardrails, runs, undo};
use store::verify::{neighbours, verifications};
use store::{Queue, Result, TenantTx};
use uuid::Uuid;
use wire::v1::{Ended, Refused, RefusedReason, ResultBody};

/// The purpose of a job that takes a fix back.
const UNDO: &str = "undo";
/// A *not run* may happen this often before a person is called.
const NOT_RUN_TRIES: i16 = 3;

/// A host was made: it gets the bucket of its own limits, and is looked at from now on.
pub async fn host_made(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    let now = tx.now().await?;
    tx.due(Queue::Plan, now);
    guardrails::ensure_host_bucket(tx, host_id).await
}

/// The job's lease is permitted: its run goes from `admitted` to `running`. False: the run may not begin any more.
pub async fn permitted(tx: &mut TenantTx, job: &Job) -> Result<bool> {
    if job.key.purpose == UNDO {
        return Ok(runs::find(tx, job.key.run_id).await?.is_some_and(|run| run.state == State::Undoing.word()));
    }
    let cause = "the permit was given";
    let begins = runs::advance(tx, job.key.run_id, State::Admitted, State::Running, cause, json!({}), None).await?;
    if begins {
        neighbours::insert_ok(tx, job.key.run_id, job.key.attempt).await?;
    }
    Ok(begins)
}

/// The host declined the job; `observation_id` is the look that made it decline. Nothing was executed; the slots
/// are given back by stage remediate, which takes the buckets' locks in their order.
pub async fn refused(tx: &mut TenantTx, job: &Job, refused: &Refused, observation_id: Option<Uuid>) -> Result<()> {
    let id = job.key.run_id;
    let Some(run) = runs::find(tx, id).await? else { return Ok(()) };
    let now = tx.now().await?;
    tx.due(Queue::Remediate, now);
    if job.key.purpose == UNDO {
        return undo::mark_failed(tx, id, &format!("the host refused it: {}", refused.detail)).await;
    }
    let detail = json!({ "detail": refused.detail, "observation_id": observation_id });
    if refused.reason == RefusedReason::Recovered {
        return recovered(tx, &run, detail).await;
    }
    decline(tx, &run, &format!("The host refused the fix: {}", refused.detail), detail).await
}

/// The server looked at its own check again before the job was handed out, and the look (`observation_id`) was not bad.
pub async fn looked_again(tx: &mut TenantTx, job: &Job, verdict: &str, observation_id: Uuid) -> Result<()> {
    let Some(run) = runs::find(tx, job.key.run_id).await? else { return Ok(()) };
    let now = tx.now().await?;
    tx.due(Queue::Remediate, now);
    let detail = json!({ "observation_id": observation_id });
    if verdict == "ok" {
        return recovered(tx, &run, detail).await;
    }
    decline(tx, &run, "Nothing ran: the server looked at the check again and got no data.", detail).await
}

/// The check is ok again before anything ran.
async fn recovered(tx: &mut TenantTx, run: &Run, detail: Value) -> Result<()> {
    let cause = "recovered by itself";
    if runs::advance(tx, run.run_id, State::Admitted, State::Cancelled, cause, detail, None).await? {
        runs::close_remediation(tx, run.run_id, "cancelled").await?;
        if alerts::find(tx, run.alert_id).await?.is_some() {
            alerts::mark_closed(tx, run.alert_id, "recovered").await?;
        }
        incidents::mark_closed(tx, run.incident_id, "recovered").await?;
    }
    Ok(())
}

/// Nothing ran, and a person is told why.
async fn decline(tx: &mut TenantTx, run: &Run, why: &str, detail: Value) -> Result<()> {
    if runs::advance(tx, run.run_id, State::Admitted, State::Refused, why, detail, None).await? {
        runs::close_remediation(tx, run.run_id, "refused").await?;
        notify::needs_you(tx, run.into(), why).await?;
    }
    Ok(())
}

/// The result of an undo is stored: what was ok before the fix is looked at, whatever its exit code.
async fn undo_ended(tx: &mut TenantTx, job: &Job, body: &ResultBody) -> Result<()> {
    let id = job.key.run_id;
    let failed = match &body.ended {
        Ended::Exited { .. } | Ended::TimedOut => None,
        Ended::NotRun { why } => Some(format!("it was not run: {why}")),
        Ended::InDoubt { .. } => Some("it began, and nobody knows how it ended".to_owned()),
    };
    match failed {
        Some(why) => undo::mark_failed(tx, id, &why).await,
        None if runs::find(tx, id).await?.is_some_and(|run| run.state == State::Undoing.word()) => {
            let exited_ok = matches!(body.ended, Ended::Exited { code: 0 });
            verifications::insert(tx, id, UNDO, exited_ok).await
        }
        None => Ok(()),
    }
}

/// The job's result is stored.
pub async fn ended(tx: &mut TenantTx, job: &Job, body: &ResultBody) -> Result<()> {
    if job.key.purpose == UNDO {
        return undo_ended(tx, job, body).await;
    }
    let id = job.key.run_id;
    let Some(run) = runs::find(tx, id).await? else { return Ok(()) };
    let now = tx.now().await?;
    tx.due(Queue::Remediate, now);
    let from = if run.state == "unknown" { State::Unknown } else { State::Running };
    let detail = json!({ "ended": word(&body.ended), "took_ms": body.took_ms });
    match &body.ended {
        Ended::Exited { .. } | Ended::TimedOut => {
            if runs::advance(tx, id, from, State::Verifying, "the job ended", detail, None).await? {
                verifications::insert(tx, id, "fix", true).await?;
            }
        }
        Ended::NotRun { why } => {
            let third = runs::count_not_run(tx, id).await? >= NOT_RUN_TRIES;
            let to = if third || from == State::Unknown { State::NotRun } else { State::Planned };
            if runs::advance(tx, id, from, to, why, detail, Some(now)).await? && to == State::NotRun {
                runs::close_remediation(tx, id, "not_run").await?;
                let why = "The fix was never executed on the host.";
                notify::needs_you(tx, (&run).into(), why).await?;
            }
        }
        Ended::InDoubt { runner_gone, .. } => {
            // It is never run again. With its runner gone for certain, the check itself says what came of it.
            let cause = "it is in doubt whether it ran";
            if from == State::Running {
                runs::advance(tx, id, from, State::Unknown, cause, detail.clone(), None).await?;
            }
            if !runner_gone {
                let why = "In doubt: the fix began, and may still be running. It is not run again.";
                return notify::needs_you(tx, (&run).into(), why).await;
            }
            if runs::advance(tx, id, State::Unknown, State::Verifying, "the host is done with it", detail, None).await?
            {
                verifications::insert(tx, id, "fix", true).await?;
            }
        }
    }
    Ok(())
}

/// A result after a person's word: it is kept and shown, and the run stays as the person said.
pub async fn late(tx: &mut TenantTx, job: &Job, body: &ResultBody) -> Result<()> {
    let detail = json!({ "ended": word(&body.ended), "took_ms": body.took_ms, "attempt": job.key.attempt });
    let entry = Entry::done("run.result_after_answer", ("run", job.key.run_id));
    audit::insert(tx, Some(job.client_id), entry.with(detail)).await
}

/// How a job ended, as `run_events` say it.
pub fn word(ended: &Ended) -> &'static str {
    match ended {
        Ended::Exited { code: 0 } => "exited",
        Ended::Exited { .. } => "failed",
        Ended::TimedOut => "timed_out",
        Ended::NotRun { .. } => "not_run",
        Ended::InDoubt { .. } => "in_doubt",
    }
}
