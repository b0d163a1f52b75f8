//! `POST /api/v1/checks/{id}/archive`.

use axum::extract::State;
use axum::response::Response;

use crate::App;
use crate::api::{Caller, Done, Id, Nothing, Problem, Sent};
use crate::pages::settings::checks::archive_check;

/// Archives a check: nothing looks at it any more, its open incidents are closed, and its name is free. While a fix for it is
/// at work it is refused with 409.
#[utoipa::path(post, path = "/api/v1/checks/{id}/archive", tag = "Checks", params(("id" = Uuid, Path, description = "The check"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is archived", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn archive(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        archive_check(tx, &caller.member, id).await??;
        Ok(Done { changed: true })
    })
    .await
}
