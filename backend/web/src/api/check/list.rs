//! `GET /api/v1/checks`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use store::archiving;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Page, Problem, page_by_id};

/// A check in use.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInUse {
    id: Uuid,
    name: String,
    /// `service`, `heartbeat`, `http`, `tcp`, `ssh`, `disk` or `process`.
    kind: String,
    /// What it looks at; a heartbeat has none.
    target: String,
    /// The host that it was made for by watching a service there.
    host: Option<Uuid>,
    created_at: Timestamp,
}

/// Checks in use, by id. Of a member of some clients it is refused.
#[utoipa::path(get, path = "/api/v1/checks", tag = "Checks", params(ById),
    responses((status = 200, description = "A page of checks", body = Page<CheckInUse>), Problem), security(("token" = ["clients"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<CheckInUse>>, Problem> {
    caller.member.must_for_all(Act::ManageClients)?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = archiving::list(&mut tx).await?;
    page_by_id(
        rows,
        &asked,
        |row| row.check_id,
        |row| CheckInUse {
            id: row.check_id,
            name: row.check.name,
            kind: row.check.kind.word().to_owned(),
            target: row.check.target,
            host: row.host_id,
            created_at: row.created_at,
        },
    )
}
