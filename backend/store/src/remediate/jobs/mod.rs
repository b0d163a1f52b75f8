//! Tables `jobs`, `job_results`, `run_output`: what one executor is handed at once, its fence, lease, permit and result.
//!
//! `queued → leased → permitted → finished`; `leased → queued` (lease over); `queued | leased → withdrawn`;
//! `leased → refused`; `permitted → unknown → finished`. Every change is a compare-and-set on state and fence.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use super::guardrails;
use crate::error::exactly_one;
use crate::{Queue, Result, TenantTx, host_links};

/// How long a permitted job may stay without a result after its time limit.
pub const RESULT_GRACE: Duration = Duration::from_secs(60);

/// A statement on the one job of a key: `$1` to `$5` are its key, the rest follows.
macro_rules! on_job {
    ($tx:expr, $key:expr, $begin:literal, $end:literal $(, $argument:expr)*) => {
        sqlx::query!(
            $begin + " WHERE tenant_id = $1 AND run_id = $2 AND purpose = $3 AND leg = $4 AND attempt = $5 " + $end,
            $tx.tenant_id(),
            $key.run_id,
            $key.purpose,
            $key.leg,
            $key.attempt
            $(, $argument)*
        )
    };
}

mod results;

pub use results::{JobResult, Stored, mark_finished};

/// Names a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobKey {
    /// The run.
    pub run_id: Uuid,
    /// `fix`, `undo` or `diagnostics`.
    pub purpose: String,
    /// From 1.
    pub leg: i16,
    /// From 1.
    pub attempt: i16,
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name.
    pub key: JobKey,
    /// Its client.
    pub client_id: Uuid,
    /// Its host.
    pub host_id: Uuid,
    /// `queued`, `leased`, …
    pub state: String,
    /// The fence of its newest lease.
    pub fence: Option<i64>,
    /// The agent's instance of that lease.
    pub instance_id: Option<Uuid>,
    /// SHA-256 of the envelope of that lease.
    pub envelope_digest: Option<Vec<u8>>,
    /// When that lease ends, while it is leased.
    pub lease_expires_at: Option<Timestamp>,
    /// When it is too old to begin.
    pub expires_at: Timestamp,
    /// When it was permitted.
    pub permitted_at: Option<Timestamp>,
}

/// A job with what its envelope binds.
#[derive(Debug)]
pub struct ToLease {
    /// The job.
    pub job: Job,
    /// SHA-256 of the playbook version.
    pub playbook_digest: Vec<u8>,
    /// The playbook version's canonical text.
    pub playbook: String,
    /// Its signature, hex.
    pub playbook_signature: String,
    /// Values for its parameters.
    pub parameters: Value,
    /// The triggering check.
    pub check_id: Uuid,
    /// Its target.
    pub target: String,
    /// The server looks at that check itself.
    pub server_looks: bool,
}

/// A job to be queued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its name.
    pub key: JobKey,
    /// Its client.
    pub client_id: Uuid,
    /// Its host.
    pub host_id: Uuid,
}

/// Queues jobs and wakes their hosts' nodes; the unique index `jobs_one_unfinished` is each host's lock.
pub async fn insert(tx: &mut TenantTx, jobs: &[NewJob], expires_at: Timestamp) -> Result<()> {
    let hosts: Vec<Uuid> = jobs.iter().map(|job| job.host_id).collect();
    host_links::wake_each(tx, &hosts).await?;
    let tenant_id = tx.tenant_id();
    let clients: Vec<Uuid> = jobs.iter().map(|job| job.client_id).collect();
    let runs: Vec<Uuid> = jobs.iter().map(|job| job.key.run_id).collect();
    let purposes: Vec<String> = jobs.iter().map(|job| job.key.purpose.clone()).collect();
    let legs: Vec<i16> = jobs.iter().map(|job| job.key.leg).collect();
    let attempts: Vec<i16> = jobs.iter().map(|job| job.key.attempt).collect();
    sqlx::query!(
        "INSERT INTO jobs (tenant_id, client_id, host_id, run_id, purpose, leg, attempt, state, expires_at)
         SELECT $1, j.client_id, j.host_id, j.run_id, j.purpose, j.leg, j.attempt, 'queued', $2
         FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::smallint[], $8::smallint[])
           AS j(client_id, host_id, run_id, purpose, leg, attempt)",
        tenant_id,
        expires_at.to_sqlx() as _,
        &clients,
        &hosts,
        &runs,
        &purposes,
        &legs,
        &attempts
    )
    .execute(tx.conn())
    .await?;
    tx.due(Queue::Remediate, expires_at);
    Ok(())
}

