//! `POST /api/v1/secrets/sealing-key`: a new key in the place of the one that everything is sealed with.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Nothing, Problem, Sent};
use crate::pages::settings::secrets::rotate_key;

/// The new key.
#[derive(Debug, Serialize, ToSchema)]
pub struct SealingKey {
    /// Counts from 1.
    version: i32,
    /// How many values are sealed with it now.
    values: u32,
}

/// Seals every secret of the organization with a new key, and destroys the old one. What uses a secret notices nothing.
#[utoipa::path(post, path = "/api/v1/secrets/sealing-key", tag = "Secrets", params(crate::api::document::Key), request_body = Nothing,
    responses((status = 200, description = "The new key", body = SealingKey), Problem), security(("token" = ["settings"])))]
pub async fn replace(State(app): State<App>, caller: Caller, sent: Sent<Nothing>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let done = rotate_key(&app, tx, &caller.member).await?;
        Ok(SealingKey { version: done.version, values: done.values })
    })
    .await
}
