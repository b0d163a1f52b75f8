//! `GET /incidents`.

use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use views::{Nav, incidents::IncidentsPage};

use super::row;
use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure};

/// How many are shown; the open ones come first.
const SHOWN: usize = 100;

/// The open incidents, then the newest closed ones.
pub async fn list(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Incidents).await?;
    let now = tx.now().await?;
    let mut rows = store::pages::incidents::list(&mut tx, None, SHOWN as i64 + 1).await?;
    let hosts = store::pages::hosts::count(&mut tx).await?;
    let has_more = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    let rows = rows.into_iter().map(row).collect();
    Ok(page(&IncidentsPage {
        shell,
        clock: clock(&app, now),
        rows,
        hosts: u32::try_from(hosts).unwrap_or(u32::MAX),
        has_more,
    }))
}
