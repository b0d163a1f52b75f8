//! `POST /api/v1/incidents/{id}/doubt`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use store::remediate::doubt::Answer;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Caller, Done, Id, Problem, Sent};
use crate::pages::incident::end_doubt;

/// A person's word on a run in doubt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    /// The run.
    run: Uuid,
    #[schema(inline)]
    answer: Ran,
}

/// Whether a run in doubt ran.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ran {
    /// It ran: it is verified.
    Ran,
    /// It did not run.
    DidNotRun,
}

/// Ends a doubt.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/doubt", tag = "Incidents", params(("id" = Uuid, Path, description = "The incident"), crate::api::document::Key),
    request_body = Doubt, responses((status = 200, description = "The doubt is over", body = Done), Problem), security(("token" = ["work"])))]
pub async fn answer(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Doubt>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let answer = match sent.said.answer {
            Ran::Ran => Answer::Ran,
            Ran::DidNotRun => Answer::DidNotRun,
        };
        end_doubt(tx, &caller.member, id, sent.said.run, answer).await?;
        Ok(Done { changed: true })
    })
    .await
}
