//! `POST /hosts/{id}/same-machine`: a person's word that ends a quarantine.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::{hosts, logins};
use uuid::Uuid;

use crate::posted::{Input, Posted};
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SameMachine {
    csrf: String,
}

impl Input for SameMachine {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Trusts the host again; what was held for it is looked at again, and its agent is asked to come back.
pub async fn submit(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<SameMachine>,
) -> Result<Redirect, Failure> {
    member.must(Act::TrustHost)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let client_id = hosts::find_client(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    // A newcomer is accepted or sent away, never only believed.
    if store::newcomers::is_waiting(&mut tx, id).await? {
        return Err(Failure::CONFLICT);
    }
    let seat = logins::find_seat(&mut tx, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    if !hosts::mark_attested(&mut tx, client_id, id, &seat.member).await? {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to(&format!("/hosts/{id}")))
}
