//! `GET /demo`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use jiff::Timestamp;
use store::pages::{hosts, incidents, limits};
use store::{StoreError, TenantTx};
use views::demo::{Card, Condition, DemoPage, IncidentRef, Rest};
use views::incidents::{IncidentRow, Standing};
use views::{HostRef, LimitResult, Nav};
use web::{App, Failure, Member, clock, page, parts};

use super::Theatre;
use crate::demo::{VICTIMS, Victim};

/// What can be broken, and how it stands.
pub async fn show(
    State(app): State<App>,
    Extension(theatre): Extension<Arc<Theatre>>,
    member: Member,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Demo).await?;
    let now = tx.now().await?;
    let off = hosts::list_hands_off(&mut tx, now).await?;
    let mut cards = Vec::new();
    for row in hosts::list(&mut tx, hosts::Of::All, 100).await? {
        if let Some(victim) = VICTIMS.iter().find(|victim| victim.host == row.name) {
            cards.push(card(&mut tx, victim, row, &off, now).await?);
        }
    }
    cards.sort_by(|one, other| one.name.cmp(&other.name));
    let mails = theatre.sink.messages().len();
    let may_act = member.may(Act::WorkIncidents);
    Ok(page(&DemoPage { shell, clock: clock(&app, now), cards, mails, may_act }))
}

async fn card(
    tx: &mut TenantTx,
    victim: &Victim,
    row: hosts::Row,
    off: &[hosts::HandsOff],
    now: Timestamp,
) -> Result<Card, StoreError> {
    let newest = incidents::list_of_host(tx, row.host_id, 1).await?.pop().map(parts::incident);
    let buckets = limits::list(tx, row.client_id, row.host_id).await?;
    Ok(Card {
        name: victim.name.to_owned(),
        service: victim.service.to_owned(),
        caption: victim.caption.to_owned(),
        condition: condition(&row, newest.as_ref()),
        hands_off: parts::hands_off(off, &row, now),
        rest: rest(&buckets),
        incident: newest.map(|incident| IncidentRef {
            id: incident.id,
            title: incident.title,
            opened_at: incident.opened_at,
            why: incident.why,
        }),
        host: HostRef { id: row.host_id, name: row.name },
        client: row.client,
    })
}

/// An open incident says how it stands; without one, the check does.
fn condition(row: &hosts::Row, newest: Option<&IncidentRow>) -> Condition {
    match newest.map(|incident| incident.standing) {
        Some(Standing::NeedsYou) => Condition::NeedsYou,
        Some(Standing::Held) => Condition::Held,
        Some(Standing::Healing) => Condition::Healing,
        Some(Standing::WatchingOnly) => Condition::Broken,
        _ if row.critical + row.warning > 0 => Condition::Broken,
        _ if row.ok == 0 || row.no_data > 0 => Condition::Unknown,
        _ => Condition::Well,
    }
}

/// Of the limits that are used up, the one that frees last.
fn rest(buckets: &[limits::Bucket]) -> Option<Rest> {
    let used_up = parts::limits(buckets).into_iter().filter(|limit| limit.result == LimitResult::Held);
    let rests = used_up.filter_map(|limit| Some(Rest { until_at: limit.frees_at?, limit: limit.label }));
    rests.max_by_key(|rest| rest.until_at)
}
