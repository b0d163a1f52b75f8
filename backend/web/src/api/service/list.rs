//! `GET /api/v1/service-accounts`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use store::people::services;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Page, Problem, page_by_id};

/// A seat of a program, which nobody signs in to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceAccount {
    id: Uuid,
    name: String,
    /// `technician` or `viewer`.
    role: String,
    /// The clients it sees; null: all.
    clients: Option<Vec<Uuid>>,
    made_by: String,
    made_at: Timestamp,
}

/// Service accounts by id.
#[utoipa::path(get, path = "/api/v1/service-accounts", tag = "People", params(ById),
    responses((status = 200, description = "A page of service accounts", body = Page<ServiceAccount>), Problem), security(("token" = ["people"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<ServiceAccount>>, Problem> {
    caller.member.must_for_all(Act::ManagePeople)?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = services::list(&mut tx).await?;
    page_by_id(
        rows,
        &asked,
        |row| row.seat_id,
        |row| ServiceAccount {
            id: row.seat_id,
            name: row.name,
            role: row.role.word().to_owned(),
            clients: row.client_ids,
            made_by: row.made_by,
            made_at: row.made_at,
        },
    )
}
