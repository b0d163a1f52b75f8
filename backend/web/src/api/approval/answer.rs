//! `POST /api/v1/approvals/{id}`.

use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Id, Problem, Sent, reason};
use crate::pages::incident::{Said, say};

/// A yes or no to exactly one plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[schema(inline)]
    answer: Word,
    /// The plan that was seen, as the list tells it.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    plan: String,
    /// Why; people read it.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Let it run.
    Yes,
    /// Do not.
    No,
}

/// Answers a fix that asks first. It is the token's maker who answers: their own requests stay with somebody else.
#[utoipa::path(post, path = "/api/v1/approvals/{id}", tag = "Approvals", params(("id" = Uuid, Path, description = "The run"), crate::api::document::Key),
    request_body = Answer, responses((status = 200, description = "The answer is stored", body = Done), Problem), security(("token" = ["approve"])))]
pub async fn answer(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Answer>,
) -> Result<Response, Problem> {
    caller.must(Act::Approve)?;
    let plan = hex::decode(&sent.said.plan).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let plan = plan.ok_or_else(|| Problem::invalid("plan", "it is no digest of a plan: 64 hex digits"))?;
    let said = Said { yes: sent.said.answer == Word::Yes, plan, reason: reason(&sent.said.reason, 500)? };
    sent.act(&app, &caller, async |tx| {
        let run = store::remediate::runs::find(tx, id).await?.ok_or(Problem::NOT_FOUND)?;
        say(tx, &caller.member, run.incident_id, id, said).await?;
        Ok(Done { changed: true })
    })
    .await
}
