//! Incidents.

pub mod doubt;
pub mod list;
pub mod owner;
pub mod show;

use jiff::Timestamp;
use serde::Serialize;
use store::pages::incidents::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Named;

/// An incident.
#[derive(Debug, Serialize, ToSchema)]
pub struct Incident {
    id: Uuid,
    /// What is wrong.
    title: String,
    /// `open`, `escalated` (a person is needed) or `closed`.
    state: String,
    opened_at: Timestamp,
    closed_at: Option<Timestamp>,
    /// Once closed: `fixed`, `recovered` or `by_person`.
    outcome: Option<String>,
    /// Why a person was asked.
    escalation_reason: Option<String>,
    /// The client's name.
    client: String,
    /// The host of its first alert.
    host: Option<Named>,
    /// The newest run's state.
    run_state: Option<String>,
    /// What holds the newest run.
    hold_reason: Option<String>,
    /// The newest run's playbook.
    playbook: Option<String>,
}

impl From<Row> for Incident {
    fn from(row: Row) -> Incident {
        Incident {
            id: row.incident_id,
            title: row.title,
            state: row.state,
            opened_at: row.opened_at,
            closed_at: row.closed_at,
            outcome: row.outcome,
            escalation_reason: row.escalation_reason,
            client: row.client,
            host: row.host.map(|(id, name)| Named { id, name }),
            run_state: row.run_state,
            hold_reason: row.hold_reason,
            playbook: row.playbook,
        }
    }
}
