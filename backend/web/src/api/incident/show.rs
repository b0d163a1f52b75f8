//! `GET /api/v1/incidents/{id}`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use domain::detect::words::words;
use jiff::Timestamp;
use serde::Serialize;
use store::pages::incident as stored;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::run::Run;
use crate::api::{Asked, Caller, Id, Named, Nothing, Problem};

/// An incident with what was seen and done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Story {
    id: Uuid,
    title: String,
    severity: String,
    /// `open`, `escalated` or `closed`.
    state: String,
    client: Named,
    opened_at: Timestamp,
    closed_at: Option<Timestamp>,
    outcome: Option<String>,
    escalated_at: Option<Timestamp>,
    escalation_reason: Option<String>,
    alerts: Vec<Alert>,
    runs: Vec<Run>,
}

/// What was bad.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alert {
    host: Uuid,
    check: String,
    target: String,
    severity: String,
    opened_at: Timestamp,
    closed_at: Option<Timestamp>,
    close_cause: Option<String>,
    /// What was read when it was raised, in words.
    seen: Option<String>,
}

/// One incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "Incidents", params(("id" = Uuid, Path, description = "The incident")),
    responses((status = 200, description = "The incident", body = Story), Problem), security(("token" = ["read"])))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    _: Asked<Nothing>,
    Id(id): Id,
) -> Result<Json<Story>, Problem> {
    caller.must(Act::Read)?;
    let mut tx = caller.member.begin(&app).await?;
    let incident = stored::find(&mut tx, id).await?.ok_or(Problem::NOT_FOUND)?;
    let alerts = stored::list_alerts(&mut tx, id).await?.into_iter().map(|alert| Alert {
        host: alert.host_id,
        check: alert.check,
        target: alert.target,
        severity: alert.severity,
        opened_at: alert.opened_at,
        closed_at: alert.closed_at,
        close_cause: alert.close_cause,
        seen: alert.seen.as_ref().map(words),
    });
    let alerts = alerts.collect();
    let runs = store::api::runs::list_of_incident(&mut tx, id).await?.into_iter().map(Run::from).collect();
    Ok(Json(Story {
        id,
        title: incident.title,
        severity: incident.severity,
        state: incident.state,
        client: Named { id: incident.client_id, name: incident.client },
        opened_at: incident.opened_at,
        closed_at: incident.closed_at,
        outcome: incident.outcome,
        escalated_at: incident.escalated_at,
        escalation_reason: incident.escalation_reason,
        alerts,
        runs,
    }))
}
