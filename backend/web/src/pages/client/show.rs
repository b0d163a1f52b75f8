//! `GET /clients/{id}`: the client's own page, for every member who may see it.

use std::collections::BTreeMap;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Response;
use domain::access::Act;
use domain::detect::{Check, HostFacts};
use jiff::tz::TimeZone;
use serde_json::Value;
use store::pages::{clients as stored, guardrails as stops_of, healed, hosts, incidents};
use store::{TenantTx, clients, contacts, detect, sites};
use uuid::Uuid;
use views::Nav;
use views::client::{Archived, CheckLine, ClientPage, Contact, HostLine, Month, SiteRow};
use views::guardrails::Standing;
use views::hosts::Tally;

use super::group;
use super::list::{share, since};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::pages::{count, guardrails, host, incident, refused};
use crate::{App, Failure};

/// How many incidents are shown.
const INCIDENTS: i64 = 12;
/// The most hosts.
const HOSTS: i64 = 2_000;
/// The most of what stands against fixes.
const STANDING: i64 = 50;

/// The client, if it is theirs to see.
pub async fn show(
    State(app): State<App>,
    member: Member,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let client = clients::find(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let shell = member.shell(&mut tx, Nav::Clients).await?;
    let now = tx.now().await?;
    let places = sites::list(&mut tx, id).await?;
    let mut hosts = hosts::list(&mut tx, hosts::Of::Client(id), HOSTS).await?;
    hosts.sort_by_key(worst);
    let checks = effective(&mut tx, id, &client.name, &hosts).await?;
    let filter = incidents::Filter { client_id: Some(id), from_at: Some(since(now)), ..Default::default() };
    let newest = incidents::list(&mut tx, &filter, None, INCIDENTS).await?;
    let month = stored::find_ended(&mut tx, id, since(now)).await?;
    let healed = healed::by_client(&mut tx, Some(id), since(now)).await?.remove(&id).unwrap_or_default();
    let zone = TimeZone::get(&client.time_zone).ok();
    Ok(page(&ClientPage {
        shell,
        id,
        since: client.created_at,
        archived: client.archived_at.map(|at| Archived { by: client.archived_by, at }),
        stopped: client.is_stopped,
        sites: places
            .iter()
            .map(|site| SiteRow { id: site.site_id, name: site.name.clone(), hosts: count(site.hosts) })
            .collect(),
        contacts: contacts::list(&mut tx, Some(id)).await?.into_iter().map(contact).collect(),
        planned: count(hosts::count_planned(&mut tx, id).await?),
        hosts: hosts.iter().map(|row| line(row, &places)).collect(),
        checks,
        limits: guardrails::limits(&mut tx, Some(id), now).await?,
        refused: refused::list(&mut tx, Some(id)).await?,
        groups: group::list(&mut tx, id).await?.into_iter().filter(|group| group.holds).collect(),
        standing: standing(&mut tx, &member, id).await?,
        maintenance: guardrails::planned(&mut tx, Some(id)).await?,
        incidents: newest.into_iter().map(incident::row).collect(),
        month: Month {
            opened: count(month.opened),
            fixed: count(month.fixed),
            recovered: count(month.recovered),
            called: count(month.called),
            open: count(month.open),
        },
        healed: share(healed),
        may_manage: member.may(Act::ManageClients),
        may_enrol: member.may(Act::EnrolHosts),
        may_act: member.may(Act::WorkIncidents),
        local: zone.map(|zone| now.to_zoned(zone).strftime("%H:%M").to_string()),
        clock: clock(&app, now),
        zone: client.time_zone,
        name: client.name,
    }))
}

pub(super) fn contact(row: contacts::Contact) -> Contact {
    let contacts::Person { name, email, phone, is_told } = row.person;
    Contact { id: row.contact_id, name, email, phone, told: is_told }
}

fn tally(row: &hosts::Row) -> Tally {
    Tally { ok: count(row.ok), warning: count(row.warning), critical: count(row.critical), no_data: count(row.no_data) }
}

/// What needs somebody comes first.
fn worst(row: &hosts::Row) -> (bool, bool, bool, bool, String) {
    let heard = row.linked_at.is_some() && row.unlinked_at.is_none();
    (row.critical == 0, row.state == "trusted", heard, row.warning + row.no_data == 0, row.name.clone())
}

fn line(row: &hosts::Row, places: &[sites::Site]) -> HostLine {
    let site = row.site_id.and_then(|id| places.iter().find(|site| site.site_id == id));
    HostLine {
        id: row.host_id,
        name: row.name.clone(),
        site: site.map(|site| site.name.clone()),
        tags: host::tags(row),
        link: host::link(row),
        trust: host::trust(row),
        checks: tally(row),
    }
}

/// The checks that select a host of the client, with how they stand there.
async fn effective(
    tx: &mut TenantTx,
    client_id: Uuid,
    client: &str,
    hosts: &[hosts::Row],
) -> Result<Vec<CheckLine>, Failure> {
    let tallies = stored::list_check_tallies(tx, client_id).await?;
    let tags: Vec<BTreeMap<String, String>> = hosts.iter().map(|row| texts(&row.tags)).collect();
    let mut lines = Vec::new();
    for (check_id, check) in detect::checks::list(tx).await? {
        let selected = hosts
            .iter()
            .zip(&tags)
            .filter(|(row, tags)| check.selector.selects(&HostFacts { client, host: &row.name, tags }));
        let hosts = selected.count();
        if hosts == 0 {
            continue;
        }
        let tally = tallies.iter().find(|tally| tally.check_id == check_id);
        lines.push(CheckLine {
            what: what(&check),
            name: check.name,
            hosts: u32::try_from(hosts).unwrap_or(u32::MAX),
            tally: tally.map_or_else(Tally::default, |tally| Tally {
                ok: count(tally.ok),
                warning: count(tally.warning),
                critical: count(tally.critical),
                no_data: count(tally.no_data),
            }),
        });
    }
    Ok(lines)
}

fn texts(tags: &Value) -> BTreeMap<String, String> {
    let pairs = tags.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// "service shop-web", "its heartbeat".
fn what(check: &Check) -> String {
    let kind = check.kind.word();
    if check.target.is_empty() { "the host itself".to_owned() } else { format!("{kind} {}", check.target) }
}

/// What stands against fixes at the client; nothing is ended from here but by the page of its guardrails.
async fn standing(tx: &mut TenantTx, member: &Member, client_id: Uuid) -> Result<Vec<Standing>, Failure> {
    let stops = store::remediate::stops::list(tx, STANDING).await?;
    let of_here = stops.iter().filter(|stop| stop.client_id == Some(client_id) || stop.client_id.is_none());
    let mut standing: Vec<_> = of_here.map(|stop| guardrails::standing_stop(stop, false, Some(client_id))).collect();
    let breakers = stops_of::list_breakers(tx, STANDING).await?;
    let concerns = |of: Option<Uuid>| of == Some(client_id) || (of.is_none() && member.sees_all());
    standing.extend(breakers.iter().filter(|b| concerns(b.client_id)).map(|b| guardrails::standing_breaker(b, false)));
    Ok(standing)
}
