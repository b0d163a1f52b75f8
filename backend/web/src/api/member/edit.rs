//! `POST /api/v1/members/{id}` and `/remove`: a member's role and clients, and the end of a seat.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::RoleWord;
use crate::App;
use crate::api::{Caller, Done, Id, Nothing, Problem, Sent};
use crate::pages::settings::people::{Reach, change_seat, remove_seat};

/// A seat as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    #[schema(inline)]
    role: RoleWord,
    /// The clients they see; null: all. It must be said: what is forgotten is not everything.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    clients: Option<Vec<Uuid>>,
}

/// Changes a member's role and clients: somebody else's than the token's maker's, and an owner's with the scope `own` too.
#[utoipa::path(post, path = "/api/v1/members/{id}", tag = "People", params(("id" = Uuid, Path, description = "The member"), crate::api::document::Key),
    request_body = Seat, responses((status = 200, description = "It is so from the next request on", body = Done), Problem), security(("token" = ["people"])))]
pub async fn change(State(app): State<App>, caller: Caller, Id(id): Id, sent: Sent<Seat>) -> Result<Response, Problem> {
    let wanted = Reach { role: sent.said.role.into(), clients: sent.said.clients.clone() };
    sent.act(&app, &caller, async |tx| {
        let changed = change_seat(tx, &caller.member, id, &wanted).await??;
        Ok(Done { changed })
    })
    .await
}

/// Removes a member; their tokens end.
#[utoipa::path(post, path = "/api/v1/members/{id}/remove", tag = "People", params(("id" = Uuid, Path, description = "The member"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "They are no member any more", body = Done), Problem), security(("token" = ["people"])))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        remove_seat(tx, &caller.member, id).await?;
        Ok(Done { changed: true })
    })
    .await
}
