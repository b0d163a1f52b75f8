//! `POST /api/v1/hosts/{id}/…`: hands off, release, the same machine, retiring, newcomers and claims, watching a service.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use views::HANDS_OFF_HOURS;

use crate::App;
use crate::api::{Caller, Done, Id, Made, Nothing, Problem, Sent, reason, some};
use crate::pages::enrolment::{Word, answer_claim, welcome};
use crate::pages::host::{attest, begin_hands_off, end_hands_off, retire_host, watch_service};

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

impl HandsOff {
    /// For how long, if it is one of the list, and the reason.
    pub fn read(&self) -> Result<(u8, String), Problem> {
        if !HANDS_OFF_HOURS.contains(&self.hours) {
            return Err(Problem::invalid("hours", "it must be 1, 4 or 12"));
        }
        Ok((self.hours, reason(&self.reason, 200)?))
    }
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
    let (hours, reason) = sent.said.read()?;
    sent.act(&app, &caller, async |tx| {
        begin_hands_off(tx, &caller.member, id, hours, some(&reason)).await?;
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

/// Retires a host: its key opens nothing any more, its link ends, its incidents are closed, and its name is free. Nothing
/// brings it back; its machine enrols anew, with another key. While a fix is at work there it is refused with 409.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/retire", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is retired", body = Done), Problem), security(("token" = ["trust"])))]
pub async fn retire(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = retire_host(tx, &caller.member, id).await??;
        Ok(Done { changed })
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

/// Which machine it is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Machine {
    Same,
    Other,
}

/// An answer to a machine that calls itself this host and has another key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimAnswer {
    #[schema(inline)]
    answer: Machine,
    /// Of the same machine: exactly the key that the host's claim tells, in hexadecimal digits.
    #[serde(default)]
    #[schema(max_length = 200)]
    key: String,
}

/// Answers a machine that calls itself this host: the same, which goes on with the key that was told, or another. A claim of
/// another key, or none, is answered with 409.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/claim", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = ClaimAnswer, responses((status = 200, description = "It is answered", body = Done), Problem), security(("token" = ["trust"])))]
pub async fn claim(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<ClaimAnswer>,
) -> Result<Response, Problem> {
    let digits = |_| Problem::invalid("key", "it must be hexadecimal digits");
    let key = hex::decode(&sent.said.key).map_err(digits)?;
    let word = match sent.said.answer {
        Machine::Same => Word::Same(&key),
        Machine::Other => Word::Other,
    };
    sent.act(&app, &caller, async |tx| {
        if !answer_claim(tx, &caller.member, id, word).await? {
            return Err(Problem::of_status(StatusCode::CONFLICT));
        }
        Ok(Done { changed: true })
    })
    .await
}

/// A service that its host declares.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Its name, one of the host's `services`.
    #[schema(min_length = 1, max_length = 200)]
    service: String,
}

/// Watches a service on this host from now on: makes a check, whose id is answered.
#[utoipa::path(post, path = "/api/v1/hosts/{id}/watch", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), crate::api::document::Key),
    request_body = Watch, responses((status = 200, description = "It is watched", body = Made), Problem), security(("token" = ["clients"])))]
pub async fn watch(State(app): State<App>, caller: Caller, Id(id): Id, sent: Sent<Watch>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let id = watch_service(tx, &caller.member, id, &sent.said.service).await??;
        Ok(Made { id })
    })
    .await
}
