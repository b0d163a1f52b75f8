//! Runs.

pub mod list;
pub mod show;

use jiff::Timestamp;
use serde::Serialize;
use store::api::runs::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Named;

/// One execution of one playbook on one host.
#[derive(Debug, Serialize, ToSchema)]
pub struct Run {
    id: Uuid,
    incident: Uuid,
    client: Named,
    host: Named,
    target: String,
    playbook: String,
    playbook_version: i32,
    /// Which rung of its mapping's ladder, from 1.
    rung: i16,
    attempt: i16,
    /// `observe`, `approve` or `auto`.
    mode: String,
    state: String,
    hold_reason: Option<String>,
    hold_until: Option<Timestamp>,
    planned_at: Timestamp,
    admitted_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    end_reason: Option<String>,
}

impl From<Row> for Run {
    fn from(row: Row) -> Run {
        Run {
            id: row.run_id,
            incident: row.incident_id,
            client: Named { id: row.client_id, name: row.client },
            host: Named { id: row.host_id, name: row.host },
            target: row.target,
            playbook: row.playbook,
            playbook_version: row.version,
            rung: row.rung,
            attempt: row.attempt,
            mode: row.mode,
            state: row.state,
            hold_reason: row.hold_reason,
            hold_until: row.hold_until,
            planned_at: row.planned_at,
            admitted_at: row.admitted_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            end_reason: row.end_reason,
        }
    }
}
