//! Table `hands_off`: no actions on these until then; messages go on.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use crate::remediate::guardrails;
use crate::remediate::runs::{self, Withdraw};
use crate::{Result, Store, TenantTx};

/// A stretch of hands off.
#[derive(Debug, Clone)]
pub struct HandsOff {
    /// Its id.
    pub hands_off_id: Uuid,
    /// `host` or `client`.
    pub scope_kind: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub started_by: String,
    /// Since when.
    pub started_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
}

/// What holds now on a host: its own and its client's.
pub async fn list_on_host(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid) -> Result<Vec<HandsOff>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        "SELECT hands_off_id, scope_kind, reason, started_by, started_at, ends_at FROM hands_off
         WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $4
           AND ((scope_kind = 'host' AND scope_key = $2) OR (scope_kind = 'client' AND scope_key = $3))
         ORDER BY ends_at",
        tenant_id,
        host_id.to_string(),
        client_id.to_string(),
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| HandsOff {
            hands_off_id: r.hands_off_id,
            scope_kind: r.scope_kind,
            reason: r.reason,
            started_by: r.started_by,
            started_at: r.started_at.to_jiff(),
            ends_at: r.ends_at.to_jiff(),
        })
        .collect())
}

/// Says hands off on a host: locks its bucket, writes, withdraws its jobs that have no permit yet.
/// Answers how many runs are still running because they were permitted before.
pub async fn insert_on_host(
    tx: &mut TenantTx,
    client_id: Uuid,
    host_id: Uuid,
    hours: u8,
    reason: &str,
    by: &str,
) -> Result<u64> {
    guardrails::lock_one(tx, "host", &host_id.to_string()).await?;
    let (tenant_id, id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let ends_at = now + jiff::SignedDuration::from_hours(i64::from(hours));
    sqlx::query!(
        "INSERT INTO hands_off (tenant_id, client_id, hands_off_id, scope_kind, scope_key, reason, started_by, started_at, ends_at)
         VALUES ($1, $2, $3, 'host', $4, $5, $6, $7, $8)",
        tenant_id,
        client_id,
        id,
        host_id.to_string(),
        reason,
        by,
        now.to_sqlx() as _,
        ends_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    runs::withdraw_unpermitted(tx, &Withdraw::of_host(host_id), "hands off").await?;
    crate::audit::insert(tx, client_id, "hands_off.start", "host", host_id, json!({"hours": hours, "reason": reason}))
        .await?;
    tx.due(crate::Queue::Remediate, ends_at);
    runs::count_running(tx, host_id).await
}

/// Ends hands off on a host before its time; its held runs are due at once.
pub async fn release_host(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid, by: &str) -> Result<u64> {
    guardrails::lock_one(tx, "host", &host_id.to_string()).await?;
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE hands_off SET ended_at = $3, ended_by = $4
         WHERE tenant_id = $1 AND scope_kind = 'host' AND scope_key = $2 AND ended_at IS NULL AND ends_at > $3",
        tenant_id,
        host_id.to_string(),
        now.to_sqlx() as _,
        by
    )
    .execute(tx.conn())
    .await?;
    runs::make_held_due(tx, Some(host_id)).await?;
    crate::audit::insert(tx, client_id, "hands_off.release", "host", host_id, json!({"ended": done.rows_affected()}))
        .await?;
    Ok(done.rows_affected())
}
