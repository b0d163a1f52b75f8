//! What is read once for a batch of runs whose buckets are locked: it is the same for all of them, or changes only by
//! what the batch itself does.

use std::collections::BTreeMap;

use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::guardrails::{self, Platform};
use crate::{Result, TenantTx};

/// What surrounds the runs of a batch.
#[derive(Debug, Clone)]
pub struct Around {
    /// What stops every tenant.
    pub platform: Platform,
    /// Whether hands off or an interlock stands anywhere in the organization.
    pub any_stop: bool,
    /// Whether any breaker of the organization is not closed.
    pub any_breaker: bool,
    /// By run.
    pub of_runs: BTreeMap<Uuid, OfRun>,
}

/// What surrounds one run.
#[derive(Debug, Clone)]
pub struct OfRun {
    /// The mode of its mapping as it is today; none if that is archived.
    pub mode_today: Option<String>,
    /// Why its host gets no jobs, if it gets none.
    pub quarantined: Option<String>,
    /// Its host had an unfinished job before the batch.
    pub host_busy: bool,
}

/// Reads it. A demotion, a quarantine's end and a job of the host take a lock that the batch holds, or come after it.
pub async fn find(tx: &mut TenantTx, run_ids: &[Uuid]) -> Result<Around> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        r#"SELECT r.run_id, CASE WHEN m.archived_at IS NULL THEN t.mode END AS mode_today, h.state AS host_state, h.quarantine_reason,
             EXISTS (SELECT 1 FROM jobs j WHERE j.tenant_id = $1 AND j.host_id = r.host_id AND j.purpose <> 'diagnostics'
               AND j.state IN ('queued', 'leased', 'permitted', 'unknown')) AS "host_busy!"
           FROM runs r JOIN hosts h ON h.tenant_id = r.tenant_id AND h.host_id = r.host_id
             JOIN remediations e ON e.tenant_id = r.tenant_id AND e.remediation_id = r.remediation_id
             JOIN mappings m ON m.tenant_id = e.tenant_id AND m.mapping_id = e.mapping_id
             JOIN mapping_versions t ON t.tenant_id = m.tenant_id AND t.mapping_id = m.mapping_id AND t.version = m.version
           WHERE r.tenant_id = $1 AND r.run_id = ANY ($2)"#,
        tenant_id,
        run_ids
    )
    .fetch_all(tx.conn())
    .await?;
    let any = sqlx::query!(
        r#"SELECT EXISTS (SELECT 1 FROM hands_off WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $2)
             OR EXISTS (SELECT 1 FROM interlocks WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $2)
             OR EXISTS (SELECT 1 FROM maintenance_windows WHERE tenant_id = $1 AND active AND starts_at <= $2 AND ends_at > $2) AS "stop!",
             EXISTS (SELECT 1 FROM breakers WHERE tenant_id = $1 AND state <> 'closed') AS "breaker!""#,
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    let of_runs = rows.into_iter().map(|row| {
        let quarantined = (row.host_state != "trusted").then(|| row.quarantine_reason.unwrap_or(row.host_state));
        (row.run_id, OfRun { mode_today: row.mode_today, quarantined, host_busy: row.host_busy })
    });
    let of_runs = of_runs.collect();
    Ok(Around { platform: guardrails::platform(tx).await?, any_stop: any.stop, any_breaker: any.breaker, of_runs })
}
