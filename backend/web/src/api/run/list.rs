//! `GET /api/v1/runs`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::Deserialize;
use store::api::runs::{self, Filter, Place, Row};
use store::fleet;
use utoipa::IntoParams;
use uuid::Uuid;

use super::Run;
use crate::App;
use crate::api::{Asked, Caller, Page, Problem, cursor, limit, page};

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// In this state.
    state: Option<String>,
    /// Of this client.
    client: Option<Uuid>,
    /// On this host.
    host: Option<Uuid>,
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Runs, the newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "Runs", params(Query),
    responses((status = 200, description = "A page of runs", body = Page<Run>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<Query>,
) -> Result<Json<Page<Run>>, Problem> {
    caller.must(Act::Read)?;
    let limit = limit(asked.limit)?;
    let after = cursor::read(asked.cursor.as_deref(), |[at, id]: [String; 2]| {
        Some(Place { planned_at: cursor::at(&at)?, run_id: cursor::id(&id)? })
    })?;
    if let Some(state) = &asked.state
        && !domain::run::State::ALL.iter().any(|(_, word)| word == state)
    {
        return Err(Problem::invalid("state", "there is no such state of a run"));
    }
    let mut tx = caller.member.begin(&app).await?;
    if let Some(client_id) = asked.client {
        fleet::find_client(&mut tx, client_id).await?.ok_or(Problem::NOT_FOUND)?;
    }
    if let Some(host_id) = asked.host {
        store::hosts::find_client(&mut tx, host_id).await?.ok_or(Problem::NOT_FOUND)?;
    }
    let filter = Filter { state: asked.state, client_id: asked.client, host_id: asked.host };
    let rows = runs::list(&mut tx, &filter, after, limit + 1).await?;
    let place = |row: &Row| cursor::said(&[cursor::micros(row.planned_at), row.run_id.simple().to_string()]);
    Ok(page(rows, limit, place, Run::from))
}
