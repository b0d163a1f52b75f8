//! `POST /hosts/{id}/hands-off` and `POST /hosts/{id}/release`: no actions here until then; and again.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::hosts;
use store::remediate::hands_off::{self, Whose};
use uuid::Uuid;
use views::HANDS_OFF_HOURS;
use views::error::Kind;

use crate::posted::{Input, Posted, reason};
use crate::{App, Failure};

/// The form of hands off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandsOff {
    csrf: String,
    hours: u8,
    reason: String,
}

impl Input for HandsOff {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// The form of a release.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    csrf: String,
}

impl Input for Release {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Says hands off.
pub async fn start(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<HandsOff>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    if !HANDS_OFF_HOURS.contains(&form.hours) {
        return Err(Failure(Kind::BadRequest));
    }
    let mut tx = member.begin(&app).await?;
    let client_id = hosts::find_client(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let by = member.name(&mut tx).await?;
    let reason = reason(&form.reason).unwrap_or_else(|| "no reason given".to_owned());
    hands_off::insert(&mut tx, Whose::Host { client_id, host_id: id }, form.hours, &reason, &by).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/hosts/{id}")))
}

/// Ends it before its time; what was held is looked at again at once.
pub async fn release(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Release>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let client_id = hosts::find_client(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let by = member.name(&mut tx).await?;
    hands_off::release(&mut tx, Whose::Host { client_id, host_id: id }, &by).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/hosts/{id}")))
}
