//! `GET /api/v1/events`: what changes, as it changes.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::access::Act;
use store::auth;

use super::{Asked, Caller, Nothing, Problem};
use crate::App;
use crate::pages::events::{Ticket, told};
use crate::streams::{Owner, Streams};

/// What changes of what the token may read, as server-sent events. Each `change` has one line a thing: `incident`, `host`,
/// `figures` (a host's metrics) or `guardrail`, followed by its id where it is one thing; or `all`, when more changed than is named.
/// It never says what is different now: ask for that. Token, role and clients are looked at again every 15 s; `end` says that the
/// token may read no more. What happened while no stream was open is not told.
#[utoipa::path(get, path = "/api/v1/events", tag = "Events",
    responses((status = 200, description = "Events until the token ends or the server stops", body = String, content_type = "text/event-stream"), Problem),
    security(("token" = ["read"])))]
pub async fn stream(
    State(app): State<App>,
    Extension(streams): Extension<Streams>,
    caller: Caller,
    _: Asked<Nothing>,
) -> Result<Response, Problem> {
    caller.must(Act::Read)?;
    let bearer = auth::by_api_token(&app.store, &caller.hash).await?.ok_or(Problem::UNAUTHORIZED)?;
    let seat = bearer.member;
    let full = |owner: Owner| match owner {
        Owner::Node => Problem::of_status(StatusCode::SERVICE_UNAVAILABLE),
        Owner::Session(_) => Problem::TOO_MANY.because(format!("this token has {} streams open", owner.most())),
        Owner::Login(_) | Owner::Tenant(_) => {
            Problem::TOO_MANY.because(format!("{} has {} streams open", owner.words(), owner.most()))
        }
    };
    let place = streams.enter(caller.hash, seat.login_id, seat.scope.tenant_id()).map_err(full)?;
    Ok(told(app, place, Ticket::Token(caller.hash, caller.from), seat)?)
}
