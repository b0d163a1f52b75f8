//! A member's role and clients are changed, and a member is removed.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::{Act, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::people::members::{self, Called, Seat};
use store::{TenantTx, configuration, tokens};
use uuid::Uuid;

use super::{Reach, given, lock_seats, refuse};
use crate::member::Member;
use crate::pages::settings::you::Click;
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

/// The form that changes a seat.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    csrf: String,
    role: String,
    sees: String,
    #[serde(default)]
    client: Vec<Uuid>,
}

inputs!(Change);

/// A seat that the member may change, with all of them locked: somebody else's, of a role that they manage.
async fn lock(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<Seat, Failure> {
    let seats = lock_seats(tx, member).await?;
    let seat = seats.into_iter().find(|seat| seat.login_id == id).ok_or(Failure::NOT_FOUND)?;
    // Nobody raises or removes themselves: that is how the last owner gets lost.
    if id == member.login_id() || !member.may_manage(seat.role) {
        return Err(Failure::FORBIDDEN);
    }
    Ok(seat)
}

/// Changes a member's role and clients; whether anything is different now. Asked of somebody who has just proven who they
/// are.
pub async fn change_seat(
    tx: &mut TenantTx,
    member: &Member,
    id: Uuid,
    wanted: &Reach,
) -> Result<Result<bool, Refusal>, Failure> {
    let seat = lock(tx, member, id).await?;
    let Reach { role, clients } = match given(tx, member, wanted).await? {
        Ok(reach) => reach,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let had = seat.client_ids.clone().map(|mut ids| {
        ids.sort_unstable();
        ids
    });
    if (seat.role, &had) == (role, &clients) {
        return Ok(Ok(false));
    }
    configuration::update_member(tx, id, &seat.name, role, clients.as_deref()).await?;
    let (was, is) = (told(seat.role, seat.client_ids.as_deref()), told(role, clients.as_deref()));
    let entry = Entry::changed("member.changed", ("member", id), was, is);
    audit::insert(tx, None, entry.with(json!({ "email": seat.email }))).await?;
    let now = Seat { role, client_ids: clients, ..seat.clone() };
    members::end_beyond(tx, &seat, Some(&now), Called::NoMore(Some(member.login_id()))).await?;
    Ok(Ok(true))
}

/// Removes a member: their API tokens end too, so that nobody who is invited anew has them back. Asked of somebody who has
/// just proven who they are.
pub async fn remove_seat(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<(), Failure> {
    let seat = lock(tx, member, id).await?;
    members::delete(tx, id).await?;
    let entry = Entry::removed("member.removed", ("member", id), told(seat.role, seat.client_ids.as_deref()));
    audit::insert(tx, None, entry.with(json!({ "email": seat.email }))).await?;
    let by = member.name(tx).await?;
    tokens::revoke_of_login(tx, id, &by).await?;
    Ok(members::end_beyond(tx, &seat, None, Called::NoMore(Some(member.login_id()))).await?)
}

/// What the audit says of a seat: its role, and the clients it sees; none: all.
fn told(role: Role, clients: Option<&[Uuid]>) -> Value {
    json!({ "role": role.word(), "clients": clients })
}

/// Changes a member's role and clients.
pub async fn change(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Change>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    member.must_for_all(Act::ManagePeople)?;
    member.must_be_proven(&app).await?;
    let wanted = Reach::typed(&form.role, &form.sees, &form.client)?;
    let mut tx = member.begin(&app).await?;
    if let Err(why) = change_seat(&mut tx, &member, id, &wanted).await? {
        return refuse(&app, &member, tx, why).await;
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=changed").into_response())
}

/// Removes a member.
pub async fn remove(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Click>,
) -> Result<Redirect, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    member.must_for_all(Act::ManagePeople)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    remove_seat(&mut tx, &member, id).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=removed"))
}
