//! `GET /api/v1/secrets`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, ById, Caller, Page, Problem, page_by_id};
use crate::pages::settings::secrets::list_secrets;

/// A secret, without what it says.
#[derive(Debug, Serialize, ToSchema)]
pub struct Secret {
    id: Uuid,
    name: String,
    /// `api_key`, `smtp_password` or `ssh_key`.
    kind: String,
    /// Counts from 1; each replacement counts on.
    version: i32,
    set_at: Timestamp,
    set_by: String,
    /// Within a minute.
    used_at: Option<Timestamp>,
    /// What refers to it, in words.
    used_by: Vec<String>,
}

/// Secrets by id. What they say is told to nobody.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "Secrets", params(ById),
    responses((status = 200, description = "A page of secrets", body = Page<Secret>), Problem), security(("token" = ["settings"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<ById>,
) -> Result<Json<Page<Secret>>, Problem> {
    caller.member.must_for_all(Act::ManageOrganization)?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = list_secrets(&mut tx).await?;
    page_by_id(
        rows,
        &asked,
        |(row, _)| row.secret_id,
        |(row, used_by)| Secret {
            id: row.secret_id,
            name: row.name,
            kind: row.kind.word().to_owned(),
            version: row.version,
            set_at: row.set_at,
            set_by: row.set_by,
            used_at: row.used_at,
            used_by,
        },
    )
}
