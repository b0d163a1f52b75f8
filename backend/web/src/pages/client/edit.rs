//! `GET /clients/{id}/edit`: everything of a client that can be changed.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use store::deletions::{self, Deletion, Subject};
use store::pages::guardrails;
use store::{TenantTx, clients, contacts, sites};
use uuid::Uuid;
use views::Nav;
use views::client::SiteRow;
use views::client_edit::{EditPage, Part, TypedContact, TypedGroup};
use views::clients::Typed;
use views::guardrails::Reach;
use views::settings::Deleting;

use super::show::contact;
use super::{Id, group, named, refused};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure, pages::count};

/// The page, for those who may change the client.
pub async fn show(State(app): State<App>, member: Member, id: Id) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let client = named(&mut tx, id).await?;
    Ok(page(&filled(&app, &member, &mut tx, id, client).await?))
}

async fn deleting(tx: &mut TenantTx, id: Uuid) -> Result<Option<Deleting>, Failure> {
    let Some(deletion) = deletions::find(tx, Subject::Client(id)).await? else { return Ok(None) };
    let unfinished = count(deletions::count_unfinished(tx, Subject::Client(id)).await?);
    let Deletion { asked_by, asked_at, due_at, .. } = deletion;
    Ok(Some(Deleting { by: asked_by, asked_at, due_at, unfinished }))
}

/// The page as the rows stand.
pub(super) async fn filled(
    app: &App,
    member: &Member,
    tx: &mut TenantTx,
    id: Uuid,
    client: clients::Client,
) -> Result<EditPage, Failure> {
    let shell = member.shell(tx, Nav::Clients).await?;
    let now = tx.now().await?;
    let reach = guardrails::find_reach(tx, Some(id)).await?;
    let sites = sites::list(tx, id).await?.into_iter();
    Ok(EditPage {
        shell,
        clock: clock(app, now),
        id,
        typed: Typed { name: client.name.clone(), zone: client.time_zone },
        name: client.name,
        sites: sites.map(|site| SiteRow { id: site.site_id, name: site.name, hosts: count(site.hosts) }).collect(),
        new_site: String::new(),
        contacts: contacts::list(tx, Some(id)).await?.into_iter().map(contact).collect(),
        new_contact: TypedContact { told: true, ..TypedContact::default() },
        groups: group::list(tx, id).await?,
        typed_group: (None, TypedGroup::default()),
        sees_changes: member.sees_all(),
        archived: client.archived_at.is_some(),
        may_delete: member.sees_all() && member.may(Act::OwnOrganization),
        deleting: deleting(tx, id).await?,
        reach: Reach { hosts: count(reach.hosts), waiting: count(reach.waiting), running: count(reach.running) },
        wrong: None,
    })
}

/// The page again with why something of it cannot be taken; `typed` puts what was typed where it was.
pub(super) async fn refuse(
    app: &App,
    member: &Member,
    tx: &mut TenantTx,
    id: Uuid,
    wrong: (Part, String),
    typed: impl FnOnce(&mut EditPage),
) -> Result<Response, Failure> {
    let client = named(tx, id).await?;
    let mut page = filled(app, member, tx, id, client).await?;
    page.wrong = Some(wrong);
    typed(&mut page);
    Ok(refused(&page))
}

/// Back to the page, at the anchor of a part of it, or at none.
pub(super) fn back(id: Uuid, anchor: &str) -> Response {
    Redirect::to(&format!("/clients/{id}/edit{anchor}")).into_response()
}
