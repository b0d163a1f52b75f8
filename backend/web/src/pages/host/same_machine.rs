//! `POST /hosts/{id}/same-machine`: a person's word that ends a quarantine, asked of somebody who has just proven who they are.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::{TenantTx, hosts};
use uuid::Uuid;

use crate::member::Member;
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SameMachine {
    csrf: String,
}

inputs!(SameMachine);

/// Trusts the host again; what was held for it is looked at again, and its agent is asked to come back.
pub async fn attest(tx: &mut TenantTx, member: &Member, host_id: Uuid) -> Result<(), Failure> {
    member.must(Act::TrustHost)?;
    let client_id = hosts::find_client(tx, host_id).await?.ok_or(Failure::NOT_FOUND)?;
    // A newcomer is accepted or sent away, never only believed.
    if store::newcomers::is_waiting(tx, host_id).await? {
        return Err(Failure::CONFLICT);
    }
    let by = member.name(tx).await?;
    if hosts::mark_attested(tx, client_id, host_id, &by).await? { Ok(()) } else { Err(Failure::CONFLICT) }
}

/// The button's word.
pub async fn submit(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<SameMachine>,
) -> Result<Redirect, Failure> {
    member.must(Act::TrustHost)?;
    member.must_be_proven(&app).await?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    attest(&mut tx, &member, id).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/hosts/{id}")))
}
