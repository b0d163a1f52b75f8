//! `POST /incidents/{id}/doubt`: a person's word on a run in doubt.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::TenantTx;
use store::remediate::doubt::{self, Answer};
use uuid::Uuid;
use views::error::Kind;

use crate::member::Member;
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// The form: which run, and what the person says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    csrf: String,
    run_id: Uuid,
    answer: String,
}

inputs!(Doubt);

/// Ends the doubt, unless a result or somebody else was faster.
pub async fn end_doubt(
    tx: &mut TenantTx,
    member: &Member,
    incident_id: Uuid,
    run_id: Uuid,
    answer: Answer,
) -> Result<(), Failure> {
    member.must(Act::WorkIncidents)?;
    let run = doubt::find_run(tx, incident_id, run_id).await?.ok_or(Failure::NOT_FOUND)?;
    let by = member.name(tx).await?;
    // What is not in doubt any more is not locked first.
    if run.state != "unknown" || !doubt::answer(tx, &run, answer, &by).await? {
        return Err(Failure::CONFLICT);
    }
    Ok(())
}

/// The form's answer.
pub async fn answer(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Doubt>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let answer = Answer::parse(&form.answer).ok_or(Failure(Kind::BadRequest))?;
    let mut tx = member.begin(&app).await?;
    end_doubt(&mut tx, &member, id, form.run_id, answer).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/incidents/{id}")))
}
