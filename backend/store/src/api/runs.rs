//! Runs, the newest first.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// A run with the names of what it touches.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct Row {
    pub run_id: Uuid,
    pub incident_id: Uuid,
    pub client_id: Uuid,
    pub client: String,
    pub host_id: Uuid,
    pub host: String,
    pub target: String,
    pub playbook: String,
    pub version: i32,
    pub rung: i16,
    pub attempt: i16,
    pub mode: String,
    pub state: String,
    pub hold_reason: Option<String>,
    pub hold_until: Option<Timestamp>,
    pub planned_at: Timestamp,
    pub admitted_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
}

/// Which runs; what is none is not asked.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<String>,
    /// Of this client.
    pub client_id: Option<Uuid>,
    /// On this host.
    pub host_id: Option<Uuid>,
}

/// A place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it was planned.
    pub planned_at: Timestamp,
    /// Which.
    pub run_id: Uuid,
}

/// The runs `r` that a statement finds, with the names of what they touch, the newest first.
macro_rules! named {
    ($tx:expr, $found:literal, $($argument:expr),+) => {{
        let rows = sqlx::query!(
            "SELECT r.run_id, r.incident_id, r.client_id, c.name AS client, r.host_id, h.name AS host, r.target, p.name AS playbook, v.version,
               r.rung, r.attempt, r.mode, r.state, r.hold_reason, r.hold_until, r.planned_at, r.admitted_at, r.started_at, r.ended_at, r.end_reason
             FROM (" + $found + ") r
             JOIN clients c ON c.tenant_id = $1 AND c.client_id = r.client_id
             JOIN hosts h ON h.tenant_id = $1 AND h.host_id = r.host_id
             JOIN playbooks p ON p.tenant_id = $1 AND p.playbook_id = r.playbook_id
             JOIN playbook_versions v ON v.tenant_id = $1 AND v.digest = r.playbook_digest
             ORDER BY r.planned_at DESC, r.run_id DESC",
            $tx.tenant_id(),
            $($argument),+
        )
        .fetch_all($tx.conn())
        .await?;
        let row = rows.into_iter().map(|r| Row {
            run_id: r.run_id,
            incident_id: r.incident_id,
            client_id: r.client_id,
            client: r.client,
            host_id: r.host_id,
            host: r.host,
            target: r.target,
            playbook: r.playbook,
            version: r.version,
            rung: r.rung,
            attempt: r.attempt,
            mode: r.mode,
            state: r.state,
            hold_reason: r.hold_reason,
            hold_until: r.hold_until.map(|at| at.to_jiff()),
            planned_at: r.planned_at.to_jiff(),
            admitted_at: r.admitted_at.map(|at| at.to_jiff()),
            started_at: r.started_at.map(|at| at.to_jiff()),
            ended_at: r.ended_at.map(|at| at.to_jiff()),
            end_reason: r.end_reason,
        });
        row.collect::<Vec<Row>>()
    }};
}

/// The runs of the filter after a place, the newest first. A term that is left open is a CASE: as an OR it would seem to
/// the planner to leave one row in 200, and it would sort all runs instead of reading the newest.
pub async fn list(tx: &mut TenantTx, filter: &Filter, after: Option<Place>, limit: i64) -> Result<Vec<Row>> {
    let place = after.unwrap_or(Place { planned_at: Timestamp::MAX, run_id: Uuid::max() });
    Ok(named!(
        tx,
        "SELECT x.* FROM runs x WHERE x.tenant_id = $1 AND (x.planned_at, x.run_id) < ($2, $3)
           AND CASE WHEN $4::text IS NULL THEN true ELSE x.state = $4 END AND CASE WHEN $5::uuid IS NULL THEN true ELSE x.client_id = $5 END
           AND CASE WHEN $6::uuid IS NULL THEN true ELSE x.host_id = $6 END
         ORDER BY x.planned_at DESC, x.run_id DESC LIMIT $7",
        place.planned_at.to_sqlx() as _,
        place.run_id,
        filter.state.as_deref(),
        filter.client_id,
        filter.host_id,
        limit
    ))
}

/// One run.
pub async fn find(tx: &mut TenantTx, run_id: Uuid) -> Result<Option<Row>> {
    Ok(named!(tx, "SELECT x.* FROM runs x WHERE x.tenant_id = $1 AND x.run_id = $2", run_id).pop())
}

/// The runs of an incident, the newest first, 100 at most.
pub async fn list_of_incident(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Row>> {
    Ok(named!(
        tx,
        "SELECT x.* FROM runs x WHERE x.tenant_id = $1 AND x.incident_id = $2 ORDER BY x.planned_at DESC, x.run_id DESC LIMIT 100",
        incident_id
    ))
}
