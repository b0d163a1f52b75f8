//! `GET /api/v1/audit/file`: the whole chain, as `mendwright audit verify` reads it.

use axum::extract::State;
use axum::response::Response;

use crate::App;
use crate::api::{Asked, Caller, Nothing, Problem};
use crate::pages::settings::audit::send;

/// The audit as JSON lines, with its chain. That it was taken is an entry too.
#[utoipa::path(get, path = "/api/v1/audit/file", tag = "Audit",
    responses((status = 200, description = "Every entry, one a line", body = String, content_type = "application/x-ndjson"), Problem),
    security(("token" = ["audit"])))]
pub async fn download(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Response, Problem> {
    Ok(send(app, caller.member).await?)
}
