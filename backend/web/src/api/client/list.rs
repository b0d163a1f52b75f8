//! `GET /api/v1/clients`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Client;
use crate::App;
use crate::api::{Asked, Caller, Page, Problem, cursor, limit, page};

/// Which clients.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Clients by id.
#[utoipa::path(get, path = "/api/v1/clients", tag = "Clients", params(Query),
    responses((status = 200, description = "A page of clients", body = Page<Client>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<Query>,
) -> Result<Json<Page<Client>>, Problem> {
    caller.must(Act::Read)?;
    let limit = limit(asked.limit)?;
    let after = cursor::read(asked.cursor.as_deref(), |[id]: [String; 1]| cursor::id(&id))?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = store::api::clients::list(&mut tx, after, limit + 1).await?;
    Ok(page(
        rows,
        limit,
        |row: &store::fleet::Client| cursor::said(&[row.client_id.simple().to_string()]),
        Client::from,
    ))
}
