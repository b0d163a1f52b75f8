//! What ends with a host that is retired, or with a check that is archived: alerts with what waits to be done about them,
//! questions, states, incidents.

use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::classify::{alerts, incidents};
use crate::remediate::runs;
use crate::{Queue, Result, TenantTx};

/// Of what: all that is given must hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of {
    /// This host.
    pub host_id: Option<Uuid>,
    /// This check.
    pub check_id: Option<Uuid>,
}

/// The open alerts, locked.
pub(crate) async fn list_open_alerts(tx: &mut TenantTx, of: Of) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT alert_id FROM alerts WHERE tenant_id = $1 AND state = 'open' AND ($2::uuid IS NULL OR host_id = $2)
           AND ($3::uuid IS NULL OR check_id = $3) ORDER BY alert_id FOR UPDATE",
        tenant_id,
        of.host_id,
        of.check_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Whether a run was admitted that has not ended.
pub(crate) async fn is_at_work(tx: &mut TenantTx, of: Of) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM runs WHERE tenant_id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR host_id = $2)
             AND ($3::uuid IS NULL OR check_id = $3) AND state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing')) AS "is!""#,
        tenant_id,
        of.host_id,
        of.check_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Nothing is looked at any more, and what was seen last says nothing.
pub(crate) async fn end_looks(tx: &mut TenantTx, of: Of) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "DELETE FROM probes WHERE tenant_id = $1 AND ($2::uuid IS NULL OR host_id = $2) AND ($3::uuid IS NULL OR check_id = $3)",
        tenant_id,
        of.host_id,
        of.check_id
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM check_states WHERE tenant_id = $1 AND ($2::uuid IS NULL OR host_id = $2) AND ($3::uuid IS NULL OR check_id = $3)",
        tenant_id,
        of.host_id,
        of.check_id
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE check_requests SET expires_at = $4 WHERE tenant_id = $1 AND answered_at IS NULL AND expires_at > $4
           AND ($2::uuid IS NULL OR host_id = $2) AND ($3::uuid IS NULL OR check_id = $3)",
        tenant_id,
        of.host_id,
        of.check_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends the alerts with what waits to be done about them, for `cause`, and closes every incident that is about nothing else
/// that is open; answers how many.
pub(crate) async fn close(tx: &mut TenantTx, of: Of, cause: &str) -> Result<usize> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    // Whoever works on one of these signals now fails on its row, and finds it done.
    sqlx::query!(
        "UPDATE signals SET done_at = $4, lease_token = NULL, lease_expires_at = NULL WHERE tenant_id = $1 AND done_at IS NULL
           AND ($2::uuid IS NULL OR host_id = $2) AND ($3::uuid IS NULL OR check_id = $3)",
        tenant_id,
        of.host_id,
        of.check_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    // Read once more: a signal may have become an alert while its row was waited for.
    for alert_id in list_open_alerts(tx, of).await? {
        runs::cancel_waiting(tx, alert_id, cause).await?;
        alerts::mark_closed(tx, alert_id, "by_person").await?;
    }
    let over = sqlx::query_scalar!(
        "SELECT i.incident_id FROM incidents i WHERE i.tenant_id = $1 AND i.state <> 'closed'
           AND EXISTS (SELECT 1 FROM alerts a WHERE a.tenant_id = $1 AND a.incident_id = i.incident_id
             AND ($2::uuid IS NULL OR a.host_id = $2) AND ($3::uuid IS NULL OR a.check_id = $3))
           AND NOT EXISTS (SELECT 1 FROM alerts o WHERE o.tenant_id = $1 AND o.incident_id = i.incident_id AND o.state = 'open')
         ORDER BY i.incident_id FOR UPDATE OF i",
        tenant_id,
        of.host_id,
        of.check_id
    )
    .fetch_all(tx.conn())
    .await?;
    for incident_id in &over {
        incidents::mark_closed(tx, *incident_id, "by_person").await?;
    }
    tx.due(Queue::Remediate, now);
    Ok(over.len())
}
