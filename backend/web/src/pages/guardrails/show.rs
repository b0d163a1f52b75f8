//! `GET /guardrails` and `GET /guardrails/{client}`.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Response;
use domain::access::Act;
use domain::remediate::decide::{LimitKind, StopKind};
use domain::remediate::guardrails::BucketKind;
use domain::remediate::maintenance::Times;
use domain::remediate::{damage, storm};
use jiff::Timestamp;
use store::pages::guardrails as stored;
use store::remediate::freezes::{self, Frozen};
use store::remediate::{guardrails, maintenance, stops, storms};
use store::{TenantTx, fleet};
use uuid::Uuid;
use views::guardrails::{About, ClientRow, Ends, GuardrailsPage, Planned, Reach, Standing, Stopped};
use views::{Limit, LimitResult, Nav, Used};

use crate::layers::page;
use crate::member::{Member, clock};
use crate::pages::host::limits;
use crate::pages::limit::label;
use crate::pages::{count, refused};
use crate::{App, Failure};

/// The most rows of each kind that are shown.
pub(super) const SHOWN: i64 = 500;

/// The organization's.
pub async fn show(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    answer(app, member, None).await
}

/// A client's.
pub async fn of_client(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    member: Member,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    answer(app, member, Some(id)).await
}

async fn answer(app: App, member: Member, client_id: Option<Uuid>) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Guardrails).await?;
    let now = tx.now().await?;
    let about = match client_id {
        None => About::Organization,
        Some(id) => {
            let client = fleet::find_client(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
            About::Client { id, name: client.name }
        }
    };
    // What concerns everybody is done by who sees everything.
    let whole = client_id.is_some() || member.sees_all();
    let clients = stored::list_clients(&mut tx, SHOWN).await?;
    let frozen = freezes::list(&mut tx).await?;
    let platform = guardrails::platform(&mut tx).await?;
    let here = |f: &&Frozen| f.host_id.is_none() && f.client_id == client_id;
    let stopped = frozen.iter().find(here).map(|f| Stopped { by: f.by.clone(), why: f.why.clone(), at: f.at });
    let stopped_above = platform.frozen || (client_id.is_some() && frozen.iter().any(|f| f.client_id.is_none()));
    let may_let = member.may(Act::LetAct);
    let mut standing: Vec<Standing> = platform.storm.into_iter().map(storm_of_platform).collect();
    standing.extend(stopped_elsewhere(&frozen, &clients, client_id));
    let stops = stops::list(&mut tx, SHOWN).await?;
    let hands_off =
        stops.iter().any(|s| s.kind == StopKind::HandsOff && s.host_id.is_none() && s.client_id == client_id);
    standing.extend(
        stops
            .iter()
            .filter(|s| client_id.is_none() || s.client_id == client_id || s.client_id.is_none())
            .map(|s| stop(s, may_let && (s.client_id.is_some() || member.sees_all()), client_id)),
    );
    let breakers = stored::list_breakers(&mut tx, SHOWN).await?;
    let concerns = |b: &&stored::Breaker| match (client_id, b.client_id) {
        (None, None) => member.sees_all(),
        (None, Some(_)) => true,
        (Some(id), of) => of == Some(id),
    };
    standing.extend(breakers.iter().filter(concerns).map(|b| breaker(b, may_let)));
    let reach = stored::find_reach(&mut tx, client_id).await?;
    let refused = refused::list(&mut tx, client_id).await?;
    let limits = all_limits(&mut tx, client_id, now).await?;
    Ok(page(&GuardrailsPage {
        shell,
        clock: clock(&app, now),
        about,
        stopped,
        stopped_above,
        may_stop: whole && member.may(Act::StopActions),
        may_let: whole && may_let,
        reach: Reach { hosts: count(reach.hosts), waiting: count(reach.waiting), running: count(reach.running) },
        standing,
        maintenance: planned(&mut tx, client_id).await?,
        limits,
        clients: if client_id.is_some() { Vec::new() } else { clients.iter().map(|c| row(c, &frozen)).collect() },
        refused,
        hands_off,
    }))
}

fn row(client: &stored::Client, frozen: &[Frozen]) -> ClientRow {
    ClientRow {
        id: client.client_id,
        name: client.name.clone(),
        hosts: count(client.hosts),
        held: count(client.held),
        stopped: frozen.iter().any(|f| f.host_id.is_none() && f.client_id == Some(client.client_id)),
    }
}

/// Clients and hosts that are stopped; the notice of the page tells of its own.
fn stopped_elsewhere(frozen: &[Frozen], clients: &[stored::Client], client_id: Option<Uuid>) -> Vec<Standing> {
    let of = |f: &Frozen| clients.iter().find(|client| Some(client.client_id) == f.client_id);
    let elsewhere = frozen.iter().filter(|f| f.host_id.is_some() || (client_id.is_none() && f.client_id.is_some()));
    elsewhere
        .filter(|f| client_id.is_none() || f.client_id == client_id)
        .filter_map(|f| {
            let client = of(f)?;
            Some(Standing {
                kind: "Stopped",
                place: if f.host_id.is_some() { format!("a host of {}", client.name) } else { client.name.clone() },
                words: words(f.by.as_deref(), f.why.as_deref()),
                since: f.at,
                until: None,
                ends: match f.host_id {
                    Some(host_id) => Ends::At(format!("/hosts/{host_id}")),
                    None => Ends::At(format!("/guardrails/{}", client.client_id)),
                },
            })
        })
        .collect()
}

