//! `POST /api/v1/hosts/{id}/…`: hands off, release, the same machine.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Id, Nothing, Problem, Sent, reason, some};
use crate::pages::enrolment::welcome;
use crate::pages::host::{attest, begin_hands_off, end_hands_off};

/// No actions for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandsOff {
    /// For how many hours: 1, 4 or 12.
    #[schema(minimum = 1, maximum = 12)]
    pub hours: u8,
    /// Why; people read it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub reason: String,
}

/// No actions on this host for a while.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/hands-off", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = HandsOff, responses((status = 200, description = "Hands off", body = Done), Problem), security(("token" = ["work"])))]
pub async fn hands_off(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<HandsOff>,
) -> Result<Response, Problem> {
    let reason = reason(&sent.said.reason, 200)?;
    sent.act(&app, &caller, async |tx| {
        begin_hands_off(tx, &caller.member, id, sent.said.hours, some(&reason)).await?;
        Ok(Done { changed: true })
    })
    .await
}

/// Ends hands off on this host; what was held is looked at again at once.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/release", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "Released", body = Done), Problem), security(("token" = ["work"])))]
pub async fn release(
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

/// Says that a quarantined host is the same machine: it is trusted again.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/same-machine", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "Trusted again", body = Done), Problem), security(("token" = ["trust"])))]
pub async fn same_machine(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        attest(tx, &caller.member, id).await?;
        Ok(Done { changed: true })
    })
    .await
}

/// Accepts a host that came by a token for many: it is trusted.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/accept", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "Accepted", body = Done), Problem), security(("token" = ["trust"])))]
pub async fn accept(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    let act = async |tx: &mut _| Ok(Done { changed: welcome(tx, &caller.member, id, true).await? });
    sent.act(&app, &caller, act).await
}

/// Sends a host away that came by a token for many and waits: its key works no more.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/refuse", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "Sent away", body = Done), Problem), security(("token" = ["trust"])))]
pub async fn refuse(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    let act = async |tx: &mut _| Ok(Done { changed: welcome(tx, &caller.member, id, false).await? });
    sent.act(&app, &caller, act).await
}
