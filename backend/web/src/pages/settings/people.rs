//! `/settings/people`: members, invitations, what is asked of everybody.

use axum::extract::{Path, Query, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::{Act, Role};
use domain::people::check_email;
use domain::quota::Counted;
use serde::Deserialize;
use serde_json::json;
use store::people::members::{self, Seat};
use store::people::{invitations, invitations::New};
use store::{TenantTx, audit, configuration, fleet, logins, quotas};
use uuid::Uuid;
use views::settings::{ClientChoice, Invited, MemberRow, PeoplePage, Tab};
use views::{Nav, error::Kind};

use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

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

/// The form that asks everybody for a second factor, or no more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    csrf: String,
    required: String,
}

inputs!(Invite, Change, Require);

fn done(word: &str) -> Option<&'static str> {
    match word {
        "invited" => Some("The invitation is on its way."),
        "changed" => Some("It counts from now on."),
        "removed" => Some("They are no member any more."),
        "revoked" => Some("The invitation is taken back: its link does not work any more."),
        _ => None,
    }
}

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManagePeople)?;
    Ok(page(&load(&app, &member, done(&asked.done), None).await?))
}

async fn load(
    app: &App,
    member: &Member,
    done: Option<&'static str>,
    error: Option<&str>,
) -> Result<PeoplePage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let now = tx.now().await?;
    let clients = fleet::list_clients(&mut tx).await?;
    let choices = |chosen: Option<&[Uuid]>| -> Vec<ClientChoice> {
        let is_chosen = |id: Uuid| chosen.is_some_and(|chosen| chosen.contains(&id));
        let choice = |client: &fleet::Client| ClientChoice {
            id: client.client_id,
            name: client.name.clone(),
            is_chosen: is_chosen(client.client_id),
        };
        clients.iter().map(choice).collect()
    };
    let names = |ids: Option<&[Uuid]>| {
        ids.map(|ids| {
            clients.iter().filter(|client| ids.contains(&client.client_id)).map(|client| client.name.clone()).collect()
        })
    };
    let (login_id, role) = (member.login_id(), member.seat().role);
    let row = |seat: configuration::Member| MemberRow {
        id: seat.login_id,
        name: seat.name,
        email: seat.email,
        role: seat.role,
        clients: names(seat.client_ids.as_deref()),
        choices: choices(seat.client_ids.as_deref()),
        is_you: seat.login_id == login_id,
        may_change: seat.login_id != login_id && role.may_manage(seat.role),
    };
    let members = configuration::list_members(&mut tx).await?.into_iter().map(row).collect();
    let invited = |open: invitations::Invitation| Invited {
        id: open.invitation_id,
        email: open.email,
        role: open.role,
        clients: names(open.client_ids.as_deref()),
        by: open.invited_by,
        expires_at: open.expires_at,
    };
    let invited = invitations::list_open(&mut tx).await?.into_iter().map(invited).collect();
    let requires_second_factor = members::requires_second_factor(&mut tx).await?;
    Ok(PeoplePage {
        shell,
        clock: clock(app, now),
        tab: Tab::People,
        members,
        invited,
        clients: choices(None),
        roles: Role::ALL.iter().map(|(role, _)| *role).filter(|given| role.may_manage(*given)).collect(),
        requires_second_factor,
        may_require: member.may(Act::ManageOrganization),
        done,
        error: error.map(str::to_owned),
    })
}

/// A role that the member may give, and the clients it is for.
async fn wanted(
    tx: &mut TenantTx,
    member: &Member,
    role: &str,
    sees: &str,
    clients: &[Uuid],
) -> Result<Result<(Role, Option<Vec<Uuid>>), &'static str>, Failure> {
    let role = Role::parse(role).ok_or(Failure(Kind::BadRequest))?;
    if !member.seat().role.may_manage(role) {
        return Err(Failure::FORBIDDEN);
    }
    let clients = match sees {
        "all" => None,
        "some" => Some(clients.to_vec()),
        _ => return Err(Failure(Kind::BadRequest)),
    };
    if let Some(ids) = &clients {
        let known = fleet::list_clients(tx).await?;
        if ids.iter().any(|id| !known.iter().any(|client| client.client_id == *id)) {
            return Err(Failure::NOT_FOUND);
        }
    }
    Ok(match (&clients, role) {
        (Some(ids), _) if ids.is_empty() => Err("Choose at least one client, or all."),
        (None, role) if role.needs_clients() => Err("A client viewer sees some clients only: choose which."),
        (Some(_), Role::Owner) => Err("An owner sees all clients."),
        _ => Ok((role, clients)),
    })
}

