//! `GET /api/v1/clients`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;

use super::Client;
use crate::App;
use crate::api::{Asked, ById, Caller, Page, Problem, cursor, page};

/// Clients by id.
#[utoipa::path(get, path = "/api/v1/clients", tag = "Clients", params(ById),
    responses((status = 200, description = "A page of clients", body = Page<Client>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<Client>>, Problem> {
    caller.must(Act::Read)?;
    let (limit, after) = asked.place()?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = store::api::clients::list(&mut tx, after, limit + 1).await?;
    Ok(page(
        rows,
        limit,
        |row: &store::fleet::Client| cursor::said(&[row.client_id.simple().to_string()]),
        Client::from,
    ))
}
