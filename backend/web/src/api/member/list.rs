//! `GET /api/v1/members`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::Serialize;
use store::configuration;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Page, Problem, page_by_id};

/// Somebody with a seat.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    id: Uuid,
    name: String,
    email: String,
    /// `owner`, `admin`, `technician`, `viewer` or `client_viewer`.
    role: String,
    /// The clients they see; null: all.
    clients: Option<Vec<Uuid>>,
}

/// Members by id. To a member of some clients they are not there.
#[utoipa::path(get, path = "/api/v1/members", tag = "People", params(ById),
    responses((status = 200, description = "A page of members", body = Page<Member>), Problem), security(("token" = ["people"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<Member>>, Problem> {
    caller.member.must_for_all(Act::ManagePeople)?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = configuration::list_members(&mut tx).await?;
    page_by_id(
        rows,
        &asked,
        |row| row.login_id,
        |row| Member {
            id: row.login_id,
            name: row.name,
            email: row.email,
            role: row.role.word().to_owned(),
            clients: row.client_ids,
        },
    )
}
