//! `GET /approvals`.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use store::pages;
use store::remediate::approvals::{Plan, list_plans};
use uuid::Uuid;
use views::{
    HostRef, Nav,
    approvals::{ApprovalsPage, Waiting},
    story::Versioned,
};

use super::{Asked, ask};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::pages::incident::verdict;
use crate::{App, Failure};

/// How many are shown; who has more waiting has another problem.
const SHOWN: i64 = 50;

/// What waits for a yes, what lapses first at the head.
pub async fn list(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Approvals).await?;
    let now = tx.now().await?;
    let rows = pages::approvals::list(&mut tx, SHOWN).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.run_id).collect();
    let plans: HashMap<Uuid, Plan> = list_plans(&mut tx, &ids).await?.into_iter().collect();
    let waiting = rows.into_iter().filter_map(|row| {
        let asked = Asked {
            run_id: row.run_id,
            playbook: &row.playbook,
            version: row.version,
            content: &row.content,
            place: format!("{} on {}", row.target, row.host),
        };
        let ask = ask(asked, plans.get(&row.run_id)?)?;
        Some(Waiting {
            ask,
            incident: row.incident_id,
            title: row.title,
            verdict: verdict(&row.severity),
            client: row.client,
            host: HostRef { id: row.host_id, name: row.host },
            check: format!("{} ({})", row.check, row.target),
            bad_since: row.bad_since,
            mapping: Versioned { title: row.mapping, version: u32::try_from(row.mapping_version).unwrap_or(0) },
        })
    });
    // What has lapsed is a no already, whether its row says so yet or not.
    let waiting = waiting.filter(|waiting| waiting.ask.lapses_at > now).collect();
    Ok(page(&ApprovalsPage { shell, clock: clock(&app, now), waiting, may_approve: member.may(Act::Approve) }))
}
