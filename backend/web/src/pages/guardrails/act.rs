//! `POST /guardrails/…`: stop, let act again, hands off a client, end an interlock, close a breaker.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use domain::remediate::breaker::Scope;
use serde::Deserialize;
use store::remediate::hands_off::Whose;
use store::remediate::stops::Place;
use store::remediate::{breakers, freezes, interlocks};
use store::{TenantTx, fleet};
use uuid::Uuid;
use views::HANDS_OFF_HOURS;
use views::error::Kind;

use crate::member::Member;
use crate::posted::{Posted, inputs, reason};
use crate::{App, Failure};

inputs!(Stop, Button, HandsOff, Close);

type Id = Result<Path<Uuid>, PathRejection>;

/// The form that stops.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    csrf: String,
    reason: String,
}

/// A button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    csrf: String,
}

/// The form of hands off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandsOff {
    csrf: String,
    hours: u8,
    reason: String,
}

/// The form that closes a breaker.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    csrf: String,
    breaker: String,
    reason: String,
}

/// Stops all actions of the organization.
pub async fn stop(State(app): State<App>, Posted(member, form): Posted<Stop>) -> Result<Redirect, Failure> {
    stop_at(&app, &member, None, &form).await
}

/// Stops all actions of a client.
pub async fn stop_client(
    State(app): State<App>,
    id: Id,
    Posted(member, form): Posted<Stop>,
) -> Result<Redirect, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    stop_at(&app, &member, Some(id), &form).await
}

async fn stop_at(app: &App, member: &Member, client_id: Option<Uuid>, form: &Stop) -> Result<Redirect, Failure> {
    member.must(Act::StopActions)?;
    let mut tx = member.begin(app).await?;
    let place = place(&mut tx, member, client_id).await?;
    let reason = reason(&form.reason).ok_or(Failure(Kind::BadRequest))?;
    let by = member.name(&mut tx).await?;
    freezes::insert(&mut tx, place, &reason, &by).await?;
    tx.commit().await?;
    Ok(back(place))
}

/// Lets the organization act again.
pub async fn go(State(app): State<App>, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    go_at(&app, &member, None).await
}

/// Lets a client's hosts be acted on again.
pub async fn go_client(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    go_at(&app, &member, Some(id)).await
}

async fn go_at(app: &App, member: &Member, client_id: Option<Uuid>) -> Result<Redirect, Failure> {
    member.must(Act::LetAct)?;
    let mut tx = member.begin(app).await?;
    let place = place(&mut tx, member, client_id).await?;
    freezes::release(&mut tx, place).await?;
    tx.commit().await?;
    Ok(back(place))
}

/// Says hands off for a client.
pub async fn hands_off(
    State(app): State<App>,
    id: Id,
    Posted(member, form): Posted<HandsOff>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    if !HANDS_OFF_HOURS.contains(&form.hours) {
        return Err(Failure(Kind::BadRequest));
    }
    let mut tx = member.begin(&app).await?;
    let place = place(&mut tx, &member, Some(id)).await?;
    let by = member.name(&mut tx).await?;
    let reason = reason(&form.reason).unwrap_or_else(|| "no reason given".to_owned());
    store::remediate::hands_off::insert(&mut tx, Whose::Client(id), form.hours, &reason, &by).await?;
    tx.commit().await?;
    Ok(back(place))
}

/// Ends hands off for a client.
pub async fn hands_on(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let place = place(&mut tx, &member, Some(id)).await?;
    let by = member.name(&mut tx).await?;
    store::remediate::hands_off::release(&mut tx, Whose::Client(id), &by).await?;
    tx.commit().await?;
    Ok(back(place))
}

/// Ends an interlock before its time.
pub async fn release(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    member.must(Act::LetAct)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    match interlocks::find_place(&mut tx, id).await? {
        None => return Err(Failure::NOT_FOUND),
        Some(Place::Tenant) if !member.sees_all() => return Err(Failure::NOT_FOUND),
        Some(Place::Client(client_id) | Place::Host { client_id, .. }) => {
            fleet::find_client(&mut tx, client_id).await?.ok_or(Failure::NOT_FOUND)?;
        }
        Some(Place::Tenant) => {}
    }
    let by = member.name(&mut tx).await?;
    interlocks::release(&mut tx, id, &by).await?;
    tx.commit().await?;
    Ok(Redirect::to("/guardrails"))
}

/// Closes a breaker: a person has looked.
pub async fn close_breaker(State(app): State<App>, Posted(member, form): Posted<Close>) -> Result<Redirect, Failure> {
    member.must(Act::LetAct)?;
    let reason = reason(&form.reason).ok_or(Failure(Kind::BadRequest))?;
    let (scope, key) = form.breaker.split_once(':').ok_or(Failure(Kind::BadRequest))?;
    let scope = Scope::parse(scope).ok_or(Failure(Kind::BadRequest))?;
    let mut tx = member.begin(&app).await?;
    // Only one that the member may know of; one that has closed meanwhile is what was asked for.
    let seen = store::pages::guardrails::list_breakers(&mut tx, super::show::SHOWN).await?;
    let all = member.sees_all();
    if seen.iter().any(|row| row.scope == scope && row.key == key && (all || row.client_id.is_some())) {
        breakers::close(&mut tx, scope, key, &reason).await?;
        tx.commit().await?;
    }
    Ok(Redirect::to("/guardrails"))
}

/// A client that the member sees; or the organization, for who sees all of it.
async fn place(tx: &mut TenantTx, member: &Member, client_id: Option<Uuid>) -> Result<Place, Failure> {
    match client_id {
        None if member.sees_all() => Ok(Place::Tenant),
        None => Err(Failure::NOT_FOUND),
        Some(id) => {
            fleet::find_client(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
            Ok(Place::Client(id))
        }
    }
}

fn back(place: Place) -> Redirect {
    match place {
        Place::Client(client_id) => Redirect::to(&format!("/guardrails/{client_id}")),
        _ => Redirect::to("/guardrails"),
    }
}
