//! Jobs of runs that are taken back before they have a permit.

use domain::run::State;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::advance;
use crate::remediate::undo;
use crate::{Result, TenantTx, host_links};

/// Whose jobs are withdrawn: all that is given must hold; nothing given is the whole tenant.
#[derive(Debug, Clone, Default)]
pub struct Withdraw {
    /// Of this host.
    pub host_id: Option<Uuid>,
    /// Of this client.
    pub client_id: Option<Uuid>,
    /// Of this playbook version.
    pub digest: Option<Vec<u8>>,
    /// Of this purpose: `fix` leaves undos alone.
    pub purpose: Option<&'static str>,
}

impl Withdraw {
    /// All of one host.
    pub fn of_host(host_id: Uuid) -> Withdraw {
        Withdraw { host_id: Some(host_id), ..Withdraw::default() }
    }
}

/// Withdraws the jobs of a scope that have no permit; their runs are held again and decided anew, which gives their slots
/// back, and an undo among them has failed. The scope's bucket is locked.
pub async fn withdraw_unpermitted(tx: &mut TenantTx, of: &Withdraw, reason: &str) -> Result<u64> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        "UPDATE jobs j SET state = 'withdrawn', ended_at = $5, lease_expires_at = NULL FROM runs r
         WHERE j.tenant_id = $1 AND r.tenant_id = $1 AND r.run_id = j.run_id AND j.state IN ('queued', 'leased') AND j.purpose <> 'diagnostics'
           AND ($2::uuid IS NULL OR j.host_id = $2) AND ($3::uuid IS NULL OR j.client_id = $3)
           AND ($4::bytea IS NULL OR r.playbook_digest = $4) AND ($6::text IS NULL OR j.purpose = $6)
         RETURNING j.run_id, j.purpose, j.host_id",
        tenant_id,
        of.host_id,
        of.client_id,
        of.digest,
        now.to_sqlx() as _,
        of.purpose
    )
    .fetch_all(tx.conn())
    .await?;
    let hosts: Vec<Uuid> = rows.iter().map(|row| row.host_id).collect();
    host_links::wake_each(tx, &hosts).await?;
    for r in &rows {
        if r.purpose == "undo" {
            undo::mark_failed(tx, r.run_id, reason).await?;
        } else {
            advance(tx, r.run_id, State::Admitted, State::Held, reason, json!({}), Some(now)).await?;
        }
    }
    Ok(rows.len() as u64)
}

/// Hosts with a job that has no permit: of one mapping's runs, or of all.
pub async fn list_hosts_unpermitted(tx: &mut TenantTx, mapping_id: Option<Uuid>) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT j.host_id FROM jobs j JOIN runs r ON r.tenant_id = j.tenant_id AND r.run_id = j.run_id
           JOIN remediations m ON m.tenant_id = r.tenant_id AND m.remediation_id = r.remediation_id
         WHERE j.tenant_id = $1 AND j.state IN ('queued', 'leased') AND j.purpose = 'fix'
           AND ($2::uuid IS NULL OR m.mapping_id = $2) ORDER BY j.host_id",
        tenant_id,
        mapping_id
    )
    .fetch_all(tx.conn())
    .await?)
}
