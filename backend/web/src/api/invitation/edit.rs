//! `POST /api/v1/invitations` and `/{id}/revoke`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::member::RoleWord;
use crate::api::{Caller, Done, Id, Made, Nothing, Problem, Sent};
use crate::pages::settings::people::{Invited, Reach, insert_invitation, take_back};

/// Who is invited, and as what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Where the invitation goes.
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(inline)]
    role: RoleWord,
    /// The clients they would see; null: all. It must be said.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    clients: Option<Vec<Uuid>>,
}

/// Invites somebody: a mail with a link goes to them. Inviting an address again takes the older invitation back and sends a
/// new one; with an owner's role it needs the scope `own` too.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "People", params(crate::api::document::Key), request_body = Invite,
    responses((status = 200, description = "The invitation is on its way", body = Made), Problem), security(("token" = ["people"])))]
pub async fn invite(State(app): State<App>, caller: Caller, sent: Sent<Invite>) -> Result<Response, Problem> {
    let Invite { email, role, clients } = &sent.said;
    let wanted = Invited { email: email.clone(), reach: Reach { role: (*role).into(), clients: clients.clone() } };
    sent.act(&app, &caller, async |tx| {
        let id = insert_invitation(tx, &caller.member, &wanted).await??;
        Ok(Made { id })
    })
    .await
}

/// Takes an invitation back: its link works no more.
#[utoipa::path(post, path = "/api/v1/invitations/{id}/revoke", tag = "People", params(("id" = Uuid, Path, description = "The invitation"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is taken back", body = Done), Problem), security(("token" = ["people"])))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        take_back(tx, &caller.member, id).await?;
        Ok(Done { changed: true })
    })
    .await
}
