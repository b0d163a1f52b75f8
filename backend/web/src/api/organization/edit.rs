//! `POST /api/v1/organization` and `/second-factor`: its name and time zone, and what is asked of everybody.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Problem, Sent};
use crate::pages::settings::organization::change_organization;
use crate::pages::settings::people::ask_for_second_factor;

/// An organization as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationDetails {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Of the tz database, like Europe/Berlin.
    #[schema(max_length = 100)]
    time_zone: String,
}

/// Renames the organization, or moves it to another time zone.
#[utoipa::path(post, path = "/api/v1/organization", tag = "Organization", params(crate::api::document::Key), request_body = OrganizationDetails,
    responses((status = 200, description = "It is so", body = Done), Problem), security(("token" = ["own"])))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    sent: Sent<OrganizationDetails>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let said = (sent.said.name.as_str(), sent.said.time_zone.as_str());
        let changed = change_organization(tx, &caller.member, said).await??;
        Ok(Done { changed })
    })
    .await
}

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
