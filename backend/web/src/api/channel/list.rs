//! `GET /api/v1/channels`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::Serialize;
use store::channels;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Page, Problem, page_by_id};

/// An address that is called about every incident of every client.
#[derive(Debug, Serialize, ToSchema)]
pub struct Channel {
    id: Uuid,
    address: String,
    /// The name of the member who has it, if one does.
    member: Option<String>,
}

/// Who is called, by id.
#[utoipa::path(get, path = "/api/v1/channels", tag = "Organization", params(ById),
    responses((status = 200, description = "A page of addresses", body = Page<Channel>), Problem), security(("token" = ["settings"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<Channel>>, Problem> {
    caller.member.must_for_all(Act::ManageOrganization)?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = channels::list(&mut tx).await?;
    page_by_id(
        rows,
        &asked,
        |row| row.channel_id,
        |row| Channel { id: row.channel_id, address: row.address, member: row.member },
    )
}
