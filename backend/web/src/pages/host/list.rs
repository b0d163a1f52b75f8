//! `GET /hosts`.

use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use store::pages::hosts;
use views::{
    Nav,
    hosts::{HostRow, HostsPage, Tally},
};

use super::{hands_off, link, trust};
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
    let rows = hosts::list(&mut tx, hosts::Of::All, SHOWN).await?.into_iter().map(|row| HostRow {
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
        enrol_command: app.config.enrol_command.clone(),
    }))
}
