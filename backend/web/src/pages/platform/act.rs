//! What operators do: suspend and resume, give a plan, and the platform's own brakes.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::SignedDuration;
use serde::Deserialize;
use store::platform::{self, storm as storms};
use uuid::Uuid;
use views::error::Kind;

use super::show::load;
use crate::layers::refusing;
use crate::operator::{Known, Sent};
use crate::posted::{inputs, reason};
use crate::{App, Failure};

type Id = Result<Path<Uuid>, PathRejection>;

/// An act with its reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    csrf: String,
    code: String,
    #[serde(default)]
    reason: String,
}

/// Giving a plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Give {
    csrf: String,
    code: String,
    plan: String,
}

/// The brake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brake {
    csrf: String,
    code: String,
    to: String,
    #[serde(default)]
    reason: String,
}

/// The storm.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    csrf: String,
    code: String,
    to: String,
    /// For how long one that begins lasts at most.
    #[serde(default)]
    hours: String,
    #[serde(default)]
    reason: String,
}

inputs!(Act, Give, Brake, Storm);

const WRONG: &str = "That was no code of this moment, or it was used already: nothing was done. Each code counts once.";

/// Goes on only with a code; else the page that says so.
async fn proven(app: &App, operator: &Known, code: &str) -> Result<Option<Response>, Failure> {
    if !operator.has_second {
        return Err(Failure::FORBIDDEN);
    }
    if operator.is_proven_by(app, code).await? {
        return Ok(None);
    }
    Ok(Some(refusing(&load(app, operator, None, Some(WRONG)).await?)))
}

async fn set_state(app: App, id: Id, to: &str, operator: Known, form: Act) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    if let Some(refused) = proven(&app, &operator, &form.code).await? {
        return Ok(refused);
    }
    let why = reason(&form.reason).unwrap_or_default();
    if to == "suspended" && why.is_empty() {
        return Ok(refusing(&load(&app, &operator, None, Some("Say why: nothing was done.")).await?));
    }
    if !platform::set_state(&app.store, id, to, &why, &operator.did()).await? {
        return Err(Failure::CONFLICT);
    }
    Ok(Redirect::to("/platform").into_response())
}

/// Shuts its members out, and lets the loops stop its actions.
pub async fn suspend(State(app): State<App>, id: Id, Sent(operator, form): Sent<Act>) -> Result<Response, Failure> {
    set_state(app, id, "suspended", operator, form).await
}

/// Lets them in again; its actions stay stopped until an owner or an admin lets it act.
pub async fn resume(State(app): State<App>, id: Id, Sent(operator, form): Sent<Act>) -> Result<Response, Failure> {
    set_state(app, id, "active", operator, form).await
}

/// Gives it another plan.
pub async fn plan(State(app): State<App>, id: Id, Sent(operator, form): Sent<Give>) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    if let Some(refused) = proven(&app, &operator, &form.code).await? {
        return Ok(refused);
    }
    if !platform::give_plan(&app.store, id, &form.plan, &operator.did()).await? {
        return Err(Failure::NOT_FOUND);
    }
    Ok(Redirect::to("/platform").into_response())
}

/// Stops handing out jobs everywhere, or ends that.
pub async fn brake(State(app): State<App>, Sent(operator, form): Sent<Brake>) -> Result<Response, Failure> {
    let is_on = match form.to.as_str() {
        "stop" => true,
        "go" => false,
        _ => return Err(Failure(Kind::BadRequest)),
    };
    if let Some(refused) = proven(&app, &operator, &form.code).await? {
        return Ok(refused);
    }
    let why = reason(&form.reason).unwrap_or_default();
    platform::set_brake(&app.store, is_on, &why, &operator.did()).await?;
    Ok(Redirect::to("/platform").into_response())
}

/// Lets every fix wait for some hours, or ends a storm that is on.
pub async fn storm(State(app): State<App>, Sent(operator, form): Sent<Storm>) -> Result<Response, Failure> {
    let hours = match (form.to.as_str(), form.hours.as_str()) {
        ("begin", "1" | "4" | "12") => form.hours.parse::<i64>().ok(),
        ("end", "") => None,
        _ => return Err(Failure(Kind::BadRequest)),
    };
    if let Some(refused) = proven(&app, &operator, &form.code).await? {
        return Ok(refused);
    }
    let Some(why) = reason(&form.reason) else {
        return Ok(refusing(&load(&app, &operator, None, Some("Say why: nothing was done.")).await?));
    };
    match hours {
        Some(hours) => storms::set_storm(&app.store, SignedDuration::from_hours(hours), &why, &operator.did()).await?,
        None if storms::end_storm(&app.store, &why, &operator.did()).await? => {}
        None => return Err(Failure::CONFLICT),
    }
    Ok(Redirect::to("/platform").into_response())
}
