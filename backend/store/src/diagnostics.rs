//! Table `diagnostics`: how a host looked when a person was called.
//!
//! A question is asked in the transaction that calls the person, and never holds it up: the mail goes out, and the answer,
//! if there is one, stands on the incident a second later.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::live::Kind;
use crate::{Result, Store, TenantTx, host_links};

/// At most so many a host within [`HOUR`]; the agent answers no more either.
const PER_HOUR: i64 = 10;
const HOUR: Duration = Duration::from_secs(3600);
/// One incident is asked about once within this.
const AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);
/// Later than this, what a host looks like says little of when the person was called.
const EXPIRES_AFTER: Duration = Duration::from_secs(10 * 60);

/// Asks the host of the incident's newest alert, unless it was asked enough. Wakes the host's node.
pub async fn ask(tx: &mut TenantTx, incident_id: Uuid) -> Result<()> {
    let (tenant_id, now, id) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    let host_id = sqlx::query_scalar!(
        "INSERT INTO diagnostics (tenant_id, client_id, host_id, incident_id, diagnostics_id, target, asked_at, expires_at)
         SELECT $1, a.client_id, a.host_id, a.incident_id, $3, a.target, $4, $5 FROM (
           SELECT client_id, host_id, incident_id, target FROM alerts
           WHERE tenant_id = $1 AND incident_id = $2 ORDER BY opened_at DESC, alert_id DESC LIMIT 1) a
         WHERE NOT EXISTS (SELECT 1 FROM diagnostics d WHERE d.tenant_id = $1 AND d.incident_id = $2 AND d.asked_at > $6)
           AND (SELECT count(*) FROM diagnostics d WHERE d.tenant_id = $1 AND d.host_id = a.host_id AND d.asked_at > $7) < $8
         RETURNING host_id",
        tenant_id,
        incident_id,
        id,
        now.to_sqlx() as _,
        (now + EXPIRES_AFTER).to_sqlx() as _,
        (now - AGAIN_AFTER).to_sqlx() as _,
        (now - HOUR).to_sqlx() as _,
        PER_HOUR
    )
    .fetch_optional(tx.conn())
    .await?;
    match host_id {
        Some(host_id) => host_links::wake(tx, host_id).await,
        None => Ok(()),
    }
}

/// A question that waits for its answer.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its id.
    pub diagnostics_id: Uuid,
    /// What the incident's check looks at.
    pub target: Option<String>,
}

/// A host's open questions, oldest first.
pub async fn list_open(tx: &mut TenantTx, host_id: Uuid) -> Result<Vec<Open>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_as!(
        Open,
        "SELECT diagnostics_id, target FROM diagnostics
         WHERE tenant_id = $1 AND host_id = $2 AND answered_at IS NULL AND asked_at > $4 AND expires_at > $3
         ORDER BY asked_at LIMIT 10",
        tenant_id,
        host_id,
        now.to_sqlx() as _,
        (now - EXPIRES_AFTER).to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Stores the answer of `host_id`; false when there is no such open question to it.
pub async fn mark_answered(tx: &mut TenantTx, host_id: Uuid, diagnostics_id: Uuid, sections: &Value) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let answered = sqlx::query!(
        "UPDATE diagnostics SET answered_at = $4, sections = $5
         WHERE tenant_id = $1 AND diagnostics_id = $2 AND host_id = $3 AND answered_at IS NULL AND expires_at > $4
         RETURNING client_id, incident_id",
        tenant_id,
        diagnostics_id,
        host_id,
        now.to_sqlx() as _,
        sections
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(answered) = &answered {
        tx.changes(Kind::Incident, answered.client_id, answered.incident_id);
    }
    Ok(answered.is_some())
}

/// What was asked about an incident.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its id.
    pub diagnostics_id: Uuid,
    /// The host's name.
    pub host: String,
    /// When.
    pub asked_at: Timestamp,
    /// Until when an answer counts.
    pub expires_at: Timestamp,
    /// When it answered.
    pub answered_at: Option<Timestamp>,
    /// A list of `{title, lines}`.
    pub sections: Option<Value>,
}

/// The newest three questions about an incident, newest first.
pub async fn list_of(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Asked>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT d.diagnostics_id, h.name AS host, d.asked_at, d.expires_at, d.answered_at, d.sections FROM diagnostics d
         JOIN hosts h ON h.tenant_id = d.tenant_id AND h.host_id = d.host_id
         WHERE d.tenant_id = $1 AND d.incident_id = $2 ORDER BY d.asked_at DESC LIMIT 3",
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Asked {
            diagnostics_id: r.diagnostics_id,
            host: r.host,
            asked_at: r.asked_at.to_jiff(),
            expires_at: r.expires_at.to_jiff(),
            answered_at: r.answered_at.map(|at| at.to_jiff()),
            sections: r.sections,
        })
        .collect())
}
