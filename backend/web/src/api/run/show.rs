//! `GET /api/v1/runs/{id}`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use store::api::runs;

use super::Run;
use crate::App;
use crate::api::{Asked, Caller, Id, Nothing, Problem};

/// One run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "Runs", params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "The run", body = Run), Problem), security(("token" = ["read"])))]
pub async fn show(State(app): State<App>, caller: Caller, _: Asked<Nothing>, Id(id): Id) -> Result<Json<Run>, Problem> {
    caller.must(Act::Read)?;
    let mut tx = caller.member.begin(&app).await?;
    Ok(Json(runs::find(&mut tx, id).await?.ok_or(Problem::NOT_FOUND)?.into()))
}
