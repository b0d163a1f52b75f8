//! Table `run_progress`: what a job has written so far, while it runs. The result replaces it; of a run in doubt it is all
//! there is.

use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::jobs::JobKey;
use crate::live::Kind;
use crate::{Result, TenantTx};

/// No more is kept of a job, in bytes; the result has the whole.
pub const KEPT: usize = 64 * 1024;

/// Appends what begins at `offset`; what is known already of it is left out. False when it is not this host's permitted
/// job, there is a gap, or enough is kept.
pub async fn append(
    tx: &mut TenantTx,
    key: &JobKey,
    host_id: Uuid,
    fence: i64,
    offset: i64,
    bytes: &[u8],
) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let stored = sqlx::query!(
        "INSERT INTO run_progress (tenant_id, client_id, run_id, purpose, leg, attempt, at, bytes)
         SELECT $1, j.client_id, j.run_id, j.purpose, j.leg, j.attempt, $9, $8 FROM jobs j
         WHERE j.tenant_id = $1 AND j.run_id = $2 AND j.purpose = $3 AND j.leg = $4 AND j.attempt = $5
           AND j.host_id = $6 AND j.fence = $7 AND j.state = 'permitted'
           AND ($10::bigint = 0 OR EXISTS (SELECT 1 FROM run_progress p WHERE p.tenant_id = $1 AND p.run_id = $2 AND p.purpose = $3 AND p.leg = $4 AND p.attempt = $5))
         ON CONFLICT (tenant_id, run_id, purpose, leg, attempt) DO UPDATE SET at = excluded.at,
           bytes = run_progress.bytes || substring(excluded.bytes FROM (octet_length(run_progress.bytes) - $10 + 1)::int)
         WHERE $10 <= octet_length(run_progress.bytes) AND $10 + octet_length(excluded.bytes) > octet_length(run_progress.bytes)
           AND octet_length(run_progress.bytes) < $11
         RETURNING client_id, (SELECT r.incident_id FROM runs r WHERE r.tenant_id = $1 AND r.run_id = $2) AS incident_id",
        tenant_id,
        key.run_id,
        key.purpose,
        key.leg,
        key.attempt,
        host_id,
        fence,
        bytes,
        now.to_sqlx() as _,
        offset,
        KEPT as i64
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = stored else { return Ok(false) };
    if let Some(incident_id) = row.incident_id {
        tx.changes(Kind::Incident, row.client_id, incident_id);
    }
    Ok(true)
}

/// The result is there.
pub(super) async fn delete(tx: &mut TenantTx, key: &JobKey) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "DELETE FROM run_progress WHERE tenant_id = $1 AND run_id = $2 AND purpose = $3 AND leg = $4 AND attempt = $5",
        tenant_id,
        key.run_id,
        key.purpose,
        key.leg,
        key.attempt
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a job of an incident's run has written so far.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The run.
    pub run_id: Uuid,
    /// `fix` or `undo`.
    pub purpose: String,
    /// The attempt.
    pub attempt: i16,
    /// From the beginning.
    pub bytes: Vec<u8>,
}

/// Of all runs of an incident, those that have no result.
pub async fn list_of(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Progress>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Progress,
        "SELECT p.run_id, p.purpose, p.attempt, p.bytes FROM run_progress p JOIN runs r ON r.tenant_id = p.tenant_id AND r.run_id = p.run_id
         WHERE p.tenant_id = $1 AND r.incident_id = $2 ORDER BY p.at LIMIT 20",
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?)
}
