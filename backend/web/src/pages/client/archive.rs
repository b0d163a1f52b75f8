//! `POST /clients/{id}/archive` and `POST /clients/{id}/restore`.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::quota::Counted;
use serde::Deserialize;
use store::{TenantTx, clients, quotas};
use uuid::Uuid;
use views::client_edit::Part;

use super::edit::refuse;
use super::{Id, inputs, named};
use crate::member::Member;
use crate::posted::Posted;
use crate::{App, Failure, Refusal};

/// Said where whoever restores cannot see how full the plan is.
const SEES_SOME: &str =
    "The plan counts the hosts of all clients: somebody who sees all of them restores this one, with its hosts.";

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

/// Looks after it again, if the plan has room for its hosts; its actions stay stopped. False: it is not archived.
pub async fn end_archive(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<Result<bool, Refusal>, Failure> {
    member.must(Act::ManageClients)?;
    if named(tx, id).await?.archived_at.is_none() {
        return Ok(Ok(false));
    }
    let hosts = quotas::count_hosts_of(tx, id).await?;
    if hosts > 0 && !member.sees_all() && quotas::find_plan(tx).await?.max_hosts.is_some() {
        return Ok(Err(Refusal::Stands(SEES_SOME.to_owned())));
    }
    if let Err(full) = quotas::find_room(tx, Counted::Hosts, hosts).await? {
        return Ok(Err(Refusal::Stands(full)));
    }
    Ok(Ok(clients::restore(tx, id).await?))
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
pub async fn restore(State(app): State<App>, id: Id, Posted(member, _): Posted<Button>) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    match end_archive(&mut tx, &member, id).await? {
        Err(why) => return refuse(&app, &member, &mut tx, id, (Part::Restore, why.words()), |_| {}).await,
        Ok(true) => tx.commit().await?,
        Ok(false) => {}
    }
    Ok(Redirect::to(&format!("/clients/{id}")).into_response())
}
