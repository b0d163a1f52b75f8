//! Tables `remediations`, `runs`, `run_events`: the story of each act. Every change of state goes through
//! one statement that names the state it leaves, and writes the event beside it.

mod plan;
mod step;
mod withdraw;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Queue, Result, Store, TenantTx};

pub use plan::{NewRun, NextRung, plan, plan_rung};
pub use step::{
    admit, advance, cancel_waiting, close_remediation, count_not_run, demote_waiting, make_held_due, mark_relapsed,
};
pub use withdraw::{Withdraw, list_hosts_unpermitted, withdraw_unpermitted};

/// A run as the loops need it.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct Run {
    pub run_id: Uuid,
    pub client_id: Uuid,
    pub alert_id: Uuid,
    pub incident_id: Uuid,
    pub host_id: Uuid,
    pub check_id: Uuid,
    pub rung: i16,
    pub playbook_id: Uuid,
    pub playbook_digest: Vec<u8>,
    pub mode: String,
    pub state: String,
    pub attempt: i16,
}

/// Finds a run.
pub async fn find(tx: &mut TenantTx, run_id: Uuid) -> Result<Option<Run>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Run,
        "SELECT run_id, client_id, alert_id, incident_id, host_id, check_id, rung, playbook_id, playbook_digest, mode, state, attempt
         FROM runs WHERE tenant_id = $1 AND run_id = $2",
        tenant_id,
        run_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Finds runs, each in the order of its id here; one that is not there is left out.
pub async fn list(tx: &mut TenantTx, run_ids: &[Uuid]) -> Result<Vec<Run>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Run,
        "SELECT run_id, client_id, alert_id, incident_id, host_id, check_id, rung, playbook_id, playbook_digest, mode, state, attempt
         FROM runs WHERE tenant_id = $1 AND run_id = ANY ($2) ORDER BY array_position($2, run_id)",
        tenant_id,
        run_ids
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Whether a run of the alert has not ended.
pub async fn has_unfinished(tx: &mut TenantTx, alert_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM runs WHERE tenant_id = $1 AND alert_id = $2 AND ended_at IS NULL) AS "e!""#,
        tenant_id,
        alert_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// A run that was permitted and has not ended.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its incident, where people read of it.
    pub incident_id: Uuid,
    /// The name of its host.
    pub host: String,
    /// The name of its playbook.
    pub playbook: String,
    /// When it was permitted.
    pub since: Timestamp,
}

/// Runs of a scope that have their permit, and so may be at work; the one that began first before the others.
pub async fn list_running(tx: &mut TenantTx, of: &Withdraw) -> Result<Vec<Running>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT r.incident_id, h.name AS host, p.name AS playbook, j.permitted_at AS "permitted_at!" FROM jobs j
           JOIN runs r ON r.tenant_id = $1 AND r.run_id = j.run_id
           JOIN hosts h ON h.tenant_id = $1 AND h.host_id = j.host_id
           JOIN playbooks p ON p.tenant_id = $1 AND p.playbook_id = r.playbook_id
         WHERE j.tenant_id = $1 AND j.state = 'permitted'
           AND ($2::uuid IS NULL OR j.host_id = $2) AND ($3::uuid IS NULL OR j.client_id = $3)
           AND ($4::bytea IS NULL OR r.playbook_digest = $4) ORDER BY j.permitted_at, r.run_id LIMIT 1000"#,
        tenant_id,
        of.host_id,
        of.client_id,
        of.digest
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Running {
            incident_id: row.incident_id,
            host: row.host,
            playbook: row.playbook,
            since: row.permitted_at.to_jiff(),
        })
        .collect())
}

/// A leased run.
#[derive(Debug, Clone, Copy)]
pub struct Claimed {
    /// The run.
    pub run_id: Uuid,
    /// How often it was leased since it last changed its state, this time included.
    pub tries: i32,
}

/// Leases due runs (`planned` or `held`) until now + `lease`, longest waiting first.
pub async fn claim_due(tx: &mut TenantTx, limit: i64, lease: std::time::Duration) -> Result<Vec<Claimed>> {
    let (tenant_id, now, token) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    // Nobody is told of a lease: one that a crash takes back is as if it had never been.
    tx.commit_soon().await?;
    let until = now + lease;
    let claimed = sqlx::query_as!(
        Claimed,
        "WITH picked AS MATERIALIZED (SELECT run_id FROM runs WHERE tenant_id = $1 AND state IN ('planned', 'held') AND due_at <= $2
           AND (lease_expires_at IS NULL OR lease_expires_at < $2) ORDER BY due_at, planned_at LIMIT $3 FOR UPDATE SKIP LOCKED)
         UPDATE runs r SET lease_token = $4, lease_expires_at = $5, lease_count = lease_count + 1 FROM picked p
         WHERE r.tenant_id = $1 AND r.run_id = p.run_id RETURNING r.run_id, r.lease_count AS tries",
        tenant_id,
        now.to_sqlx() as _,
        limit,
        token,
        until.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    if !claimed.is_empty() {
        tx.due(Queue::Remediate, until);
    }
    Ok(claimed)
}

/// Runs that ended and whose admissions are not released yet.
pub async fn list_unreleased(tx: &mut TenantTx) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT r.run_id FROM runs r JOIN guardrail_admissions a ON a.tenant_id = r.tenant_id AND a.run_id = r.run_id
         WHERE a.tenant_id = $1 AND a.released_at IS NULL AND (r.ended_at IS NOT NULL OR r.state IN ('planned', 'held'))
         LIMIT 100",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Whether a run of the client, or of any, is held by a storm now.
pub async fn is_held_by_storm(tx: &mut TenantTx, client_id: Option<Uuid>) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND r.state = 'held' AND ($2::uuid IS NULL OR r.client_id = $2)
             AND (SELECT e.detail ? 'storm' FROM run_events e WHERE e.tenant_id = $1 AND e.run_id = r.run_id
                  ORDER BY e.seq DESC LIMIT 1)) AS "is!""#,
        tenant_id,
        client_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// How often the mapping of this run has fixed something, this run included; counted up to `most`.
pub async fn count_fixed_by_mapping(tx: &mut TenantTx, run_id: Uuid, most: u64) -> Result<u64> {
    let tenant_id = tx.tenant_id();
    let n = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM (SELECT 1 FROM runs r
             JOIN remediations m ON m.tenant_id = r.tenant_id AND m.remediation_id = r.remediation_id
             JOIN remediations o ON o.tenant_id = r.tenant_id AND o.mapping_id = m.mapping_id AND o.outcome = 'fixed'
           WHERE r.tenant_id = $1 AND r.run_id = $2 LIMIT $3) n"#,
        tenant_id,
        run_id,
        most.cast_signed()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(n.cast_unsigned())
}
