//! `POST /api/v1/organization/second-factor`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Problem, Sent};
use crate::pages::settings::people::ask_for_second_factor;

/// Whether it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    /// Whether every member must have one. Who has none can do nothing but turn it on, and their tokens may nothing.
    required: bool,
}

/// Asks every member for a second factor, or no more.
#[utoipa::path(post, path = "/api/v1/organization/second-factor", tag = "Organization", params(crate::api::document::Key),
    request_body = SecondFactor, responses((status = 200, description = "It is so", body = Done), Problem), security(("token" = ["settings"])))]
pub async fn second_factor(
    State(app): State<App>,
    caller: Caller,
    sent: Sent<SecondFactor>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = ask_for_second_factor(tx, &caller.member, sent.said.required).await?;
        Ok(Done { changed })
    })
    .await
}
