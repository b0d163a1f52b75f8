//! `GET /api/v1/clients/{id}/contacts`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::Serialize;
use store::contacts;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Id, Page, Problem, cursor, page};
use crate::pages::client::named;

/// Somebody at a client.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contact {
    id: Uuid,
    name: String,
    email: String,
    phone: Option<String>,
    /// Whether they get the mails of the client's incidents.
    told: bool,
}

/// A client's contacts by id.
#[utoipa::path(get, path = "/api/v1/clients/{id}/contacts", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), ById),
    responses((status = 200, description = "A page of contacts", body = Page<Contact>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<Contact>>, Problem> {
    caller.must(Act::Read)?;
    let (limit, after) = asked.place()?;
    let mut tx = caller.member.begin(&app).await?;
    named(&mut tx, id).await?;
    let rows = store::api::contacts::list(&mut tx, id, after, limit + 1).await?;
    let place = |row: &contacts::Contact| cursor::said(&[row.contact_id.simple().to_string()]);
    Ok(page(rows, limit, place, |row| {
        let contacts::Person { name, email, phone, is_told } = row.person;
        Contact { id: row.contact_id, name, email, phone, told: is_told }
    }))
}
