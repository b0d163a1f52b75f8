//! `POST /api/v1/channels` and `/remove`: somebody is called from now on, or no more.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Id, Made, Nothing, Problem, Sent};
use crate::pages::settings::calls::{add_channel, remove_channel};

/// An address that is to be called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// A member's, or any other that somebody reads.
    #[schema(min_length = 3, max_length = 254)]
    address: String,
}

/// Calls an address about every incident of every client from now on.
#[utoipa::path(post, path = "/api/v1/channels", tag = "Organization", params(crate::api::document::Key), request_body = NewChannel,
    responses((status = 200, description = "It is called", body = Made), Problem), security(("token" = ["settings"])))]
pub async fn add(State(app): State<App>, caller: Caller, sent: Sent<NewChannel>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let id = add_channel(tx, &caller.member, &sent.said.address).await??;
        Ok(Made { id })
    })
    .await
}

/// Calls an address no more. The only one that is called stays, which is answered with 409.
#[utoipa::path(post, path = "/api/v1/channels/{id}/remove", tag = "Organization", params(("id" = Uuid, Path, description = "The address's id"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is called no more", body = Done), Problem), security(("token" = ["settings"])))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        remove_channel(tx, &caller.member, id).await??;
        Ok(Done { changed: true })
    })
    .await
}
