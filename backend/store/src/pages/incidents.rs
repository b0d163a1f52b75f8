//! The list of incidents.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// One incident, with the host of its first alert and its newest run.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub incident_id: Uuid,
    /// Its title.
    pub title: String,
    /// `open`, `escalated` or `closed`.
    pub state: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// `fixed`, `recovered` or `by_person`, once closed.
    pub outcome: Option<String>,
    /// Why a person was asked.
    pub escalation_reason: Option<String>,
    /// The client's name.
    pub client: String,
    /// The host of its first alert.
    pub host: Option<(Uuid, String)>,
    /// The newest run's state.
    pub run_state: Option<String>,
    /// Why the newest run is held.
    pub hold_reason: Option<String>,
    /// The newest run's playbook.
    pub playbook: Option<String>,
}

/// The newest incidents, open ones first: of the tenant, or of one host.
pub async fn list(tx: &mut TenantTx, host_id: Option<Uuid>, limit: i64) -> Result<Vec<Row>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT i.incident_id, i.title, i.state, i.opened_at, i.closed_at, i.outcome, i.escalation_reason, c.name AS client,
             h.host_id AS "host_id?", h.name AS "host?", r.state AS "run_state?", r.hold_reason AS "hold_reason?", p.name AS "playbook?"
           FROM incidents i
           JOIN clients c ON c.tenant_id = i.tenant_id AND c.client_id = i.client_id
           LEFT JOIN LATERAL (SELECT a.host_id FROM alerts a WHERE a.tenant_id = i.tenant_id AND a.incident_id = i.incident_id
                              ORDER BY a.opened_at, a.alert_id LIMIT 1) a ON true
           LEFT JOIN hosts h ON h.tenant_id = i.tenant_id AND h.host_id = a.host_id
           LEFT JOIN LATERAL (SELECT r.state, r.hold_reason, r.playbook_id FROM runs r WHERE r.tenant_id = i.tenant_id AND r.incident_id = i.incident_id
                              ORDER BY r.planned_at DESC, r.rung DESC LIMIT 1) r ON true
           LEFT JOIN playbooks p ON p.tenant_id = i.tenant_id AND p.playbook_id = r.playbook_id
           WHERE i.tenant_id = $1
             AND ($2::uuid IS NULL OR EXISTS (SELECT 1 FROM alerts x WHERE x.tenant_id = i.tenant_id AND x.host_id = $2 AND x.incident_id = i.incident_id))
           ORDER BY (i.state = 'closed'), i.opened_at DESC, i.incident_id LIMIT $3"#,
        tenant_id,
        host_id,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Row {
            incident_id: r.incident_id,
            title: r.title,
            state: r.state,
            opened_at: r.opened_at.to_jiff(),
            closed_at: r.closed_at.map(|at| at.to_jiff()),
            outcome: r.outcome,
            escalation_reason: r.escalation_reason,
            client: r.client,
            host: r.host_id.zip(r.host),
            run_state: r.run_state,
            hold_reason: r.hold_reason,
            playbook: r.playbook,
        })
        .collect())
}
