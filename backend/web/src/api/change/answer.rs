//! `POST /api/v1/changes/{id}`.

use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::approval::answer::Word;
use crate::api::{Caller, Done, Id, Problem, Sent, reason};
use crate::pages::change::say;

/// A second person's word.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    #[schema(inline)]
    answer: Word,
    /// Why; people read it.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

/// Answers a change. It is the token's maker who answers: what they proposed somebody else confirms.
#[utoipa::path(post, path = "/api/v1/changes/{id}", tag = "Changes", params(("id" = Uuid, Path, description = "The change"), crate::api::document::Key),
    request_body = Confirmation, responses((status = 200, description = "The answer is stored", body = Done), Problem), security(("token" = ["confirm"])))]
pub async fn answer(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Confirmation>,
) -> Result<Response, Problem> {
    caller.must(Act::ConfirmChanges)?;
    let reason = reason(&sent.said.reason, 500)?;
    let word = match sent.said.answer {
        Word::Yes => domain::change::Word::Yes,
        Word::No => domain::change::Word::No,
    };
    sent.act(&app, &caller, async |tx| {
        say(tx, &caller.member, id, word, &reason).await?;
        Ok(Done { changed: true })
    })
    .await
}
