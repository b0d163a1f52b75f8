//! `GET /api/v1/clients/{id}/sites`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::Serialize;
use store::sites;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Id, Page, Problem, cursor, page};
use crate::pages::client::named;

/// A place of a client.
#[derive(Debug, Serialize, ToSchema)]
pub struct Site {
    id: Uuid,
    name: String,
    /// Hosts that stand there or are planned there.
    hosts: i64,
}

/// A client's sites by id.
#[utoipa::path(get, path = "/api/v1/clients/{id}/sites", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), ById),
    responses((status = 200, description = "A page of sites", body = Page<Site>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<Site>>, Problem> {
    caller.must(Act::Read)?;
    let (limit, after) = asked.place()?;
    let mut tx = caller.member.begin(&app).await?;
    named(&mut tx, id).await?;
    let rows = store::api::sites::list(&mut tx, id, after, limit + 1).await?;
    let place = |row: &sites::Site| cursor::said(&[row.site_id.simple().to_string()]);
    Ok(page(rows, limit, place, |row| Site { id: row.site_id, name: row.name, hosts: row.hosts }))
}
