//! `GET /api/v1/clients/{id}`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;

use super::Client;
use crate::App;
use crate::api::{Asked, Caller, Id, Nothing, Problem};

/// One client.
#[utoipa::path(get, path = "/api/v1/clients/{id}", tag = "Clients", params(("id" = Uuid, Path, description = "The client")),
    responses((status = 200, description = "The client", body = Client), Problem), security(("token" = ["read"])))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    _: Asked<Nothing>,
    Id(id): Id,
) -> Result<Json<Client>, Problem> {
    caller.must(Act::Read)?;
    let mut tx = caller.member.begin(&app).await?;
    Ok(Json(store::fleet::find_client(&mut tx, id).await?.ok_or(Problem::NOT_FOUND)?.into()))
}
