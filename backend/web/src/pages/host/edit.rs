//! `GET` and `POST /hosts/{id}/edit`: where a host stands, and its tags.

use std::collections::BTreeMap;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::change::Direction;
use domain::detect::{Check, HostFacts};
use domain::fleet;
use domain::remediate::group;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::changes::{self, Change, NewChange, Subject, tags_value};
use store::configuration::{self, Machine};
use store::pages::hosts;
use store::remediate::{groups, guardrails};
use store::{TenantTx, detect, sites};
use uuid::Uuid;
use views::Nav;
use views::error::Kind;
use views::host_edit::HostEditPage;

use super::tags;
use crate::layers::{Dressed, page};
use crate::member::{Member, clock};
use crate::pages::change::{value, waits};
use crate::posted::{Posted, inputs, reason};
use crate::{App, Failure, Refusal};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    csrf: String,
    #[serde(default)]
    site: String,
    tags: String,
    #[serde(default)]
    why: String,
}

inputs!(Place);

type Id = Result<Path<Uuid>, PathRejection>;

/// The page, as the host stands.
pub async fn edit(State(app): State<App>, member: Member, id: Id) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let row = hosts::list(&mut tx, hosts::Of::Host(id), 1).await?.pop().ok_or(Failure::NOT_FOUND)?;
    Ok(page(&filled(&app, &member, &mut tx, &row).await?))
}

async fn filled(app: &App, member: &Member, tx: &mut TenantTx, row: &hosts::Row) -> Result<HostEditPage, Failure> {
    let shell = member.shell(tx, Nav::Hosts).await?;
    let now = tx.now().await?;
    let sites = sites::list(tx, row.client_id).await?;
    let pools = pools(tx, row.client_id).await?.into_iter().filter(|pool| pool.group.holds(&tags_of(row)));
    Ok(HostEditPage {
        shell,
        clock: clock(app, now),
        id: row.host_id,
        name: row.name.clone(),
        client: (row.client_id, row.client.clone()),
        sites: sites.into_iter().map(|site| (site.site_id, site.name)).collect(),
        site: row.site_id,
        tags: tags(row).join("\n"),
        groups: pools.map(|pool| pool.name).collect(),
        waits: waiting(tx, row.host_id).await?,
        sees_changes: member.sees_all(),
        wrong: None,
    })
}

