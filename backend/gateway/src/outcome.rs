//! What a job's progress does to its run: the one seam between the links and stage remediate.

use store::remediate::jobs::Job;
use store::{Result, TenantTx};
use uuid::Uuid;
use wire::v1::{Ended, Refused, ResultBody};

/// A host was made: it gets the bucket of its own limits.
pub async fn host_made(_tx: &mut TenantTx, _host_id: Uuid) -> Result<()> {
    Ok(())
}

/// The job's lease is permitted: its run goes from `admitted` to `running`. False: the run may not begin any more.
pub async fn permitted(_tx: &mut TenantTx, _job: &Job) -> Result<bool> {
    Ok(true)
}

/// The host declined the job; `observation_id` is the look that made it decline.
pub async fn refused(_tx: &mut TenantTx, job: &Job, refused: &Refused, observation_id: Option<Uuid>) -> Result<()> {
    tracing::info!(run_id = %job.key.run_id, reason = ?refused.reason, ?observation_id, "a job was refused");
    Ok(())
}

/// The job's result is stored.
pub async fn ended(_tx: &mut TenantTx, job: &Job, body: &ResultBody) -> Result<()> {
    tracing::info!(run_id = %job.key.run_id, ended = word(&body.ended), "a job ended");
    Ok(())
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
