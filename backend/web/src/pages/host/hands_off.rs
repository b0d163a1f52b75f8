//! `POST /hosts/{id}/hands-off` and `POST /hosts/{id}/release`: no actions here until then; and again.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::remediate::hands_off::{self, Whose};
use store::{TenantTx, hosts};
use uuid::Uuid;
use views::HANDS_OFF_HOURS;
use views::error::Kind;

use crate::member::Member;
use crate::posted::{Posted, inputs, reason};
use crate::{App, Failure};

/// The form of hands off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandsOff {
    csrf: String,
    hours: u8,
    reason: String,
}

inputs!(HandsOff);

/// The form of a release.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    csrf: String,
}

inputs!(Release);

/// Hands off a host, for some hours of the list.
pub async fn begin(
    tx: &mut TenantTx,
    member: &Member,
    host_id: Uuid,
    hours: u8,
    reason: Option<&str>,
) -> Result<(), Failure> {
    member.must(Act::WorkIncidents)?;
    if !HANDS_OFF_HOURS.contains(&hours) {
        return Err(Failure(Kind::BadRequest));
    }
    // On one that is retired nothing is done any more.
    let host = hosts::find(tx, host_id).await?.filter(|host| host.state != "retired").ok_or(Failure::NOT_FOUND)?;
    let client_id = host.client_id;
    let by = member.name(tx).await?;
    let reason = reason.unwrap_or("no reason given");
    hands_off::insert(tx, Whose::Host { client_id, host_id }, hours, reason, &by).await?;
    Ok(())
}

/// Ends it before its time; what was held is looked at again at once. False: there was none.
pub async fn end(tx: &mut TenantTx, member: &Member, host_id: Uuid) -> Result<bool, Failure> {
    member.must(Act::WorkIncidents)?;
    let client_id = hosts::find_client(tx, host_id).await?.ok_or(Failure::NOT_FOUND)?;
    let by = member.name(tx).await?;
    Ok(hands_off::release(tx, Whose::Host { client_id, host_id }, &by).await? > 0)
}

/// Says hands off.
pub async fn start(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<HandsOff>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    begin(&mut tx, &member, id, form.hours, reason(&form.reason).as_deref()).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/hosts/{id}")))
}

/// Ends hands off.
pub async fn release(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Release>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    end(&mut tx, &member, id).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/hosts/{id}")))
}
