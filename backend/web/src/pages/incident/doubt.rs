//! `POST /incidents/{id}/doubt`: a person's word on a run in doubt.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::logins;
use store::remediate::doubt::{self, Answer};
use uuid::Uuid;
use views::error::Kind;

use crate::posted::{Input, Posted};
use crate::{App, Failure};

/// The form: which run, and what the person says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    csrf: String,
    run_id: Uuid,
    answer: String,
}

impl Input for Doubt {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Ends the doubt, unless a result or somebody else was faster.
pub async fn answer(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Doubt>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let answer = Answer::parse(&form.answer).ok_or(Failure(Kind::BadRequest))?;
    let mut tx = member.begin(&app).await?;
    let run = doubt::find_run(&mut tx, id, form.run_id).await?.ok_or(Failure::NOT_FOUND)?;
    let seat = logins::find_seat(&mut tx, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    // What is not in doubt any more is not locked first.
    if run.state != "unknown" || !doubt::answer(&mut tx, &run, answer, &seat.member).await? {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to(&format!("/incidents/{id}")))
}
