//! `GET /api/v1/guardrails`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use domain::remediate::decide::StopKind;
use jiff::Timestamp;
use serde::Serialize;
use store::pages::guardrails as stored;
use store::remediate::{freezes, guardrails, stops};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Named, Nothing, Problem};

/// The most rows of each kind.
const MOST: i64 = 500;

/// What stands against fixes now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Guardrails {
    /// The whole platform is stopped by its operator.
    platform_stopped: bool,
    /// Until when no fix begins anywhere, because much goes wrong at once on the whole platform; none: there is no such storm.
    platform_storm_until: Option<Timestamp>,
    /// Where all actions are stopped by a person.
    stopped: Vec<Stopped>,
    /// Hands off and interlocks.
    stops: Vec<Stop>,
    /// Breakers that are not closed.
    breakers: Vec<Breaker>,
}

/// Where all actions are stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stopped {
    /// The client; none: the whole organization.
    client: Option<Uuid>,
    /// The host of that client; none: all of them.
    host: Option<Uuid>,
    by: Option<String>,
    reason: Option<String>,
    since: Option<Timestamp>,
}

/// Hands off or an interlock.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stop {
    id: Uuid,
    /// `hands_off` or `interlock`.
    kind: &'static str,
    client: Option<Named>,
    host: Option<Named>,
    reason: String,
    by: String,
    since: Timestamp,
    ends_at: Timestamp,
}

/// A breaker that is not closed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Breaker {
    /// As closing it names it.
    breaker: String,
    state: String,
    since: Timestamp,
    client: Option<Named>,
    host: Option<String>,
    playbook: Option<String>,
}

/// What stands against fixes now.
#[utoipa::path(get, path = "/api/v1/guardrails", tag = "Guardrails",
    responses((status = 200, description = "What stands, 500 of each kind at most", body = Guardrails), Problem), security(("token" = ["read"])))]
pub async fn show(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<Guardrails>, Problem> {
    caller.must(Act::Read)?;
    let mut tx = caller.member.begin(&app).await?;
    let named = |id: Option<Uuid>, name: Option<String>| id.zip(name).map(|(id, name)| Named { id, name });
    let platform = guardrails::platform(&mut tx).await?;
    let stopped = freezes::list(&mut tx).await?.into_iter().map(|frozen| Stopped {
        client: frozen.client_id,
        host: frozen.host_id,
        by: frozen.by,
        reason: frozen.why,
        since: frozen.at,
    });
    let stopped = stopped.collect();
    let stops = stops::list(&mut tx, MOST).await?.into_iter().map(|stop| Stop {
        id: stop.id,
        kind: match stop.kind {
            StopKind::HandsOff => "hands_off",
            _ => "interlock",
        },
        client: named(stop.client_id, stop.client),
        host: named(stop.host_id, stop.host),
        reason: stop.reason,
        by: stop.by,
        since: stop.since,
        ends_at: stop.ends_at,
    });
    let stops = stops.collect();
    let all = caller.member.sees_all();
    let breakers = stored::list_breakers(&mut tx, MOST).await?.into_iter().filter(|b| all || b.client_id.is_some());
    let breakers = breakers.map(|b| Breaker {
        breaker: format!("{}:{}", b.scope.word(), b.key),
        state: b.state.word().to_owned(),
        since: b.since,
        client: named(b.client_id, b.client),
        host: b.host,
        playbook: b.playbook,
    });
    let breakers = breakers.collect();
    let (platform_stopped, platform_storm_until) = (platform.frozen, platform.storm);
    Ok(Json(Guardrails { platform_stopped, platform_storm_until, stopped, stops, breakers }))
}
