//! Table `signals`, as stage classify takes them: by lease, each target's oldest first.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Queue, Result, Store, TenantTx};

/// A leased signal.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Its id.
    pub signal_id: Uuid,
    /// The client.
    pub client_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// The check.
    pub check_id: Uuid,
    /// The target.
    pub target: String,
    /// Whether it says `raised`; else `cleared`.
    pub raised: bool,
    /// `warning` or `critical`.
    pub severity: String,
    /// `check_states.version`.
    pub state_version: i64,
    /// How often it was leased, this time included.
    pub lease_count: i32,
    lease_token: Uuid,
}

/// Leases up to `limit` due signals until now + `lease`. A signal waits for every older one of its target, so that
/// no two of a target are ever worked on at once.
pub async fn claim_due(tx: &mut TenantTx, limit: i64, lease: Duration) -> Result<Vec<Signal>> {
    let (tenant_id, now, token) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    let until = now + lease;
    let rows = sqlx::query!(
        "WITH d AS (
           SELECT s.signal_id FROM signals s
           WHERE s.tenant_id = $1 AND s.done_at IS NULL AND s.due_at <= $2
             AND (s.lease_expires_at IS NULL OR s.lease_expires_at <= $2)
             AND NOT EXISTS (SELECT FROM signals o WHERE o.tenant_id = $1 AND o.host_id = s.host_id AND o.check_id = s.check_id
               AND o.target = s.target AND o.state_version < s.state_version AND o.done_at IS NULL)
           ORDER BY s.due_at, s.signal_id LIMIT $5 FOR UPDATE OF s SKIP LOCKED)
         UPDATE signals s SET lease_token = $3, lease_expires_at = $4, lease_count = s.lease_count + 1
         FROM d WHERE s.tenant_id = $1 AND s.signal_id = d.signal_id
         RETURNING s.signal_id, s.client_id, s.host_id, s.check_id, s.target, s.kind, s.severity, s.state_version, s.lease_count",
        tenant_id,
        now.to_sqlx() as _,
        token,
        until.to_sqlx() as _,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    if !rows.is_empty() {
        tx.due(Queue::Classify, until);
    }
    Ok(rows
        .into_iter()
        .map(|r| Signal {
            signal_id: r.signal_id,
            client_id: r.client_id,
            host_id: r.host_id,
            check_id: r.check_id,
            target: r.target,
            raised: r.kind == "raised",
            severity: r.severity,
            state_version: r.state_version,
            lease_count: r.lease_count,
            lease_token: token,
        })
        .collect())
}

/// Whether a signal is due that nobody works on.
pub async fn has_due(tx: &mut TenantTx) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM signals WHERE tenant_id = $1 AND done_at IS NULL AND due_at <= $2
             AND (lease_expires_at IS NULL OR lease_expires_at <= $2)) AS "due!""#,
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The newest version of this signal's target that was worked on.
pub async fn find_newest_done(tx: &mut TenantTx, signal: &Signal) -> Result<Option<i64>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT max(state_version) FROM signals
         WHERE tenant_id = $1 AND host_id = $2 AND check_id = $3 AND target = $4 AND done_at IS NOT NULL AND parked_reason IS NULL",
        tenant_id,
        signal.host_id,
        signal.check_id,
        signal.target
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The signal is worked on.
pub async fn mark_done(tx: &mut TenantTx, signal: &Signal) -> Result<()> {
    end(tx, signal, None).await
}

/// The signal is put aside for good, with the reason; newer ones of its target go on.
pub async fn park(tx: &mut TenantTx, signal: &Signal, reason: &str) -> Result<()> {
    end(tx, signal, Some(reason)).await
}

async fn end(tx: &mut TenantTx, signal: &Signal, parked_reason: Option<&str>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE signals SET done_at = $4, parked_reason = $5, lease_token = NULL, lease_expires_at = NULL
         WHERE tenant_id = $1 AND signal_id = $2 AND lease_token = $3 AND done_at IS NULL",
        tenant_id,
        signal.signal_id,
        signal.lease_token,
        now.to_sqlx() as _,
        parked_reason
    )
    .execute(tx.conn())
    .await?;
    exactly_one("signals.end", done.rows_affected())
}

/// Gives the lease back; the signal is due again at `due_at`.
pub async fn release(tx: &mut TenantTx, signal: &Signal, due_at: Timestamp) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE signals SET due_at = $4, lease_token = NULL, lease_expires_at = NULL
         WHERE tenant_id = $1 AND signal_id = $2 AND lease_token = $3 AND done_at IS NULL",
        tenant_id,
        signal.signal_id,
        signal.lease_token,
        due_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("signals.release", done.rows_affected())?;
    tx.due(Queue::Classify, due_at);
    Ok(())
}