/// Jobs that no host has taken in their time.
pub async fn list_expired(tx: &mut TenantTx) -> Result<Vec<JobKey>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_as!(
        JobKey,
        "SELECT run_id, purpose, leg, attempt FROM jobs WHERE tenant_id = $1 AND state = 'queued' AND expires_at <= $2 LIMIT 100",
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The job, locked until the end of the transaction.
pub async fn find_locked(tx: &mut TenantTx, key: &JobKey) -> Result<Option<Job>> {
    let row = on_job!(
        tx,
        key,
        "SELECT client_id, host_id, state, fence, instance_id, envelope_digest, lease_expires_at,
         expires_at, permitted_at FROM jobs",
        "FOR UPDATE"
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Job {
        key: key.clone(),
        client_id: r.client_id,
        host_id: r.host_id,
        state: r.state,
        fence: r.fence,
        instance_id: r.instance_id,
        envelope_digest: r.envelope_digest,
        lease_expires_at: r.lease_expires_at.map(|at| at.to_jiff()),
        expires_at: r.expires_at.to_jiff(),
        permitted_at: r.permitted_at.map(|at| at.to_jiff()),
    }))
}

/// The host's oldest job that may be leased (queued, or leased and not permitted, and young enough), locked.
pub async fn find_to_lease(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<ToLease>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        r#"SELECT j.client_id, j.run_id, j.purpose, j.leg, j.attempt, j.state, j.fence, j.instance_id, j.envelope_digest,
           j.lease_expires_at, j.expires_at, r.playbook_digest, p.content, p.signature, r.parameters, r.check_id, r.target,
           EXISTS (SELECT 1 FROM probes b WHERE b.tenant_id = $1 AND b.host_id = r.host_id AND b.check_id = r.check_id) AS "server_looks!"
         FROM jobs j
         JOIN runs r ON r.tenant_id = j.tenant_id AND r.run_id = j.run_id
         JOIN playbook_versions p ON p.tenant_id = r.tenant_id AND p.digest = r.playbook_digest
         WHERE j.tenant_id = $1 AND j.host_id = $2 AND j.state IN ('queued', 'leased') AND j.expires_at > $3
         ORDER BY j.expires_at LIMIT 1 FOR UPDATE OF j"#,
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| ToLease {
        job: Job {
            key: JobKey { run_id: r.run_id, purpose: r.purpose, leg: r.leg, attempt: r.attempt },
            client_id: r.client_id,
            host_id,
            state: r.state,
            fence: r.fence,
            instance_id: r.instance_id,
            envelope_digest: r.envelope_digest,
            lease_expires_at: r.lease_expires_at.map(|at| at.to_jiff()),
            expires_at: r.expires_at.to_jiff(),
            permitted_at: None,
        },
        playbook_digest: r.playbook_digest,
        playbook: r.content,
        playbook_signature: r.signature,
        parameters: r.parameters,
        check_id: r.check_id,
        target: r.target,
        server_looks: r.server_looks,
    }))
}

/// The canonical text of the playbook version that the job performs.
pub async fn find_playbook(tx: &mut TenantTx, run_id: Uuid) -> Result<Option<String>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT p.content FROM runs r JOIN playbook_versions p ON p.tenant_id = r.tenant_id AND p.digest = r.playbook_digest
         WHERE r.tenant_id = $1 AND r.run_id = $2",
        tenant_id,
        run_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// What a lease says.
#[derive(Debug)]
pub struct Lease<'a> {
    /// The host's next fence.
    pub fence: i64,
    /// The agent's instance.
    pub instance_id: Uuid,
    /// SHA-256 of the envelope.
    pub envelope_digest: &'a [u8],
    /// How long it lasts.
    pub lasts: Duration,
}

/// Leases a job that was found by [`find_to_lease`]; the lease's end is due in `remediate`.
pub async fn mark_leased(tx: &mut TenantTx, key: &JobKey, lease: &Lease<'_>) -> Result<()> {
    let now = tx.now().await?;
    let until = now + lease.lasts;
    let done = on_job!(
        tx,
        key,
        "UPDATE jobs SET state = 'leased', fence = $6, instance_id = $7, envelope_digest = $8,
         lease_expires_at = $9",
        "AND state IN ('queued', 'leased')",
        lease.fence,
        lease.instance_id,
        lease.envelope_digest,
        until.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("jobs::mark_leased", done.rows_affected())?;
    tx.due(Queue::Remediate, until);
    Ok(())
}

/// Gives leases that are over back: queued again, to be leased with a new fence.
pub async fn release_ended_leases(tx: &mut TenantTx) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let hosts = sqlx::query_scalar!(
        "UPDATE jobs SET state = 'queued', lease_expires_at = NULL
         WHERE tenant_id = $1 AND state = 'leased' AND lease_expires_at <= $2 RETURNING host_id",
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    host_links::wake_each(tx, &hosts).await
}

/// What forbids a host to act now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brakes {
    /// Everything, undos too: the organization, its client, the host or the whole platform is stopped.
    pub frozen: bool,
    /// No fix begins: a storm on the whole platform.
    pub storm: bool,
}

