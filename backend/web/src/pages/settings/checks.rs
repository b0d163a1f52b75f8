//! `/settings/checks`: what is looked at, and `POST /settings/checks/{id}/archive`.

use axum::extract::{Path, Query, State, rejection::PathRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::detect::Selector;
use serde::Deserialize;
use store::archiving::{self, InUse};
use store::remediate::guardrails;
use store::{TenantTx, clients};
use uuid::Uuid;
use views::Nav;
use views::settings::{CheckUsed, ChecksPage, Tab};
use views::signin::NotePage;

use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::Member;
use crate::posted::Posted;
use crate::{App, Failure, Refusal};

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageClients)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let rows = archiving::list(&mut tx).await?.into_iter().map(row).collect();
    let done = (asked.done == "archived").then_some("Nothing looks at it any more, and its name is free.");
    Ok(page(&ChecksPage { shell, tab: Tab::Checks, rows, done, error: None }))
}

fn row(used: InUse) -> CheckUsed {
    let target = used.check.target.clone();
    CheckUsed {
        id: used.check_id,
        kind: used.check.kind.word(),
        target: (!target.is_empty()).then_some(target),
        selects: selects(&used.check.selector),
        name: used.check.name,
        is_of_host: used.host_id.is_some(),
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

/// Archives a check: that of a host by whoever manages its client, any other by somebody from whom no client is kept.
pub async fn archive_check(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<Result<InUse, Refusal>, Failure> {
    member.must(Act::ManageClients)?;
    guardrails::lock_tenant(tx).await?;
    let check = archiving::find_locked(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    match check.client_id {
        Some(client_id) => drop(clients::find(tx, client_id).await?.ok_or(Failure::NOT_FOUND)?),
        None => member.must_for_all(Act::ManageClients)?,
    }
    let by = member.name(tx).await?;
    if archiving::archive(tx, &check, &by).await? {
        return Ok(Ok(check));
    }
    let at_work = format!("A fix for “{}” is at work: it can be archived when that has ended.", check.check.name);
    Ok(Err(Refusal::Stands(at_work)))
}

/// Archives it.
pub async fn archive(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Click>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    match archive_check(&mut tx, &member, id).await? {
        Ok(check) => {
            tx.commit().await?;
            let host = check.host_id.filter(|_| !member.sees_all()).map(|host| format!("/hosts/{host}"));
            let next = host.unwrap_or_else(|| "/settings/checks?done=archived".to_owned());
            Ok(Redirect::to(&next).into_response())
        }
        Err(refusal) => {
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
