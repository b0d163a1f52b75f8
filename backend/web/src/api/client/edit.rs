//! `POST /api/v1/clients` and `/api/v1/clients/{id}/…`: add, change, archive and restore a client.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Id, Made, Nothing, Problem, Sent, wrong};
use crate::pages::client::{begin_archive, end_archive, insert, update};

/// A client as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// Its name: no other client of the organization has it, looked after or archived.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Of the tz database, like Europe/Berlin.
    #[schema(max_length = 100)]
    time_zone: String,
}

/// Adds a client. Of a member of some clients it is refused.
#[utoipa::path(post, path = "/api/v1/clients", tag = "Clients", params(crate::api::document::Key), request_body = Details,
    responses((status = 200, description = "It is looked after", body = Made), Problem), security(("token" = ["clients"])))]
pub async fn add(State(app): State<App>, caller: Caller, sent: Sent<Details>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let id = insert(tx, &caller.member, (&sent.said.name, &sent.said.time_zone)).await?.map_err(wrong)?;
        Ok(Made { id })
    })
    .await
}

/// Renames a client, or moves it to another time zone.
#[utoipa::path(post, path = "/api/v1/clients/{id}", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = Details, responses((status = 200, description = "It is so", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Details>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let said = (sent.said.name.as_str(), sent.said.time_zone.as_str());
        Ok(Done { changed: update(tx, &caller.member, id, said).await?.map_err(wrong)? })
    })
    .await
}

/// Archives a client: all actions there are stopped first.
#[utoipa::path(post, path = "/api/v1/clients/{id}/archive", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is archived", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn archive(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    let act = async |tx: &mut _| Ok(Done { changed: begin_archive(tx, &caller.member, id).await? });
    sent.act(&app, &caller, act).await
}

/// Looks after an archived client again, if the plan has room for its hosts; its actions stay stopped.
#[utoipa::path(post, path = "/api/v1/clients/{id}/restore", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is looked after", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn restore(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    let act = async |tx: &mut _| Ok(Done { changed: end_archive(tx, &caller.member, id).await?? });
    sent.act(&app, &caller, act).await
}
