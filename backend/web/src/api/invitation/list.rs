//! `GET /api/v1/invitations`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use store::people::invitations;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Page, Problem, page_by_id};

/// Somebody who was asked to be a member, and has not answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitation {
    id: Uuid,
    email: String,
    /// What they would be.
    role: String,
    /// The clients they would see; null: all.
    clients: Option<Vec<Uuid>>,
    invited_by: String,
    invited_at: Timestamp,
    expires_at: Timestamp,
}

/// Invitations that can be accepted still, by id.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "People", params(ById),
    responses((status = 200, description = "A page of invitations", body = Page<Invitation>), Problem), security(("token" = ["people"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<Invitation>>, Problem> {
    caller.member.must_for_all(Act::ManagePeople)?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = invitations::list_open(&mut tx).await?;
    page_by_id(
        rows,
        &asked,
        |row| row.invitation_id,
        |row| Invitation {
            id: row.invitation_id,
            email: row.email,
            role: row.role.word().to_owned(),
            clients: row.client_ids,
            invited_by: row.invited_by,
            invited_at: row.invited_at,
            expires_at: row.expires_at,
        },
    )
}
