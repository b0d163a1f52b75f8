//! `GET /api/v1/service-groups`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use serde::Serialize;
use store::remediate::groups;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Page, Problem, page_by_id};

/// A client's hosts, or services of them, that stand in for each other.
#[derive(Debug, Serialize, ToSchema)]
pub struct Group {
    id: Uuid,
    client: Uuid,
    name: String,
    /// Its hosts: those of the client with all these tags.
    tags: BTreeMap<String, String>,
    /// The fixes it bounds, by the target of their check; empty: all.
    targets: Vec<String>,
    /// Whether it holds.
    active: bool,
}

/// Service groups by id.
#[utoipa::path(get, path = "/api/v1/service-groups", tag = "Guardrails", params(ById),
    responses((status = 200, description = "A page of groups", body = Page<Group>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<Group>>, Problem> {
    caller.must(Act::Read)?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = groups::list(&mut tx).await?;
    page_by_id(
        rows,
        &asked,
        |row| row.group_id,
        |row| Group {
            id: row.group_id,
            client: row.client_id,
            name: row.name,
            tags: row.group.tags,
            targets: row.group.targets,
            active: row.group.active,
        },
    )
}
