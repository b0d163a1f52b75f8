//! `POST /api/v1/clients/{id}/sites` and below: add, rename and remove a site.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Id, Ids, Made, Nothing, Problem, Sent, wrong};
use crate::pages::client::{insert_site, remove_site, rename_site};

/// A site as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteName {
    /// Its name: no other site of the client has it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// Adds a site.
#[utoipa::path(post, path = "/api/v1/clients/{id}/sites", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = SiteName, responses((status = 200, description = "It is there", body = Made), Problem), security(("token" = ["clients"])))]
pub async fn add(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<SiteName>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let id = insert_site(tx, &caller.member, id, &sent.said.name).await?.map_err(wrong)?;
        Ok(Made { id })
    })
    .await
}

/// Renames a site.
#[utoipa::path(post, path = "/api/v1/clients/{id}/sites/{site}", tag = "Clients",
    params(("id" = Uuid, Path, description = "The client"), ("site" = Uuid, Path, description = "Its site"), crate::api::document::Key),
    request_body = SiteName, responses((status = 200, description = "It has that name", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn rename(
    State(app): State<App>,
    caller: Caller,
    Ids(ids): Ids,
    sent: Sent<SiteName>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = rename_site(tx, &caller.member, ids, &sent.said.name).await?.map_err(wrong)?;
        Ok(Done { changed })
    })
    .await
}

/// Removes a site. One on which hosts stand or are planned stays, which is answered with 409.
#[utoipa::path(post, path = "/api/v1/clients/{id}/sites/{site}/remove", tag = "Clients",
    params(("id" = Uuid, Path, description = "The client"), ("site" = Uuid, Path, description = "Its site"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is gone", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Ids(ids): Ids,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let stays = |why: String| Problem::of_status(StatusCode::CONFLICT).because(why);
        remove_site(tx, &caller.member, ids).await?.map_err(stays)?;
        Ok(Done { changed: true })
    })
    .await
}
