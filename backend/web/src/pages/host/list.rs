//! `GET /hosts`.

use axum::extract::{Query, State, rejection::QueryRejection};
use axum::response::Response;
use domain::access::Act;
use serde::Deserialize;
use store::fleet;
use store::pages::hosts;
use uuid::Uuid;
use views::{
    Nav,
    error::Kind,
    hosts::{HostFilter, HostRow, HostsPage, Newcomer, Tally},
};

use super::{agent, hands_off, link, trust};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure};

/// How many are shown on a page.
const SHOWN: i64 = 100;
/// How many newcomers are shown; accepting some shows the next.
const NEWCOMERS: i64 = 500;
/// The longest part of a name that is looked for.
const NAME: usize = 100;

/// Which of them are asked for. What is no id, or is empty, is as if it were not there.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    client: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    after: String,
}

/// A page of the hosts the member may see.
pub async fn list(
    State(app): State<App>,
    member: Member,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let Query(asked) = asked.map_err(|_| Failure(Kind::BadRequest))?;
    let name: String = asked.name.trim().chars().filter(|c| !c.is_control()).take(NAME).collect();
    let filter = HostFilter { client: asked.client.parse().ok(), name: Some(name).filter(|name| !name.is_empty()) };
    let after: Option<Uuid> = asked.after.parse().ok();
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Hosts).await?;
    let now = tx.now().await?;
    let off = hosts::list_hands_off(&mut tx, now).await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let (all, silent) = hosts::count_heard(&mut tx).await?;
    let mut newcomers: Vec<_> =
        hosts::list(&mut tx, hosts::Of::Newcomers, NEWCOMERS).await?.iter().map(newcomer).collect();
    newcomers.sort_by_key(|host| host.since);
    let clients = fleet::list_clients(&mut tx).await?;
    let of = hosts::Of::Page { client: filter.client, name: filter.name.as_deref(), after };
    let mut listed = hosts::list(&mut tx, of, SHOWN + 1).await?;
    let has_more = listed.len() > SHOWN as usize;
    listed.truncate(SHOWN as usize);
    let next = listed.last().filter(|_| has_more).map(|row| row.host_id);
    let rows = listed.into_iter().map(|row| HostRow {
        agent: agent(&row),
        id: row.host_id,
        link: link(&row),
        trust: trust(&row),
        hands_off_until_at: hands_off(&off, &row, now).map(|off| off.until_at),
        checks: Tally {
            ok: count(row.ok),
            warning: count(row.warning),
            critical: count(row.critical),
            no_data: count(row.no_data),
        },
        name: row.name,
        client: row.client,
    });
    Ok(page(&HostsPage {
        shell,
        clock: clock(&app, now),
        rows: rows.collect(),
        all: count(all),
        silent: count(silent),
        filter,
        clients: clients.into_iter().map(|client| (client.client_id, client.name)).collect(),
        next,
        is_later: after.is_some(),
        newcomers,
        may_trust: member.may(Act::TrustHost),
        may_enrol: member.may(Act::EnrolHosts),
        enrol_command: app.config.enrol_command.clone(),
    }))
}

fn newcomer(row: &hosts::Row) -> Newcomer {
    Newcomer {
        id: row.host_id,
        name: row.name.clone(),
        client: row.client.clone(),
        since: row.enrolled_at,
        agent: agent(row),
    }
}
