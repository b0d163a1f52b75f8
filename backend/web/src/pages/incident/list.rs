//! `GET /incidents`: filtered by its address, a page at a time.

use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::StatusCode;
use axum::response::Response;
use domain::access::Act;
use store::pages::incidents::{self, Place};
use views::{
    Nav,
    incidents::{Found, IncidentsPage},
};

use super::{filter, row};
use crate::layers::{Dressed, page};
use crate::member::{Member, clock};
use crate::{App, Failure, pages::count};

/// How many one page shows.
const SHOWN: usize = 50;

/// The incidents that the address asks for: open ones first, the newest first in each.
pub async fn list(
    State(app): State<App>,
    member: Member,
    fields: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let asked = match fields {
        Ok(Query(fields)) => filter::parse(&fields),
        Err(_) => Err("what stands behind the “?” is no list of fields".to_owned()),
    };
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Incidents).await?;
    let now = tx.now().await?;
    let clients = store::fleet::list_clients(&mut tx).await?.into_iter().map(|c| (c.client_id, c.name)).collect();
    let mut shown = IncidentsPage {
        shell,
        clock: clock(&app, now),
        rows: Vec::new(),
        hosts: count(store::pages::hosts::count(&mut tx).await?),
        filter: Default::default(),
        clients,
        kinds: incidents::list_kinds(&mut tx).await?,
        found: Found::Exactly(0),
        is_later: false,
        older: None,
        wrong: None,
        may_act: member.may(Act::WorkIncidents),
    };
    let kinds = &shown.kinds;
    let known = |asked: &filter::Asked| asked.filter.kind.as_ref().is_none_or(|kind| kinds.contains(kind));
    let mut asked = match asked {
        Ok(asked) if known(&asked) => asked,
        wrong => {
            shown.wrong = Some(wrong.err().unwrap_or_else(|| "“kind” is none of the kinds below".to_owned()));
            let mut answer = page(&shown);
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            answer.extensions_mut().insert(Dressed);
            return Ok(answer);
        }
    };
    if let Some((id, name)) = &mut asked.filter.client {
        // Somebody else's client, or nobody's: the same answer for both.
        *name = store::fleet::find_client(&mut tx, *id).await?.ok_or(Failure::NOT_FOUND)?.name;
    }
    let wanted = filter::stored(&asked.filter, &app.config.zone);
    let mut rows = incidents::list(&mut tx, &wanted, asked.after, SHOWN as i64 + 1).await?;
    let found = incidents::count(&mut tx, &wanted, i64::from(Found::MOST) + 1).await?;
    let has_more = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    shown.older = rows.last().filter(|_| has_more).map(place).map(filter::said);
    shown.rows = rows.into_iter().map(row).collect();
    shown.found = Found::of(count(found));
    shown.is_later = asked.after.is_some();
    shown.filter = asked.filter;
    Ok(page(&shown))
}

fn place(row: &incidents::Row) -> Place {
    Place { is_open: row.state != "closed", opened_at: row.opened_at, incident_id: row.incident_id }
}
