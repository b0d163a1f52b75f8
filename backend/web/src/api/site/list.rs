//! `GET /api/v1/clients/{id}/sites`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::{Deserialize, Serialize};
use store::sites;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Id, Page, Problem, cursor, limit, page};
use crate::pages::client::named;

/// Which sites.
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

/// A place of a client.
#[derive(Debug, Serialize, ToSchema)]
pub struct Site {
    id: Uuid,
    name: String,
    /// Hosts that stand there or are planned there.
    hosts: i64,
}

/// A client's sites by id.
#[utoipa::path(get, path = "/api/v1/clients/{id}/sites", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), Query),
    responses((status = 200, description = "A page of sites", body = Page<Site>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Asked(asked): Asked<Query>,
) -> Result<Json<Page<Site>>, Problem> {
    caller.must(Act::Read)?;
    let limit = limit(asked.limit)?;
    let after = cursor::read(asked.cursor.as_deref(), |[id]: [String; 1]| cursor::id(&id))?;
    let mut tx = caller.member.begin(&app).await?;
    named(&mut tx, id).await?;
    let rows = store::api::sites::list(&mut tx, id, after, limit + 1).await?;
    let place = |row: &sites::Site| cursor::said(&[row.site_id.simple().to_string()]);
    Ok(page(rows, limit, place, |row| Site { id: row.site_id, name: row.name, hosts: row.hosts }))
}