/// The brakes over the host; shared locks keep the organization's as read until the commit.
pub async fn find_brakes(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid) -> Result<Brakes> {
    let tenant_id = tx.tenant_id();
    let freezes = sqlx::query_scalar!(
        "SELECT scope_kind FROM guardrail_buckets
         WHERE tenant_id = $1 AND frozen AND (scope_kind = 'tenant' OR (scope_kind = 'client' AND scope_key = $2)
           OR (scope_kind = 'host' AND scope_key = $3)) FOR SHARE",
        tenant_id,
        client_id.to_string(),
        host_id.to_string()
    )
    .fetch_all(tx.conn())
    .await?;
    let platform = guardrails::platform(tx).await?;
    Ok(Brakes { frozen: platform.frozen || !freezes.is_empty(), storm: platform.storm.is_some() })
}

/// Permits the lease of `fence`; false when it is another's or over. Overdue is due in `remediate`.
pub async fn mark_permitted(tx: &mut TenantTx, key: &JobKey, fence: i64, limit: Duration) -> Result<bool> {
    let now = tx.now().await?;
    let ends = now + limit + RESULT_GRACE;
    let done = on_job!(
        tx,
        key,
        "UPDATE jobs SET state = 'permitted', lease_expires_at = NULL, permitted_at = $7, permit_ends_at = $8",
        "AND state = 'leased' AND fence = $6 AND lease_expires_at > $7",
        fence,
        now.to_sqlx() as _,
        ends.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let permitted = done.rows_affected() == 1;
    if permitted {
        tx.due(Queue::Remediate, ends);
    }
    Ok(permitted)
}

/// The host declined the lease of `fence`; false when it was no lease of that fence.
pub async fn mark_refused(tx: &mut TenantTx, key: &JobKey, fence: i64) -> Result<bool> {
    let now = tx.now().await?;
    let done = on_job!(
        tx,
        key,
        "UPDATE jobs SET state = 'refused', lease_expires_at = NULL, ended_at = $7",
        "AND fence = $6 AND state = 'leased'",
        fence,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let refused = done.rows_affected() == 1;
    if refused {
        tx.due(Queue::Remediate, now);
    }
    Ok(refused)
}

/// Takes a job back that has no permit, and wakes the host's node to say so; false when it has one or has ended.
pub async fn mark_withdrawn(tx: &mut TenantTx, key: &JobKey, host_id: Uuid) -> Result<bool> {
    host_links::wake(tx, host_id).await?;
    let now = tx.now().await?;
    let done = on_job!(
        tx,
        key,
        "UPDATE jobs SET state = 'withdrawn', lease_expires_at = NULL, ended_at = $6",
        "AND state IN ('queued', 'leased')",
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Withdrawn jobs of the last quarter hour that this instance of the host may still hold, with their fences.
pub async fn list_withdrawn(tx: &mut TenantTx, host_id: Uuid, instance_id: Uuid) -> Result<Vec<(JobKey, i64)>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let since = now - Duration::from_secs(900);
    let rows = sqlx::query!(
        r#"SELECT run_id, purpose, leg, attempt, fence AS "fence!" FROM jobs
           WHERE tenant_id = $1 AND host_id = $2 AND instance_id = $3 AND state = 'withdrawn' AND fence IS NOT NULL AND ended_at > $4"#,
        tenant_id,
        host_id,
        instance_id,
        since.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| (JobKey { run_id: r.run_id, purpose: r.purpose, leg: r.leg, attempt: r.attempt }, r.fence))
        .collect())
}

/// A permitted job's result is overdue: nobody knows. False when it has ended meanwhile.
pub async fn mark_unknown(tx: &mut TenantTx, key: &JobKey) -> Result<bool> {
    let done =
        on_job!(tx, key, "UPDATE jobs SET state = 'unknown'", "AND state = 'permitted'").execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}

/// A person said how a job in doubt ended; a result that comes later is kept as evidence.
pub async fn mark_answered(tx: &mut TenantTx, key: &JobKey) -> Result<()> {
    let now = tx.now().await?;
    let done = on_job!(
        tx,
        key,
        "UPDATE jobs SET state = 'finished', ended_at = $6",
        "AND state = 'unknown'",
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("jobs::mark_answered", done.rows_affected())
}

/// Permitted jobs whose result is overdue.
pub async fn list_overdue(tx: &mut TenantTx) -> Result<Vec<JobKey>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_as!(
        JobKey,
        "SELECT run_id, purpose, leg, attempt FROM jobs
         WHERE tenant_id = $1 AND state = 'permitted' AND permit_ends_at <= $2 LIMIT 100 FOR UPDATE SKIP LOCKED",
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?)
}
