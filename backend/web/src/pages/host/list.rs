//! `GET /hosts`.

use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use store::pages::hosts;
use views::{
    Nav,
    hosts::{HostRow, HostsPage, Newcomer, Tally},
};

use super::{agent, hands_off, link, trust};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure};

/// How many are shown.
const SHOWN: i64 = 1_000;

/// All hosts the member may see.
pub async fn list(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Hosts).await?;
    let now = tx.now().await?;
    let off = hosts::list_hands_off(&mut tx, now).await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let all = hosts::list(&mut tx, hosts::Of::All, SHOWN).await?;
    let mut newcomers: Vec<_> = all.iter().filter(|row| row.is_newcomer).map(newcomer).collect();
    newcomers.sort_by_key(|host| host.since);
    let rows = all.into_iter().map(|row| HostRow {
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
