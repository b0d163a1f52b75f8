//! Service accounts are made and removed: seats of programs, which nobody signs in to.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::people::check_name;
use domain::quota::Counted;
use domain::token::SERVICE_ROLES;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::people::services::{self, New};
use store::{TenantTx, quotas};
use uuid::Uuid;

use super::{Reach, given, lock_seats, refuse};
use crate::member::Member;
use crate::pages::settings::you::Click;
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

/// The form that makes one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Make {
    csrf: String,
    name: String,
    role: String,
    sees: String,
    #[serde(default)]
    client: Vec<Uuid>,
}

inputs!(Make);

/// A service account as it is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name, as it was said.
    pub name: String,
    /// What it may.
    pub reach: Reach,
}

/// Makes a service account: its id. It takes a member's place in the plan. Asked of somebody who has just proven who they are.
pub async fn insert_service(
    tx: &mut TenantTx,
    member: &Member,
    wanted: &Wanted,
) -> Result<Result<Uuid, Refusal>, Failure> {
    lock_seats(tx, member).await?;
    let name = match check_name(&wanted.name) {
        Ok(name) => name,
        Err(wrong) => return Ok(Err(Refusal::field("name", wrong))),
    };
    if !SERVICE_ROLES.contains(&wanted.reach.role) {
        return Ok(Err(Refusal::field("role", "A service account is a technician or a viewer.")));
    }
    let Reach { role, clients } = match given(tx, member, &wanted.reach).await? {
        Ok(reach) => reach,
        Err(wrong) => return Ok(Err(wrong)),
    };
    if let Err(full) = quotas::find_room(tx, Counted::Members, 1).await? {
        return Ok(Err(Refusal::Stands(full)));
    }
    let by = member.name(tx).await?;
    let new = New { name: &name, role, client_ids: clients.as_deref(), by: &by };
    let Some(id) = services::insert(tx, &new).await? else {
        return Ok(Err(Refusal::field("name", "There is a service account of this name already.")));
    };
    let made = json!({ "name": name, "role": role.word(), "clients": clients });
    audit::insert(tx, None, Entry::made("service.made", ("service", id), made)).await?;
    Ok(Ok(id))
}

/// Removes a service account; its tokens are revoked. Asked of somebody who has just proven who they are.
pub async fn remove_service(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<(), Failure> {
    lock_seats(tx, member).await?;
    let service = services::find(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let by = member.name(tx).await?;
    let tokens = services::delete(tx, id, &by).await?;
    let was = json!({ "name": service.name, "role": service.role.word(), "clients": service.client_ids });
    let entry = Entry::removed("service.removed", ("service", id), was);
    Ok(audit::insert(tx, None, entry.with(json!({ "tokens": tokens }))).await?)
}

/// Makes one.
pub async fn make(State(app): State<App>, Posted(member, form): Posted<Make>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManagePeople)?;
    member.must_be_proven(&app).await?;
    let wanted = Wanted { reach: Reach::typed(&form.role, &form.sees, &form.client)?, name: form.name };
    let mut tx = member.begin(&app).await?;
    if let Err(why) = insert_service(&mut tx, &member, &wanted).await? {
        return refuse(&app, &member, tx, why).await;
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=service").into_response())
}

/// Removes one.
pub async fn remove(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Click>,
) -> Result<Redirect, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    member.must_for_all(Act::ManagePeople)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    remove_service(&mut tx, &member, id).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=no-service"))
}
