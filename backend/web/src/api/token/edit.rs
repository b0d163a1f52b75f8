//! `POST /api/v1/tokens` and `POST /api/v1/tokens/{id}/revoke`: a token makes others, which may no more than itself and end with it.

use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use domain::token::SCOPES;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};
use uuid::Uuid;

use crate::App;
use crate::api::{Caller, Done, Id, Nothing, Problem, Sent};
use crate::pages::settings::tokens::{Wanted, make_token, revoke_token};

/// A token as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mint {
    /// What uses it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Some of the scopes of the token that asks.
    #[schema(schema_with = scopes)]
    scopes: Vec<String>,
    /// After how many days it ends, no later than the token that asks; none: with that one.
    #[schema(minimum = 1, maximum = 366)]
    days: Option<u16>,
    /// The networks it may be used from, 20 at most, within those of the token that asks; none: the same.
    #[serde(default)]
    #[schema(max_items = 20)]
    networks: Vec<String>,
    /// The service account that it is of, which may what the scopes say; null: it is the same member's as the token that asks.
    service: Option<Uuid>,
}

/// The scopes that there are, for the document.
fn scopes() -> Array {
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(SCOPES.map(|(_, word, _)| word)));
    let said = Some("Some of the scopes of the token that asks.");
    ArrayBuilder::new().items(word).min_items(Some(1)).max_items(Some(SCOPES.len())).description(said).build()
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MintedToken {
    id: Uuid,
    /// Its text: in this answer and nowhere else. An answer that is given again to an Idempotency-Key has null here; revoke
    /// that token then, and make another.
    token: Option<String>,
    /// The networks it may be used from; none: all.
    networks: Vec<String>,
    expires_at: Timestamp,
}

/// Makes a token of the same member's, or of a service account: with some of the scopes of the token that asks, from its networks,
/// for no longer. It ends when that one is revoked.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "Tokens", params(crate::api::document::Key), request_body = Mint,
    responses((status = 201, description = "The token, this once", body = MintedToken), Problem), security(("token" = ["people"])))]
pub async fn make(State(app): State<App>, caller: Caller, sent: Sent<Mint>) -> Result<Response, Problem> {
    caller.member.must_for_all(Act::MakeTokens)?;
    let Mint { name, scopes, days, networks, service } = &sent.said;
    let wanted = Wanted { name, scopes, days: *days, networks: &networks.join("\n"), service: *service };
    sent.mint(&app, &caller, "token", async |tx| {
        let minted = make_token(&app, tx, &caller.member, &wanted, Some(caller.token_id)).await??;
        let text = minted.token.reveal().to_owned();
        let (id, networks, expires_at) = (minted.token_id, minted.networks, minted.expires_at);
        Ok((MintedToken { id, token: None, networks, expires_at }, text))
    })
    .await
}

/// Revokes a token, and those that it made: they end at once.
#[utoipa::path(post, path = "/api/v1/tokens/{id}/revoke", tag = "Tokens", params(("id" = Uuid, Path, description = "The token"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It opens nothing", body = Done), Problem), security(("token" = ["people"])))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    caller.member.must_for_all(Act::MakeTokens)?;
    sent.act(&app, &caller, async |tx| Ok(Done { changed: revoke_token(tx, &caller.member, id).await? })).await
}
