//! Runs that are planned: a remediation's first, and the next rung of its ladder.

use domain::run::State;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::step::{Step, write_events};
use crate::{Queue, Result, Store, TenantTx};

/// What a mapping asks for.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct NewRun {
    pub client_id: Uuid,
    pub alert_id: Uuid,
    pub incident_id: Uuid,
    pub host_id: Uuid,
    pub check_id: Uuid,
    pub target: String,
    pub mapping_id: Uuid,
    pub mapping_version: i32,
    pub mode: String,
    pub rung: i16,
    pub playbook_id: Uuid,
    pub playbook_digest: Vec<u8>,
    pub parameters: Value,
}

/// Opens a remediation with its first run, planned and due now.
pub async fn plan(tx: &mut TenantTx, new: &NewRun) -> Result<Uuid> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let (remediation_id, run_id) = (Store::new_id(), Store::new_id());
    sqlx::query!(
        "INSERT INTO remediations (tenant_id, client_id, remediation_id, alert_id, incident_id, mapping_id, mapping_version, opened_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tenant_id,
        new.client_id,
        remediation_id,
        new.alert_id,
        new.incident_id,
        new.mapping_id,
        new.mapping_version,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung,
           playbook_id, playbook_digest, parameters, mode, state, planned_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'planned', $15, $15)",
        tenant_id,
        new.client_id,
        run_id,
        remediation_id,
        new.alert_id,
        new.incident_id,
        new.host_id,
        new.check_id,
        new.target,
        new.rung,
        new.playbook_id,
        new.playbook_digest,
        new.parameters,
        new.mode,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let step = Step { to: State::Planned, cause: "a mapping matched", detail: json!({}) };
    write_events(tx, &[(run_id, new.client_id)], None, step).await?;
    tx.due(Queue::Remediate, now);
    Ok(run_id)
}

/// What the next rung of a ladder runs.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct NextRung {
    pub rung: i16,
    pub playbook_id: Uuid,
    pub playbook_digest: Vec<u8>,
    pub parameters: Value,
    pub mode: String,
}

/// The next rung of the remediation of `run_id`, a run of its own: planned and due now.
pub async fn plan_rung(tx: &mut TenantTx, run_id: Uuid, next: &NextRung, cause: &str) -> Result<Uuid> {
    let (tenant_id, now, new_id) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    let client_id = sqlx::query_scalar!(
        "INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung,
           playbook_id, playbook_digest, parameters, mode, state, planned_at, due_at)
         SELECT $1, client_id, $3, remediation_id, alert_id, incident_id, host_id, check_id, target, $4, $5, $6, $7, $8, 'planned', $9, $9
         FROM runs WHERE tenant_id = $1 AND run_id = $2 RETURNING client_id",
        tenant_id,
        run_id,
        new_id,
        next.rung,
        next.playbook_id,
        next.playbook_digest,
        next.parameters,
        next.mode,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    let step = Step { to: State::Planned, cause, detail: json!({ "after": run_id }) };
    write_events(tx, &[(new_id, client_id)], None, step).await?;
    tx.due(Queue::Remediate, now);
    Ok(new_id)
}
