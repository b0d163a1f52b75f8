//! `POST /clients/{id}/archive` and `POST /clients/{id}/restore`.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::clients;

use super::{Id, inputs, named};
use crate::posted::Posted;
use crate::{App, Failure};

/// A button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    csrf: String,
}
inputs!(Button);

/// Stops all actions there, and archives it. Archived already: that is what was asked for.
pub async fn archive(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    named(&mut tx, id).await?;
    let by = member.name(&mut tx).await?;
    if clients::archive(&mut tx, id, &by).await? {
        tx.commit().await?;
    }
    Ok(Redirect::to(&format!("/clients/{id}")))
}

/// Looks after it again; its actions stay stopped.
pub async fn restore(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Redirect, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    named(&mut tx, id).await?;
    if clients::restore(&mut tx, id).await? {
        tx.commit().await?;
    }
    Ok(Redirect::to(&format!("/clients/{id}")))
}
