//! The page: members, invitations, what is asked of everybody.

use axum::extract::{Query, State};
use axum::response::Response;
use domain::access::{Act, Role};
use serde::Deserialize;
use store::people::{invitations, members, services};
use store::{configuration, fleet};
use uuid::Uuid;
use views::Nav;
use views::settings::{ClientChoice, Invited, MemberRow, PeoplePage, ServiceRow, Tab};

use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure};

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

fn done(word: &str) -> Option<&'static str> {
    match word {
        "invited" => Some("The invitation is on its way."),
        "changed" => Some("It counts from now on."),
        "removed" => Some("They are no member any more."),
        "service" => Some("The service account is there. Its tokens are made under API tokens."),
        "no-service" => Some("The service account is gone, and its tokens are revoked."),
        "revoked" => Some("The invitation is taken back: its link does not work any more."),
        _ => None,
    }
}

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManagePeople)?;
    Ok(page(&load(&app, &member, done(&asked.done), None).await?))
}

pub(super) async fn load(
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
    let login_id = member.login_id();
    let row = |seat: configuration::Member| MemberRow {
        id: seat.login_id,
        name: seat.name,
        email: seat.email,
        role: seat.role,
        clients: names(seat.client_ids.as_deref()),
        choices: choices(seat.client_ids.as_deref()),
        is_you: seat.login_id == login_id,
        may_change: seat.login_id != login_id && member.may_manage(seat.role),
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
    let service = |service: services::Service| ServiceRow {
        id: service.seat_id,
        clients: names(service.client_ids.as_deref()),
        name: service.name,
        role: service.role,
        by: service.made_by,
    };
    let services = services::list(&mut tx).await?.into_iter().map(service).collect();
    let requires_second_factor = members::requires_second_factor(&mut tx).await?;
    Ok(PeoplePage {
        shell,
        clock: clock(app, now),
        tab: Tab::People,
        members,
        invited,
        services,
        clients: choices(None),
        roles: Role::ALL.iter().map(|(role, _)| *role).filter(|given| member.may_manage(*given)).collect(),
        requires_second_factor,
        may_require: member.may(Act::ManageOrganization),
        done,
        error: error.map(str::to_owned),
    })
}
