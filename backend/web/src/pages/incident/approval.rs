//! `POST /incidents/{id}/approval`: a person's yes or no to a fix that asks first.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::TenantTx;
use store::remediate::approvals::{self, Answer};
use store::remediate::doubt::find_run;
use uuid::Uuid;
use views::error::Kind;

use crate::member::Member;
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// Characters of a reason at most.
const REASON: usize = 500;

/// The form: which run, the plan that was seen, and what the person says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    csrf: String,
    run_id: Uuid,
    plan: String,
    answer: String,
    #[serde(default)]
    reason: String,
}

inputs!(Approval);

/// A person's word on exactly one plan.
pub struct Said {
    /// Whether it may run.
    pub yes: bool,
    /// The digest of the plan that was seen.
    pub plan: [u8; 32],
    /// Why.
    pub reason: String,
}

/// Stores the answer, unless the run does not wait any more or is not what the person saw.
pub async fn say(
    tx: &mut TenantTx,
    member: &Member,
    incident_id: Uuid,
    run_id: Uuid,
    said: Said,
) -> Result<(), Failure> {
    member.must(Act::Approve)?;
    let run = find_run(tx, incident_id, run_id).await?.ok_or(Failure::NOT_FOUND)?;
    let Said { yes, plan, reason } = said;
    let answer = Answer { yes, reason, plan, login_id: member.login_id(), by: member.name(tx).await? };
    if run.state != "awaiting_approval" || !approvals::answer(tx, &run, &answer).await? {
        return Err(Failure::CONFLICT);
    }
    Ok(())
}

/// The form's answer.
pub async fn answer(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Approval>,
) -> Result<Redirect, Failure> {
    member.must(Act::Approve)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let bad = || Failure(Kind::BadRequest);
    let yes = match form.answer.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(bad()),
    };
    let reason = form.reason.trim();
    if reason.chars().count() > REASON {
        return Err(bad());
    }
    let plan = hex::decode(&form.plan).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).ok_or_else(bad)?;
    // A no holds back; only a yes lets something be done.
    if yes {
        member.must_be_proven(&app).await?;
    }
    let mut tx = member.begin(&app).await?;
    say(&mut tx, &member, id, form.run_id, Said { yes, plan, reason: reason.to_owned() }).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/incidents/{id}")))
}
