//! `POST /clients/{id}/archive` and `POST /clients/{id}/restore`.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::{TenantTx, clients};
use uuid::Uuid;

use super::{Id, inputs, named};
use crate::member::Member;
use crate::posted::Posted;
use crate::{App, Failure};

/// A button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    csrf: String,
}
inputs!(Button);

/// Stops all actions there, and archives it. False: it is archived already, which is what was asked for.
pub async fn begin_archive(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<bool, Failure> {
    member.must(Act::ManageClients)?;
    named(tx, id).await?;
    let by = member.name(tx).await?;
    Ok(clients::archive(tx, id, &by).await?)
}

/// Looks after it again; its actions stay stopped. False: it is not archived.
pub async fn end_archive(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<bool, Failure> {
    member.must(Act::ManageClients)?;
    named(tx, id).await?;
    Ok(clients::restore(tx, id).await?)
}

/// The button that archives.
pub async fn archive(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    if begin_archive(&mut tx, &member, id).await? {
        tx.commit().await?;
    }
    Ok(Redirect::to(&format!("/clients/{id}")))
}

/// The button that restores.
pub async fn restore(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    if end_archive(&mut tx, &member, id).await? {
        tx.commit().await?;
    }
    Ok(Redirect::to(&format!("/clients/{id}")))
}
