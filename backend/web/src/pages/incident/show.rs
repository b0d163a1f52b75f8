//! `GET /incidents/{id}`: the story.

use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Act;
use jiff::SignedDuration;
use store::contacts;
use store::pages::{hosts, incident};
use store::remediate::{approvals, progress};
use uuid::Uuid;
use views::Nav;

use super::ON_CALL;
use super::story::{self, Facts, May};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::pages::host;
use crate::{App, Failure};

/// Hands off is told of from this long before the incident.
const BEFORE: SignedDuration = SignedDuration::from_hours(12);

/// Reads every fact in one transaction and tells them in order. Unknown and not theirs are the same answer.
pub async fn show(
    State(app): State<App>,
    member: Member,
    id: Result<Path<Uuid>, axum::extract::rejection::PathRejection>,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let incident = incident::find(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let shell = member.shell(&mut tx, Nav::Incidents).await?;
    let now = tx.now().await?;
    let alerts = incident::list_alerts(&mut tx, id).await?;
    let host = match alerts.first() {
        Some(alert) => hosts::list(&mut tx, hosts::Of::Host(alert.host_id), 1).await?.pop(),
        None => None,
    };
    let mut hands_off = hosts::list_hands_off(&mut tx, incident.opened_at - BEFORE).await?;
    hands_off.retain(|off| host.as_ref().is_some_and(|host| host::concerns(off, host)));
    let runs = incident::list_runs(&mut tx, id).await?;
    let waiting: Vec<Uuid> = runs.iter().filter(|run| run.state == "awaiting_approval").map(|run| run.run_id).collect();
    let plans = approvals::list_plans(&mut tx, &waiting).await?;
    let mut mails = incident::list_mails(&mut tx, id).await?;
    if member.is_of_client() {
        let theirs = contacts::list(&mut tx, Some(incident.client_id)).await?;
        mails.iter_mut().for_each(|mail| without_address(mail, &theirs));
    }
    let facts = Facts {
        decisions: store::decisions::list_of_incident(&mut tx, id).await?,
        runs,
        plans,
        run_events: incident::list_run_events(&mut tx, id).await?,
        results: incident::list_results(&mut tx, id).await?,
        verifications: incident::list_verifications(&mut tx, id).await?,
        mails,
        progress: progress::list_of(&mut tx, id).await?,
        diagnostics: store::diagnostics::list_of(&mut tx, id).await?,
        incident,
        alerts,
        host,
        hands_off,
    };
    let may = May { who: member.login_id(), act: member.may(Act::WorkIncidents), approve: member.may(Act::Approve) };
    Ok(page(&story::tell(facts, shell, clock(&app, now), may)))
}

/// A client sees that somebody was told, and of the addresses those of its own contacts.
fn without_address(mail: &mut incident::Mail, theirs: &[contacts::Contact]) {
    if !theirs.iter().any(|contact| contact.person.email.eq_ignore_ascii_case(&mail.address)) {
        ON_CALL.clone_into(&mut mail.address);
        // A mail server's words name whom they are about.
        mail.last_error = None;
    }
}
