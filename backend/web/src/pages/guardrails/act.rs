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
    let reason = reason(&form.reason);
    stop_place(&mut tx, member, client_id, reason.as_deref()).await?;
    tx.commit().await?;
    Ok(back(client_id))
}

/// Stops all actions of a client, or of the organization. False: they were stopped.
pub async fn stop_place(
    tx: &mut TenantTx,
    member: &Member,
    client_id: Option<Uuid>,
    reason: Option<&str>,
) -> Result<bool, Failure> {
    member.must(Act::StopActions)?;
    let place = place(tx, member, client_id).await?;
    let reason = reason.ok_or(Failure(Kind::BadRequest))?;
    let by = member.name(tx).await?;
    Ok(freezes::insert(tx, place, reason, &by).await?.is_some())
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
    member.must_be_proven(app).await?;
    let mut tx = member.begin(app).await?;
    let_act(&mut tx, member, client_id).await?;
    tx.commit().await?;
    Ok(back(client_id))
}

/// Lets a client, or the organization, act again. False: it was not stopped.
pub async fn let_act(tx: &mut TenantTx, member: &Member, client_id: Option<Uuid>) -> Result<bool, Failure> {
    member.must(Act::LetAct)?;
    let place = place(tx, member, client_id).await?;
    Ok(freezes::release(tx, place).await?)
}

/// Says hands off for a client.
pub async fn hands_off(
    State(app): State<App>,
    id: Id,
    Posted(member, form): Posted<HandsOff>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    begin_hands_off(&mut tx, &member, id, form.hours, reason(&form.reason).as_deref()).await?;
    tx.commit().await?;
    Ok(back(Some(id)))
}

/// Hands off a client, for some hours of the list.
pub async fn begin_hands_off(
    tx: &mut TenantTx,
    member: &Member,
    client_id: Uuid,
    hours: u8,
    reason: Option<&str>,
) -> Result<(), Failure> {
    member.must(Act::WorkIncidents)?;
    if !HANDS_OFF_HOURS.contains(&hours) {
        return Err(Failure(Kind::BadRequest));
    }
    place(tx, member, Some(client_id)).await?;
    let by = member.name(tx).await?;
    let reason = reason.unwrap_or("no reason given");
    store::remediate::hands_off::insert(tx, Whose::Client(client_id), hours, reason, &by).await?;
    Ok(())
}

/// Ends hands off for a client.
pub async fn hands_on(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    end_hands_off(&mut tx, &member, id).await?;
    tx.commit().await?;
    Ok(back(Some(id)))
}

/// Ends hands off for a client before its time. False: there was none.
pub async fn end_hands_off(tx: &mut TenantTx, member: &Member, client_id: Uuid) -> Result<bool, Failure> {
    member.must(Act::WorkIncidents)?;
    place(tx, member, Some(client_id)).await?;
    let by = member.name(tx).await?;
    Ok(store::remediate::hands_off::release(tx, Whose::Client(client_id), &by).await? > 0)
}

/// Ends an interlock before its time.
pub async fn release(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    member.must(Act::LetAct)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    end_interlock(&mut tx, &member, id).await?;
    tx.commit().await?;
    Ok(Redirect::to("/guardrails"))
}

/// Ends an interlock before its time. False: it was over.
pub async fn end_interlock(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<bool, Failure> {
    member.must(Act::LetAct)?;
    match interlocks::find_place(tx, id).await? {
        None => return Err(Failure::NOT_FOUND),
        Some(Place::Tenant) if !member.sees_all() => return Err(Failure::NOT_FOUND),
        Some(Place::Client(client_id) | Place::Host { client_id, .. }) => {
            fleet::find_client(tx, client_id).await?.ok_or(Failure::NOT_FOUND)?;
        }
        Some(Place::Tenant) => {}
    }
    let by = member.name(tx).await?;
    Ok(interlocks::release(tx, id, &by).await?)
}

/// Closes a breaker: a person has looked.
pub async fn close_breaker(State(app): State<App>, Posted(member, form): Posted<Close>) -> Result<Redirect, Failure> {
    member.must(Act::LetAct)?;
    let reason = reason(&form.reason).ok_or(Failure(Kind::BadRequest))?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    close(&mut tx, &member, &form.breaker, &reason).await?;
    tx.commit().await?;
    Ok(Redirect::to("/guardrails"))
}

/// The breaker that `scope:key` names, which need not be there.
pub fn named(breaker: &str) -> Option<(Scope, &str)> {
    let (scope, key) = breaker.split_once(':')?;
    Some((Scope::parse(scope)?, key))
}

/// Closes `scope:key`. False: it was closed, or there is none that the member may know of.
pub async fn close(tx: &mut TenantTx, member: &Member, breaker: &str, reason: &str) -> Result<bool, Failure> {
    member.must(Act::LetAct)?;
    let (scope, key) = named(breaker).ok_or(Failure(Kind::BadRequest))?;
    let seen = store::pages::guardrails::list_breakers(tx, super::show::SHOWN).await?;
    let all = member.sees_all();
    if !seen.iter().any(|row| row.scope == scope && row.key == key && (all || row.client_id.is_some())) {
        return Ok(false);
    }
    Ok(breakers::close(tx, scope, key, reason).await?)
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

fn back(client_id: Option<Uuid>) -> Redirect {
    match client_id {
        Some(client_id) => Redirect::to(&format!("/guardrails/{client_id}")),
        None => Redirect::to("/guardrails"),
    }
}
