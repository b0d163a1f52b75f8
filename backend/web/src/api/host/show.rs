//! `GET /api/v1/hosts/{id}`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use domain::detect::words::words;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::pages::hosts;
use store::{metrics, newcomers};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Id, Named, Nothing, Problem};
use crate::pages::host::services;

/// A host with its checks.
#[derive(Debug, Serialize, ToSchema)]
pub struct HostDetails {
    id: Uuid,
    name: String,
    client: Named,
    /// `trusted` or `quarantined`.
    state: String,
    quarantine_reason: Option<String>,
    #[schema(value_type = Object)]
    tags: Value,
    agent_version: Option<String>,
    booted_at: Option<Timestamp>,
    linked_at: Option<Timestamp>,
    unlinked_at: Option<Timestamp>,
    /// Hands off here or for its client lasts until then.
    hands_off_until: Option<Timestamp>,
    checks: Vec<Check>,
    /// The services that it declares: each can be watched.
    services: Vec<String>,
    /// A machine that calls itself this host and has another key waits for an answer.
    claim: Option<Claim>,
}

/// A machine that calls itself a host of ours.
#[derive(Debug, Serialize, ToSchema)]
pub struct Claim {
    /// Its key, in hexadecimal digits.
    key: String,
    /// What it calls itself.
    hostname: String,
    address: Option<String>,
    asked_at: Timestamp,
}

/// How a check of it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    name: String,
    target: String,
    /// `ok`, `warning`, `critical` or `no_data`.
    verdict: String,
    verdict_at: Timestamp,
    /// What was read last, in words.
    reading: String,
    observed_at: Timestamp,
}

/// One host.
#[utoipa::path(get, path = "/api/v1/hosts/{id}", tag = "Hosts", params(("id" = Uuid, Path, description = "The host")),
    responses((status = 200, description = "The host", body = HostDetails), Problem), security(("token" = ["read"])))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    _: Asked<Nothing>,
    Id(id): Id,
) -> Result<Json<HostDetails>, Problem> {
    caller.must(Act::Read)?;
    let mut tx = caller.member.begin(&app).await?;
    let row = hosts::list(&mut tx, hosts::Of::Host(id), 1).await?.pop().ok_or(Problem::NOT_FOUND)?;
    let now = tx.now().await?;
    let off = hosts::list_hands_off(&mut tx, now).await?;
    let hands_off_until = crate::parts::hands_off(&off, &row, now).map(|off| off.until_at);
    let checks = hosts::list_checks(&mut tx, id).await?.into_iter().map(|check| Check {
        name: check.check,
        target: check.target,
        verdict: check.verdict,
        verdict_at: check.verdict_at,
        reading: words(&check.readings),
        observed_at: check.observed_at,
    });
    let newest = metrics::find_now(&mut tx, id).await?;
    let services = newest.map(|newest| services(&newest.extra)).unwrap_or_default();
    let claim = newcomers::find_claim(&mut tx, id).await?.map(|claim| Claim {
        key: hex::encode(&claim.public_key),
        hostname: claim.hostname,
        address: claim.address,
        asked_at: claim.asked_at,
    });
    Ok(Json(HostDetails {
        id,
        services: services.into_iter().map(|service| service.name).collect(),
        claim,
        checks: checks.collect(),
        hands_off_until,
        name: row.name,
        client: Named { id: row.client_id, name: row.client },
        state: row.state,
        quarantine_reason: row.quarantine_reason,
        tags: row.tags,
        agent_version: row.agent_version,
        booted_at: row.booted_at,
        linked_at: row.linked_at,
        unlinked_at: row.unlinked_at,
    }))
}
