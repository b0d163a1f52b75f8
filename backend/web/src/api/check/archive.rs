//! `POST /api/v1/checks/{id}/archive`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::guardrail::limit::Outcome;
use crate::api::{Caller, Id, Problem, Sent, why};
use crate::pages::settings::checks::{CheckCame, archive_check};

/// Why a check is not to be looked at any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckEnd {
    /// Why; needed where it is no single host's, for the second person.
    #[serde(default)]
    #[schema(max_length = 200)]
    why: String,
}

/// Archives a check, with one of the scopes that end soon beside `clients`. One that was made on a host's page is `archived` at
/// once: nothing looks at it any more, its open incidents are closed, and its name is free; while a fix for it is at work it is
/// refused with 409. Any other is `proposed`: somebody else answers that under changes. `waits`: exactly this is proposed already.
#[utoipa::path(post, path = "/api/v1/checks/{id}/archive", tag = "Checks", params(("id" = Uuid, Path, description = "The check"), crate::api::document::Key),
    request_body = CheckEnd, responses((status = 200, description = "What came of it", body = Outcome), Problem), security(("token" = ["clients"])))]
pub async fn archive(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<CheckEnd>,
) -> Result<Response, Problem> {
    let why = why(&sent.said.why)?;
    sent.act(&app, &caller, async |tx| {
        let came = archive_check(&app, tx, &caller.member, id, why).await??;
        Ok(Outcome::of(match came {
            CheckCame::Archived(_) => "archived",
            CheckCame::Proposed => "proposed",
            CheckCame::Waits => "waits",
        }))
    })
    .await
}
