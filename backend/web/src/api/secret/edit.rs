//! `POST /api/v1/secrets` and below: add, replace and delete. What is sent is sealed and told to nobody.

use axum::extract::State;
use axum::response::Response;
use keys::Secret;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::KindWord;
use crate::App;
use crate::api::{Caller, Done, Id, Made, Nothing, Problem, Sent};
use crate::pages::settings::secrets::{add_secret, delete_secret, replace_secret};

/// A secret as it is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Its name, once in the organization: small letters, digits, `-`, `_` and `.`.
    #[schema(min_length = 1, max_length = 60)]
    name: String,
    #[schema(inline)]
    kind: KindWord,
    /// What it says.
    #[serde(deserialize_with = "sealed")]
    #[schema(value_type = String, min_length = 1, max_length = 16384, format = Password)]
    value: Secret,
}

/// What a secret is to say from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValue {
    /// What it says.
    #[serde(deserialize_with = "sealed")]
    #[schema(value_type = String, min_length = 1, max_length = 16384, format = Password)]
    value: Secret,
}

/// A text that is shown nowhere from here on.
pub fn sealed<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    Ok(Secret::new(String::deserialize(from)?))
}

/// Another value has its place.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replaced {
    /// Its number.
    version: i32,
}

/// Adds a secret.
#[utoipa::path(post, path = "/api/v1/secrets", tag = "Secrets", params(crate::api::document::Key), request_body = NewSecret,
    responses((status = 200, description = "It is sealed", body = Made), Problem), security(("token" = ["settings"])))]
pub async fn add(State(app): State<App>, caller: Caller, sent: Sent<NewSecret>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let NewSecret { name, kind, value } = &sent.said;
        let id = add_secret(&app, tx, &caller.member, (name, (*kind).into()), value).await??;
        Ok(Made { id })
    })
    .await
}

/// Replaces what a secret says. What refers to it uses the new value from then on.
#[utoipa::path(post, path = "/api/v1/secrets/{id}/replace", tag = "Secrets", params(("id" = Uuid, Path, description = "The secret"), crate::api::document::Key),
    request_body = NewValue, responses((status = 200, description = "It is sealed, and the old value is gone", body = Replaced), Problem), security(("token" = ["settings"])))]
pub async fn replace(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<NewValue>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let version = replace_secret(&app, tx, &caller.member, id, &sent.said.value).await??;
        Ok(Replaced { version })
    })
    .await
}

/// Deletes a secret. One that something refers to stays, which is answered with 409.
#[utoipa::path(post, path = "/api/v1/secrets/{id}/delete", tag = "Secrets", params(("id" = Uuid, Path, description = "The secret"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is gone", body = Done), Problem), security(("token" = ["settings"])))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        delete_secret(tx, &caller.member, id).await??;
        Ok(Done { changed: true })
    })
    .await
}
