//! Table `incidents`. One is read whole by [`crate::pages::incident`].

use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::live::Kind;
use crate::{Result, Store, TenantTx};

/// Opens an incident.
pub async fn insert(tx: &mut TenantTx, client_id: Uuid, title: &str, severity: &str) -> Result<Uuid> {
    let (tenant_id, incident_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at)
         VALUES ($1, $2, $3, $4, $5, 'open', $6)",
        tenant_id,
        client_id,
        incident_id,
        title,
        severity,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Incident, client_id, incident_id);
    Ok(incident_id)
}

/// Raises the severity of an incident that is not closed; it never falls while the incident is open.
pub async fn raise_severity(tx: &mut TenantTx, incident_id: Uuid, severity: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "UPDATE incidents SET severity = $3, version = version + 1
         WHERE tenant_id = $1 AND incident_id = $2 AND state <> 'closed' AND severity = 'warning' AND $3 = 'critical'",
        tenant_id,
        incident_id,
        severity
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Hands an incident that is not closed to a person, with the reason; a later reason replaces an earlier one, and
/// the time is that of the first.
pub async fn mark_escalated(tx: &mut TenantTx, incident_id: Uuid, reason: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let clients = sqlx::query_scalar!(
        "UPDATE incidents SET state = 'escalated', escalated_at = coalesce(escalated_at, $3), escalation_reason = $4, version = version + 1
         WHERE tenant_id = $1 AND incident_id = $2 AND state <> 'closed' RETURNING client_id",
        tenant_id,
        incident_id,
        now.to_sqlx() as _,
        reason
    )
    .fetch_all(tx.conn())
    .await?;
    clients.iter().for_each(|client_id| tx.changes(Kind::Incident, *client_id, incident_id));
    exactly_one("incidents.mark_escalated", clients.len() as u64)
}

/// Closes an incident: `fixed`, `recovered` or `by_person`.
pub async fn mark_closed(tx: &mut TenantTx, incident_id: Uuid, outcome: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let clients = sqlx::query_scalar!(
        "UPDATE incidents SET state = 'closed', closed_at = $3, outcome = $4, version = version + 1
         WHERE tenant_id = $1 AND incident_id = $2 AND state <> 'closed' RETURNING client_id",
        tenant_id,
        incident_id,
        now.to_sqlx() as _,
        outcome
    )
    .fetch_all(tx.conn())
    .await?;
    clients.iter().for_each(|client_id| tx.changes(Kind::Incident, *client_id, incident_id));
    exactly_one("incidents.mark_closed", clients.len() as u64)
}
