//! Somebody is invited, and an invitation is taken back.

use std::time::Duration;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::people::{check_email, may_invite};
use domain::quota::Counted;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::people::invitations::{self, New};
use store::{TenantTx, logins, quotas};
use uuid::Uuid;

use super::{Reach, given, lock_seats, refuse};
use crate::member::Member;
use crate::pages::settings::you::Click;
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

/// Invitations are counted over so long.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The form that invites.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    csrf: String,
    email: String,
    role: String,
    sees: String,
    #[serde(default)]
    client: Vec<Uuid>,
}

inputs!(Invite);

/// Who is invited, and as what.
#[derive(Clone, Debug)]
pub struct Invited {
    /// Their address, as it was said.
    pub email: String,
    /// What they would be.
    pub reach: Reach,
}

/// Invites somebody, and takes an older invitation of the same address back: its id. Asked of somebody who has just proven
/// who they are.
pub async fn insert_invitation(
    tx: &mut TenantTx,
    member: &Member,
    wanted: &Invited,
) -> Result<Result<Uuid, Refusal>, Failure> {
    member.must_for_all(Act::ManagePeople)?;
    let Reach { role, clients } = match given(tx, member, &wanted.reach).await? {
        Ok(reach) => reach,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let email = match check_email(&wanted.email) {
        Ok(email) => email,
        Err(wrong) => return Ok(Err(Refusal::field("email", wrong))),
    };
    let is_theirs = |other: &str| other.eq_ignore_ascii_case(&email);
    // Whoever invites holds all seats, so of two invitations of one address the second sees the first.
    if lock_seats(tx, member).await?.iter().any(|seat| is_theirs(&seat.email)) {
        return Ok(Err(Refusal::field("email", "They are a member already.")));
    }
    let open = invitations::list_open(tx).await?.into_iter().find(|open| is_theirs(&open.email));
    if open.as_ref().is_some_and(|open| !member.may_manage(open.role)) {
        return Err(Failure::FORBIDDEN);
    }
    let (of_address, of_all) = invitations::count_recent(tx, &email, DAY).await?;
    if let Err(wrong) = may_invite(of_address, of_all) {
        return Ok(Err(Refusal::field("email", wrong)));
    }
    // Whoever is invited has their place, so nothing is asked when they come.
    let more = if open.is_some() { 0 } else { 1 };
    if let Err(full) = quotas::find_room(tx, Counted::Members, more).await? {
        return Ok(Err(Refusal::Stands(full)));
    }
    let seat = logins::find_seat(tx, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    let new =
        New { email: &email, role, client_ids: clients.as_deref(), by: &seat.member, inviter_id: member.login_id() };
    let id = invitations::insert(tx, &new, &seat.organization).await?;
    let made = json!({ "email": email, "role": role.word(), "clients": clients });
    audit::insert(tx, None, Entry::made("member.invited", ("invitation", id), made)).await?;
    Ok(Ok(id))
}

/// Takes an invitation back.
pub async fn take_back(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<(), Failure> {
    lock_seats(tx, member).await?;
    let invitation = invitations::find_locked(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    if !member.may_manage(invitation.role) {
        return Err(Failure::FORBIDDEN);
    }
    invitations::mark_revoked(tx, id).await?;
    let was = json!({ "email": invitation.email, "role": invitation.role.word(), "clients": invitation.client_ids });
    Ok(audit::insert(tx, None, Entry::removed("member.invitation_revoked", ("invitation", id), was)).await?)
}

/// Invites somebody.
pub async fn invite(State(app): State<App>, Posted(member, form): Posted<Invite>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManagePeople)?;
    member.must_be_proven(&app).await?;
    let wanted = Invited { reach: Reach::typed(&form.role, &form.sees, &form.client)?, email: form.email };
    let mut tx = member.begin(&app).await?;
    if let Err(why) = insert_invitation(&mut tx, &member, &wanted).await? {
        return refuse(&app, &member, tx, why).await;
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=invited").into_response())
}

/// Takes an invitation back.
pub async fn revoke(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Click>,
) -> Result<Redirect, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    member.must_for_all(Act::ManagePeople)?;
    let mut tx = member.begin(&app).await?;
    take_back(&mut tx, &member, id).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=revoked"))
}
