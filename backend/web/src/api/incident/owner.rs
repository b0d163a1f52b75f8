//! `POST /api/v1/incidents/{id}/owner`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Id, Problem, Sent};
use crate::pages::incident::{Doing, have};

/// The answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnerAnswer {
    answer: OwnerWord,
}

/// What is done.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnerWord {
    /// It was seen; fixes go on.
    Acknowledge,
    /// Somebody is at it: hands off its hosts for 4 hours.
    Take,
    /// Nobody has it any more.
    GiveBack,
}

/// Says who has an incident: the token's maker, or nobody any more.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/owner", tag = "Incidents", params(("id" = Uuid, Path, description = "The incident"), crate::api::document::Key),
    request_body = OwnerAnswer, responses((status = 200, description = "It is so", body = Done), Problem), security(("token" = ["work"])))]
pub async fn answer(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<OwnerAnswer>,
) -> Result<Response, Problem> {
    let doing = match sent.said.answer {
        OwnerWord::Acknowledge => Doing::Acknowledge,
        OwnerWord::Take => Doing::Take,
        OwnerWord::GiveBack => Doing::GiveBack,
    };
    let act = async |tx: &mut _| Ok(Done { changed: have(tx, &caller.member, id, doing).await? });
    sent.act(&app, &caller, act).await
}
