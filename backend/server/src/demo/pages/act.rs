//! `POST /demo/break` and `POST /demo/reset`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use web::{App, Failure, Input, Posted};

use super::Theatre;
use crate::demo::{Victim, breaking, find};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Press {
    csrf: String,
    victim: String,
}

impl Input for Press {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Breaks it; what is broken already stays as it is.
pub async fn break_it(
    State(app): State<App>,
    Extension(theatre): Extension<Arc<Theatre>>,
    Posted(member, press): Posted<Press>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let victim = find(&press.victim).ok_or(Failure::NOT_FOUND)?;
    let _turn = theatre.turn.lock().await;
    let done = breaking::break_it(&app.store, member.seat(), victim, &theatre.files(victim)).await;
    back(victim, done.map(drop))
}

/// Brings it back.
pub async fn reset(
    State(app): State<App>,
    Extension(theatre): Extension<Arc<Theatre>>,
    Posted(member, press): Posted<Press>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let victim = find(&press.victim).ok_or(Failure::NOT_FOUND)?;
    let _turn = theatre.turn.lock().await;
    back(victim, breaking::reset(&app.store, member.seat(), victim, &theatre.files(victim)).await)
}

/// To its card, or the cause into the log.
fn back(victim: &Victim, done: anyhow::Result<()>) -> Result<Redirect, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/demo#victim-{}", victim.name))),
        Err(error) => {
            tracing::error!(victim = victim.name, error = format!("{error:#}"), "a press of the demo failed");
            Err(Failure::BROKEN)
        }
    }
}