/// Invites somebody.
pub async fn invite(State(app): State<App>, Posted(member, form): Posted<Invite>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManagePeople)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    let wanted = wanted(&mut tx, &member, &form.role, &form.sees, &form.client).await?;
    let checked = wanted.and_then(|wanted| Ok((wanted, check_email(&form.email)?)));
    let seats = members::list_locked(&mut tx).await?;
    let checked = checked.and_then(|(wanted, email)| {
        let is_member = seats.iter().any(|seat| seat.email.eq_ignore_ascii_case(&email));
        if is_member { Err("They are a member already.") } else { Ok((wanted, email)) }
    });
    let ((role, clients), email) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            tx.rollback().await?;
            return Ok(refusing(&load(&app, &member, None, Some(error)).await?));
        }
    };
    // Whoever is invited has their place, so nothing is asked when they come.
    if let Err(full) = quotas::find_room(&mut tx, Counted::Members, 1).await? {
        tx.rollback().await?;
        return Ok(refusing(&load(&app, &member, None, Some(&full)).await?));
    }
    let seat = logins::find_seat(&mut tx, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    let new = New { email: &email, role, client_ids: clients.as_deref(), by: &seat.member };
    let id = invitations::insert(&mut tx, &new, &seat.organization).await?;
    let detail = json!({ "email": email, "role": role.word(), "clients": clients });
    audit::insert_tenant_wide(&mut tx, "member.invited", "invitation", id, detail).await?;
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
    let invitation = invitations::find_locked(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    if !member.seat().role.may_manage(invitation.role) {
        return Err(Failure::FORBIDDEN);
    }
    invitations::mark_revoked(&mut tx, id).await?;
    let detail = json!({ "email": invitation.email, "role": invitation.role.word() });
    audit::insert_tenant_wide(&mut tx, "member.invitation_revoked", "invitation", id, detail).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=revoked"))
}

/// Begins to change a seat, with all of them locked: somebody else's, of a role that the member may change.
async fn begin_change(app: &App, member: &Member, id: Uuid) -> Result<(TenantTx, Seat), Failure> {
    member.must_for_all(Act::ManagePeople)?;
    member.must_be_proven(app).await?;
    let mut tx = member.begin(app).await?;
    let seats = members::list_locked(&mut tx).await?;
    let seat = seats.into_iter().find(|seat| seat.login_id == id).ok_or(Failure::NOT_FOUND)?;
    // Nobody raises or removes themselves: that is how the last owner gets lost.
    if id == member.login_id() || !member.seat().role.may_manage(seat.role) {
        return Err(Failure::FORBIDDEN);
    }
    Ok((tx, seat))
}

/// Changes a member's role and clients.
pub async fn change(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Change>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let (mut tx, seat) = begin_change(&app, &member, id).await?;
    let (role, clients) = match wanted(&mut tx, &member, &form.role, &form.sees, &form.client).await? {
        Ok(wanted) => wanted,
        Err(error) => {
            tx.rollback().await?;
            return Ok(refusing(&load(&app, &member, None, Some(error)).await?));
        }
    };
    configuration::update_member(&mut tx, id, &seat.name, role, clients.as_deref()).await?;
    let detail = json!({ "email": seat.email, "role": role.word(), "clients": clients,
        "was": { "role": seat.role.word(), "clients": seat.client_ids } });
    audit::insert_tenant_wide(&mut tx, "member.changed", "member", id, detail).await?;
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
    let (mut tx, seat) = begin_change(&app, &member, id).await?;
    members::delete(&mut tx, id).await?;
    let detail = json!({ "email": seat.email, "role": seat.role.word() });
    audit::insert_tenant_wide(&mut tx, "member.removed", "member", id, detail).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=removed"))
}

/// Asks everybody for a second factor, or no more.
pub async fn require_second_factor(
    State(app): State<App>,
    Posted(member, form): Posted<Require>,
) -> Result<Redirect, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    member.must_be_proven(&app).await?;
    let required = match form.required.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Failure(Kind::BadRequest)),
    };
    let mut tx = member.begin(&app).await?;
    let was = members::requires_second_factor(&mut tx).await?;
    members::set_second_factor(&mut tx, required).await?;
    let tenant_id = tx.tenant_id();
    let detail = json!({ "required": required, "was": was });
    audit::insert_tenant_wide(&mut tx, "organization.second_factor", "tenant", tenant_id, detail).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=changed"))
}