/// What tenants are told of the others: that there is something.
fn storm_of_platform(ends_at: Timestamp) -> Standing {
    Standing {
        kind: "Storm",
        place: "every organization on this platform".to_owned(),
        words: "Much goes wrong at once, so the cause may be ours: no fix begins".to_owned(),
        since: None,
        until: Some(ends_at),
        ends: Ends::NotByYou,
    }
}

fn words(by: Option<&str>, why: Option<&str>) -> String {
    match (by, why) {
        (Some(by), Some(why)) => format!("{by}: {why}"),
        (Some(by), None) => by.to_owned(),
        (None, Some(why)) => why.to_owned(),
        (None, None) => "by a person".to_owned(),
    }
}

/// A stop that stands; `here` is the client whose page it is on.
pub fn stop(stop: &stops::Standing, may_end: bool, here: Option<Uuid>) -> Standing {
    let place = match (&stop.client, &stop.host) {
        (Some(client), Some(host)) => format!("{host} at {client}"),
        (Some(client), None) => client.clone(),
        _ => "the organization".to_owned(),
    };
    Standing {
        kind: match stop.kind {
            StopKind::HandsOff => "Hands off",
            StopKind::Interlock => "Interlock",
            StopKind::Maintenance => "Maintenance",
        },
        place,
        words: match stop.kind {
            StopKind::Maintenance => stop.reason.clone(),
            _ => words(Some(&stop.by), Some(&stop.reason)),
        },
        since: Some(stop.since),
        until: Some(stop.ends_at),
        ends: match (stop.kind, stop.host_id, stop.client_id) {
            (StopKind::Interlock, ..) if may_end => Ends::Release(stop.id),
            (StopKind::Interlock | StopKind::Maintenance, ..) => Ends::NotByYou,
            (StopKind::HandsOff, Some(host_id), _) => Ends::At(format!("/hosts/{host_id}")),
            (StopKind::HandsOff, None, Some(client_id)) if here != Some(client_id) => {
                Ends::At(format!("/guardrails/{client_id}"))
            }
            (StopKind::HandsOff, ..) => Ends::NotByYou,
        },
    }
}

/// Maintenance that is planned: all of it that the member may see, or what concerns one client.
pub async fn planned(tx: &mut TenantTx, client_id: Option<Uuid>) -> Result<Vec<Planned>, Failure> {
    let windows = maintenance::list(tx, None).await?;
    let concerns = |w: &&maintenance::Window| client_id.is_none() || w.client_id.is_none() || w.client_id == client_id;
    Ok(windows.iter().filter(concerns).map(plan).collect())
}

fn plan(window: &maintenance::Window) -> Planned {
    let times: Times = serde_json::from_value(window.times.clone()).unwrap_or_default();
    let place = match (&window.client, &window.host) {
        (Some(client), Some(host)) => format!("{host} at {client}"),
        (Some(client), None) => client.clone(),
        _ => "the organization".to_owned(),
    };
    Planned {
        name: window.name.clone(),
        place,
        times: format!("{}, {}", times.words(), window.time_zone),
        active: window.active,
        span: window.span.map(|span| (span.starts_at, span.ends_at)),
    }
}

/// A breaker that is not closed.
pub fn breaker(breaker: &stored::Breaker, may_close: bool) -> Standing {
    let playbook = breaker.playbook.as_deref().unwrap_or("a playbook");
    let place = match (&breaker.host, &breaker.client) {
        (Some(host), Some(client)) => format!("{host} at {client}, every fix"),
        (_, Some(client)) => format!("“{playbook}” at {client}"),
        _ => format!("“{playbook}” everywhere"),
    };
    let half = breaker.state == domain::remediate::breaker::State::HalfOpen;
    let words = if half { "One fix was let through, to see" } else { "Fixes went badly" };
    let again = match breaker.reopened {
        0 => String::new(),
        n => format!("; opened again {n} times, so it waits for a person"),
    };
    Standing {
        kind: "Breaker",
        place,
        words: format!("{words}{again}"),
        since: Some(breaker.since),
        until: None,
        ends: if may_close { Ends::Close(format!("{}:{}", breaker.scope.word(), breaker.key)) } else { Ends::NotByYou },
    }
}

/// The windows, and for a client what bounds the damage there.
pub async fn all_limits(tx: &mut TenantTx, client_id: Option<Uuid>, now: Timestamp) -> Result<Vec<Limit>, Failure> {
    let mut all = limits(&stored::list_windows(tx, client_id).await?);
    all.retain(|limit| limit.state.is_none()); // the notice tells that it is stopped
    if let Some(id) = client_id {
        let facts = stored::find_damage(tx, id).await?;
        let size = guardrails::size(tx, BucketKind::Client, &id.to_string()).await?;
        // Of no check in particular: what one check finds at other clients belongs to no client's page.
        let [of_client, _] = storm::rows(&storms::find(tx, id, Uuid::nil()).await?, size, now);
        let rows = damage::rows(&facts, size, now).into_iter().chain([of_client]);
        let word = |limit| match limit {
            LimitKind::Bad => "bad",
            LimitKind::Storm => "storm",
            _ => "unproven",
        };
        all.extend(rows.filter(|row| row.limit != LimitKind::Wave).map(|row| Limit {
            label: label(word(row.limit), row.scope.word(), None),
            used: Some(Used { used: row.used, of: row.max, unit: String::new() }),
            state: None,
            because: row.why,
            frees_at: row.frees_at,
            result: if row.holds { LimitResult::Held } else { LimitResult::Allowed },
        }));
    }
    Ok(all)
}
