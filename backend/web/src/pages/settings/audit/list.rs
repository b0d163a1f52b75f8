//! `GET /settings/audit`: filtered by its address, a page at a time.

use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::StatusCode;
use axum::response::Response;
use domain::access::Act;
use jiff::SignedDuration;
use store::audit::{self, Place, Row, chain};
use store::fleet;
use views::Nav;
use views::settings::{AuditPage, AuditRow, Tab};

use super::filter;
use crate::layers::{Dressed, page};
use crate::member::{Member, clock};
use crate::pages::count;
use crate::{App, Failure};

/// How many one page shows.
const SHOWN: usize = 50;
/// An entry that waits longer to be linked is told about; how far back one is looked for.
const LATE: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(1), SignedDuration::from_hours(25));

/// The entries that the address asks for.
pub async fn list(
    State(app): State<App>,
    member: Member,
    fields: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Failure> {
    member.must_for_all(Act::ReadAudit)?;
    let asked = match fields {
        Ok(Query(fields)) => filter::parse(&fields),
        Err(_) => Err("What stands behind the “?” is no list of fields".to_owned()),
    };
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let now = tx.now().await?;
    let clients = fleet::list_clients(&mut tx).await?.into_iter().map(|c| (c.client_id, c.name)).collect();
    let end = chain::find_end(&mut tx).await?.map(|end| (end.seq, end.hash.to_string(), end.linked_at));
    let late = count(audit::count_unlinked(&mut tx, now - LATE.1, now - LATE.0).await?);
    let mut shown = AuditPage {
        shell,
        clock: clock(&app, now),
        tab: Tab::Audit,
        rows: Vec::new(),
        filter: Default::default(),
        clients,
        is_later: false,
        older: None,
        wrong: None,
        end,
        late,
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(wrong) => {
            shown.wrong = Some(wrong);
            let mut answer = page(&shown);
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            answer.extensions_mut().insert(Dressed);
            return Ok(answer);
        }
    };
    if let Some(id) = asked.filter.client {
        // Somebody else's client, or nobody's: the same answer for both.
        fleet::find_client(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    }
    let wanted = filter::stored(&asked.filter, &app.config.zone);
    let mut rows = audit::list(&mut tx, &wanted, asked.after, SHOWN as i64 + 1).await?;
    let has_more = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    let place = |row: &Row| filter::said(Place { at: row.at, audit_id: row.audit_id });
    shown.older = rows.last().filter(|_| has_more).map(place);
    shown.rows = rows.into_iter().map(row).collect();
    shown.is_later = asked.after.is_some();
    shown.filter = asked.filter;
    Ok(page(&shown))
}

fn row(row: Row) -> AuditRow {
    AuditRow {
        at: row.at,
        actor: row.actor,
        name: row.actor_name,
        source: row.source,
        request_id: row.request_id,
        action: row.action,
        subject_kind: row.subject_kind,
        subject_id: row.subject_id,
        client: row.client,
        detail: row.detail,
        before: row.before,
        after: row.after,
        link: row.seq.zip(row.hash.map(hex::encode)),
    }
}
