//! `/settings/checks`: what is looked at, and `POST /settings/checks/{id}/archive`. Archiving loosens: that of a check which is
//! no single host's is proposed to a second person.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State, rejection::PathRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::detect::Selector;
use serde::Deserialize;
use serde_json::json;
use store::archiving::{self, InUse};
use store::changes::{self, NewChange, Subject};
use store::remediate::guardrails;
use store::{TenantTx, clients};
use uuid::Uuid;
use views::Nav;
use views::settings::{CheckUsed, ChecksPage, Tab};
use views::signin::NotePage;

use crate::layers::{page, refusing};
use crate::member::Member;
use crate::pages::change::{list_waiting, waits};
use crate::posted::{Posted, inputs, reason};
use crate::{App, Failure, Refusal};

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// The form that archives one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    csrf: String,
    #[serde(default)]
    why: String,
}

inputs!(Archive);

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageClients)?;
    let done = match asked.done.as_str() {
        "archived" => Some("Nothing looks at it any more, and its name is free."),
        "proposed" => Some("It is looked at until somebody else has said yes, under Changes, and its time has come."),
        "waits" => Some("Exactly this is proposed already."),
        _ => None,
    };
    let mut tx = member.begin(&app).await?;
    Ok(page(&load(&mut tx, &member, done, None).await?))
}

async fn load(
    tx: &mut TenantTx,
    member: &Member,
    done: Option<&'static str>,
    error: Option<String>,
) -> Result<ChecksPage, Failure> {
    let shell = member.shell(tx, Nav::Settings).await?;
    let mut open = waiting(tx).await?;
    let checks = archiving::list(tx).await?.into_iter();
    let rows = checks.map(|used| row(open.remove(&used.check_id), used)).collect();
    Ok(ChecksPage { shell, tab: Tab::Checks, rows, done, error })
}

/// What waits for a check, in a line, by check.
async fn waiting(tx: &mut TenantTx) -> Result<BTreeMap<Uuid, String>, Failure> {
    let waiting = list_waiting(tx).await?;
    let of_checks = waiting.iter().filter_map(|change| {
        let Some(Subject::Check(check_id)) = change.subject else { return None };
        Some((check_id, waits(change, "That it is archived")))
    });
    Ok(of_checks.collect())
}

fn row(waits: Option<String>, used: InUse) -> CheckUsed {
    let target = used.check.target.clone();
    CheckUsed {
        id: used.check_id,
        kind: used.check.kind.word(),
        target: (!target.is_empty()).then_some(target),
        selects: selects(&used.check.selector),
        name: used.check.name,
        is_of_host: used.client_id.is_some(),
        waits,
    }
}

/// Which hosts, in words.
fn selects(selector: &Selector) -> String {
    let client = selector.client.iter().map(|client| format!("client {client}"));
    let host = selector.host.iter().map(|host| format!("host {host}"));
    let tags = selector.tags.iter().map(|(key, value)| format!("{key}={value}"));
    let all: Vec<String> = client.chain(host).chain(tags).collect();
    if all.is_empty() { "every host".to_owned() } else { all.join(", ") }
}

/// What comes of a check that somebody archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckCame {
    /// Nothing looks at it any more; it was made on this host's page.
    Archived(Option<Uuid>),
    /// It is no single host's: it waits for a second person.
    Proposed,
    /// Exactly this waits already.
    Waits,
}

/// Archives a check that was made on a host's page, by whoever manages its client; any other is proposed to a second person, by
/// somebody from whom no client is kept. Both are asked of somebody who has just proven who they are.
pub async fn archive_check(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    id: Uuid,
    why: Option<String>,
) -> Result<Result<CheckCame, Refusal>, Failure> {
    member.must(Act::ManageClients)?;
    guardrails::lock_tenant(tx).await?;
    let check = archiving::find_locked(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    match check.client_id {
        Some(client_id) => drop(clients::find(tx, client_id).await?.ok_or(Failure::NOT_FOUND)?),
        None => member.must_for_all(Act::ManageClients)?,
    }
    member.must_be_proven(app).await?;
    if check.client_id.is_none() {
        return propose(tx, member, &check, why).await;
    }
    let by = member.name(tx).await?;
    if archiving::archive(tx, &check, &by).await? {
        return Ok(Ok(CheckCame::Archived(check.host_id)));
    }
    let at_work = format!("A fix for “{}” is at work: it can be archived when that has ended.", check.check.name);
    Ok(Err(Refusal::Stands(at_work)))
}

/// Proposes that nothing looks at it any more.
async fn propose(
    tx: &mut TenantTx,
    member: &Member,
    check: &InUse,
    why: Option<String>,
) -> Result<Result<CheckCame, Refusal>, Failure> {
    let Some(why) = why else {
        let wrong = "No host would look at it any more: say why, for the second person.";
        return Ok(Err(Refusal::field("why", wrong)));
    };
    let subject = Subject::Check(check.check_id);
    let was = changes::find_current(tx, subject).await?.ok_or(Failure::NOT_FOUND)?;
    let change = NewChange {
        subject,
        name: &format!("“{}”", check.check.name),
        was,
        wanted: json!({ "archived": true }),
        why: &why,
        by: &member.name(tx).await?,
        login_id: Some(member.login_id()),
    };
    let is_new = changes::propose(tx, &change).await?;
    Ok(Ok(if is_new { CheckCame::Proposed } else { CheckCame::Waits }))
}

/// Archives it, or proposes to.
pub async fn archive(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Archive>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    match archive_check(&app, &mut tx, &member, id, reason(&form.why)).await? {
        Ok(came) => {
            tx.commit().await?;
            let next = match came {
                CheckCame::Archived(Some(host)) if !member.sees_all() => format!("/hosts/{host}"),
                CheckCame::Archived(_) => "/settings/checks?done=archived".to_owned(),
                CheckCame::Proposed => "/settings/checks?done=proposed".to_owned(),
                CheckCame::Waits => "/settings/checks?done=waits".to_owned(),
            };
            Ok(Redirect::to(&next).into_response())
        }
        // Only of a check that is no single host's: whoever is told sees all clients.
        Err(refusal @ Refusal::Field(..)) => Ok(refusing(&load(&mut tx, &member, None, Some(refusal.words())).await?)),
        Err(refusal @ Refusal::Stands(_)) => {
            let (title, lead) = ("Nothing was archived".to_owned(), refusal.words());
            let (leads_to, button) = ("/hosts".to_owned(), "To the hosts".to_owned());
            let mut response = refusing(&NotePage { title, lead, leads_to, button });
            *response.status_mut() = StatusCode::CONFLICT;
            Ok(response)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_which_hosts_a_check_is_for() {
        let mut selector = Selector::default();
        assert_eq!(selects(&selector), "every host");
        selector.tags.insert("role".to_owned(), "web".to_owned());
        selector.client = Some("Alder Dental".to_owned());
        assert_eq!(selects(&selector), "client Alder Dental, role=web");
    }
}
