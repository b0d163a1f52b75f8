//! Table `decisions`: what a stage decided and why.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::live::Kind;
use crate::{Result, Store, TenantTx};

/// A decision to be stored.
#[derive(Debug)]
pub struct NewDecision<'a> {
    /// The client it tells about.
    pub client_id: Uuid,
    /// `detect`, `classify`, `remediate` or `verify`.
    pub stage: &'a str,
    /// The incident, where there is one yet.
    pub incident_id: Option<Uuid>,
    /// The signal, alert or run that was decided on.
    pub subject_id: Uuid,
    /// The answer, one word.
    pub outcome: &'a str,
    /// The record.
    pub record: Value,
}

/// A stored decision.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The stage.
    pub stage: String,
    /// What was decided on.
    pub subject_id: Uuid,
    /// When.
    pub decided_at: Timestamp,
    /// The answer.
    pub outcome: String,
    /// The record.
    pub record: Value,
}

/// Stores one decision at the transaction's now.
pub async fn insert(tx: &mut TenantTx, d: NewDecision<'_>) -> Result<Uuid> {
    let (tenant_id, id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO decisions (tenant_id, client_id, decision_id, stage, incident_id, subject_id, decided_at, outcome, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant_id,
        d.client_id,
        id,
        d.stage,
        d.incident_id,
        d.subject_id,
        now.to_sqlx() as _,
        d.outcome,
        d.record
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Incident, d.client_id, d.incident_id);
    Ok(id)
}

/// All decisions on an incident, oldest first.
pub async fn list_of_incident(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Decision>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Decision,
        "SELECT stage, subject_id, decided_at, outcome, record FROM decisions
         WHERE tenant_id = $1 AND incident_id = $2 ORDER BY decided_at, decision_id",
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?)
}
