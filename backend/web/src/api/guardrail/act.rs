//! `POST /api/v1/guardrails/…` and `/api/v1/clients/{id}/…`: stop, let act again, hands off a client, end an interlock, close
//! a breaker.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::host::act::HandsOff;
use crate::api::{Caller, Done, Id, Nothing, Problem, Sent, reason, some};
use crate::pages::guardrails::{begin_hands_off, close, end_hands_off, end_interlock, let_act, named, stop_place};

/// Where, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopWanted {
    /// Only this client; without it the whole organization.
    client: Option<Uuid>,
    /// Why; people read it.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// Where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Go {
    /// Only this client; without it the whole organization.
    client: Option<Uuid>,
}

/// Which breaker, and what was found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// As the list tells it.
    #[schema(max_length = 200)]
    breaker: String,
    /// What was found; people read it.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

fn needed(said: &str) -> Result<String, Problem> {
    let said = reason(said, 200)?;
    if said.is_empty() { Err(Problem::invalid("reason", "it must not be empty")) } else { Ok(said) }
}

/// Stops all actions at once.
#[utoipa::path(post, path = "/api/v1/guardrails/stop", tag = "Guardrails", params(crate::api::document::Key), request_body = StopWanted,
    responses((status = 200, description = "Stopped", body = Done), Problem), security(("token" = ["stop"])))]
pub async fn stop(State(app): State<App>, caller: Caller, sent: Sent<StopWanted>) -> Result<Response, Problem> {
    let reason = needed(&sent.said.reason)?;
    sent.act(&app, &caller, async |tx| {
        let changed = stop_place(tx, &caller.member, sent.said.client, Some(&reason)).await?;
        Ok(Done { changed })
    })
    .await
}

/// Lets act again what was stopped.
#[utoipa::path(post, path = "/api/v1/guardrails/go", tag = "Guardrails", params(crate::api::document::Key), request_body = Go,
    responses((status = 200, description = "It may act", body = Done), Problem), security(("token" = ["let_act"])))]
pub async fn go(State(app): State<App>, caller: Caller, sent: Sent<Go>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = let_act(tx, &caller.member, sent.said.client).await?;
        Ok(Done { changed })
    })
    .await
}

/// Closes a breaker: somebody has looked at what went badly. One that is closed, or that nobody knows, stays as it is.
#[utoipa::path(post, path = "/api/v1/guardrails/breaker", tag = "Guardrails", params(crate::api::document::Key), request_body = Close,
    responses((status = 200, description = "It is closed", body = Done), Problem), security(("token" = ["let_act"])))]
pub async fn close_breaker(State(app): State<App>, caller: Caller, sent: Sent<Close>) -> Result<Response, Problem> {
    let reason = needed(&sent.said.reason)?;
    if named(&sent.said.breaker).is_none() {
        return Err(Problem::invalid("breaker", "it must be a scope and a key, as the list tells them: scope:key"));
    }
    sent.act(&app, &caller, async |tx| {
        let changed = close(tx, &caller.member, &sent.said.breaker, &reason).await?;
        Ok(Done { changed })
    })
    .await
}

/// Ends an interlock before its time.
#[utoipa::path(post, path = "/api/v1/guardrails/interlocks/{id}/release", tag = "Guardrails", params(("id" = Uuid, Path, description = "The interlock"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is over", body = Done), Problem), security(("token" = ["let_act"])))]
pub async fn release(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = end_interlock(tx, &caller.member, id).await?;
        Ok(Done { changed })
    })
    .await
}

/// No actions on a client's hosts for a while.
#[utoipa::path(post, path = "/api/v1/clients/{id}/hands-off", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = HandsOff, responses((status = 200, description = "Hands off", body = Done), Problem), security(("token" = ["work"])))]
pub async fn hands_off(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<HandsOff>,
) -> Result<Response, Problem> {
    let (hours, reason) = sent.said.read()?;
    sent.act(&app, &caller, async |tx| {
        begin_hands_off(tx, &caller.member, id, hours, some(&reason)).await?;
        Ok(Done { changed: true })
    })
    .await
}

/// Ends hands off for a client.
#[utoipa::path(post, path = "/api/v1/clients/{id}/release", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "Released", body = Done), Problem), security(("token" = ["work"])))]
pub async fn hands_on(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = end_hands_off(tx, &caller.member, id).await?;
        Ok(Done { changed })
    })
    .await
}