/// A client's service groups.
async fn pools(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<groups::Row>, Failure> {
    Ok(groups::list_standing(tx, client_id).await?.into_iter().map(|standing| standing.row).collect())
}

/// What waits for the host's tags, in a line.
async fn waiting(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<String>, Failure> {
    let of_host = changes::find_open(tx, Subject::HostTags(host_id)).await?;
    Ok(of_host.map(|change| waits(&change, &format!("“{}”", value(change.subject, &change.wanted)))))
}

/// Writes it; the agent is told when other checks select the host now. Tags that take the host out of a service group are
/// proposed to a second person instead.
pub async fn place(State(app): State<App>, id: Id, Posted(member, form): Posted<Place>) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let site_id = match form.site.as_str() {
        "" => None,
        site => Some(site.parse::<Uuid>().map_err(|_| Failure(Kind::BadRequest))?),
    };
    let done = match fleet::tags(&form.tags) {
        Ok(tags) => {
            let done = put(&app, &mut tx, &member, id, (site_id, &tags), reason(&form.why)).await?;
            done.map_err(Refusal::words)
        }
        Err(wrong) => Err(wrong),
    };
    match done {
        Ok(came) => {
            tx.commit().await?;
            let and = if matches!(came, HostCame::Proposed(_)) { "/edit" } else { "" };
            Ok(Redirect::to(&format!("/hosts/{id}{and}")).into_response())
        }
        Err(wrong) => {
            let row = hosts::list(&mut tx, hosts::Of::Host(id), 1).await?.pop().ok_or(Failure::NOT_FOUND)?;
            let mut shown = filled(&app, &member, &mut tx, &row).await?;
            shown.tags = form.tags;
            shown.site = site_id;
            shown.wrong = Some(wrong);
            let mut answer = page(&shown);
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            answer.extensions_mut().insert(Dressed);
            Ok(answer)
        }
    }
}

/// What came of where a host is to stand and of its tags.
#[derive(Debug)]
pub enum HostCame {
    /// It is as was asked for.
    Placed,
    /// It was so already.
    Same,
    /// Its tags wait for a second person.
    Proposed(Box<Change>),
}

/// Puts a host on a site of its client, or on none, with these tags. Tags that take it out of a service group are proposed to
/// a second person, which is asked of somebody who has just proven who they are.
pub async fn put(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    host_id: Uuid,
    (site_id, tags): (Option<Uuid>, &BTreeMap<String, String>),
    why: Option<String>,
) -> Result<Result<HostCame, Refusal>, Failure> {
    member.must(Act::ManageClients)?;
    let row = find(tx, host_id, site_id).await?;
    if !leaves_group(tx, &row, tags).await? {
        let changed = write(tx, &row, site_id, tags).await?;
        return Ok(Ok(if changed { HostCame::Placed } else { HostCame::Same }));
    }
    member.must_be_proven(app).await?;
    let Some(why) = why else {
        let wrong = "its tags take it out of a service group: say why, for the second person";
        return Ok(Err(Refusal::field("why", wrong)));
    };
    let (before, subject) = (tags_of(&row), Subject::HostTags(host_id));
    let change = NewChange {
        subject,
        name: &format!("“{}”", row.name),
        was: tags_value(&before),
        wanted: tags_value(tags),
        why: &why,
        by: &member.name(tx).await?,
        login_id: Some(member.login_id()),
    };
    changes::propose(tx, &change).await?;
    // Where it stands is nobody else's to say.
    write(tx, &row, site_id, &before).await?;
    Ok(Ok(HostCame::Proposed(Box::new(changes::find_open(tx, subject).await?.ok_or(Failure::BROKEN)?))))
}

/// Whether the host is in a service group that it is not in with these tags. From the lock on, groups and tags stand still.
async fn leaves_group(tx: &mut TenantTx, row: &hosts::Row, tags: &BTreeMap<String, String>) -> Result<bool, Failure> {
    let pools = pools(tx, row.client_id).await?;
    let way = group::of_tags(pools.iter().map(|pool| &pool.group), &tags_of(row), tags);
    Ok(way == Direction::Looser)
}

fn tags_of(row: &hosts::Row) -> BTreeMap<String, String> {
    serde_json::from_value(row.tags.clone()).unwrap_or_default()
}

/// The host, and its client's site if one is named. By its tags a host is a member of service groups: each admission, and each
/// other change of groups and tags, is wholly before what follows or wholly after it.
async fn find(tx: &mut TenantTx, host_id: Uuid, site_id: Option<Uuid>) -> Result<hosts::Row, Failure> {
    guardrails::lock_tenant(tx).await?;
    let row = hosts::list(tx, hosts::Of::Host(host_id), 1).await?.pop().ok_or(Failure::NOT_FOUND)?;
    let places = sites::list(tx, row.client_id).await?;
    if site_id.is_some_and(|id| !places.iter().any(|site| site.site_id == id)) {
        return Err(Failure::NOT_FOUND);
    }
    Ok(row)
}

async fn write(
    tx: &mut TenantTx,
    row: &hosts::Row,
    site_id: Option<Uuid>,
    tags: &BTreeMap<String, String>,
) -> Result<bool, Failure> {
    let before = tags_of(row);
    if before == *tags && row.site_id == site_id {
        return Ok(false);
    }
    let checks = detect::checks::list(tx).await?;
    if selected(&checks, row, &before) != selected(&checks, row, tags) {
        // Links are locked before hosts.
        configuration::wake_hosts(tx, &[row.host_id]).await?;
    }
    configuration::update_host(tx, Machine::Enrolled(row.host_id), site_id, &json!(tags)).await?;
    let told = |site: Option<Uuid>, tags: &BTreeMap<String, String>| json!({ "site": site, "tags": tags });
    let (was, is) = (told(row.site_id, &before), told(site_id, tags));
    audit::insert(tx, Some(row.client_id), Entry::changed("host.placed", ("host", row.host_id), was, is)).await?;
    Ok(true)
}

fn selected(checks: &[(Uuid, Check)], row: &hosts::Row, tags: &BTreeMap<String, String>) -> Vec<Uuid> {
    let facts = HostFacts { client: &row.client, host: &row.name, tags };
    checks.iter().filter(|(_, check)| check.selector.selects(&facts)).map(|(id, _)| *id).collect()
}
