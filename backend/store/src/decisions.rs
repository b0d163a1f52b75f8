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
pub async fn insert(tx: &mut TenantTx, decision: NewDecision<'_>) -> Result<()> {
    insert_all(tx, vec![decision]).await
}

/// Stores decisions at the transaction's now.
pub async fn insert_all(tx: &mut TenantTx, decisions: Vec<NewDecision<'_>>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let ids: Vec<Uuid> = decisions.iter().map(|_| Store::new_id()).collect();
    let clients: Vec<Uuid> = decisions.iter().map(|d| d.client_id).collect();
    let stages: Vec<String> = decisions.iter().map(|d| d.stage.to_owned()).collect();
    let incidents: Vec<Option<Uuid>> = decisions.iter().map(|d| d.incident_id).collect();
    let subjects: Vec<Uuid> = decisions.iter().map(|d| d.subject_id).collect();
    let outcomes: Vec<String> = decisions.iter().map(|d| d.outcome.to_owned()).collect();
    let records: Vec<Value> = decisions.into_iter().map(|d| d.record).collect();
    sqlx::query!(
        "INSERT INTO decisions (tenant_id, client_id, decision_id, stage, incident_id, subject_id, decided_at, outcome, record)
         SELECT $1, d.client_id, d.id, d.stage, d.incident_id, d.subject_id, $2, d.outcome, d.record
         FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::jsonb[])
           AS d(id, client_id, stage, incident_id, subject_id, outcome, record)",
        tenant_id,
        now.to_sqlx() as _,
        &ids,
        &clients,
        &stages,
        &incidents as &[Option<Uuid>],
        &subjects,
        &outcomes,
        &records
    )
    .execute(tx.conn())
    .await?;
    for (client_id, incident_id) in clients.into_iter().zip(incidents) {
        tx.changes(Kind::Incident, client_id, incident_id);
    }
    Ok(())
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
