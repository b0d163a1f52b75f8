//! `POST /hosts/{id}/watch`: a service that its host declares is watched from now on.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::detect::Check;
use domain::quota::Counted;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::detect::checks;
use store::{TenantTx, archiving, configuration, hosts, metrics, quotas, seeding};
use uuid::Uuid;
use views::error::Kind;
use views::signin::NotePage;

use super::metrics::services;
use crate::layers::refusing;
use crate::member::Member;
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

inputs!(Watch);

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    csrf: String,
    service: String,
}

/// The longest name of a check, in bytes.
const NAME_MAX: usize = 100;

/// What the check of a service is called. Hosts of two clients have one name as often as not, so the client's is in it.
fn check_name(service: &str, host: &str, client: &str) -> String {
    let name = format!("{service} on {host} ({client})");
    if name.len() <= NAME_MAX {
        return name;
    }
    let mut end = NAME_MAX - '…'.len_utf8();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &name[..end])
}

/// Makes a check for this service on this host alone; its id. What follows when it fails is for the mappings to say.
pub async fn watch_service(
    tx: &mut TenantTx,
    member: &Member,
    id: Uuid,
    service: &str,
) -> Result<Result<Uuid, Refusal>, Failure> {
    member.must(Act::ManageClients)?;
    let host = hosts::find(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let now = metrics::find_now(tx, id).await?;
    let declared = now.map(|now| services(&now.extra)).unwrap_or_default();
    let Some(service) = declared.iter().find(|declared| declared.name == service) else {
        return Ok(Err(Refusal::field("service", "Its host declares no service of that name.")));
    };
    let definition = json!({
        "name": check_name(&service.name, &host.name, &host.client),
        "kind": "service",
        "target": service.name,
        "selector": { "client": host.client, "host": host.name },
    });
    let check: Check = serde_json::from_value(definition).map_err(|_| Failure::BROKEN)?;
    let check = check.complete().map_err(|_| Failure(Kind::BadRequest))?;
    let definition = serde_json::to_value(&check).map_err(|_| Failure::BROKEN)?;
    if checks::is_taken(tx, &check.name).await? {
        let taken = format!(
            "There is a check “{}” already: it is watched, or it will be as soon as the host hears of it.",
            check.name
        );
        return Ok(Err(Refusal::Stands(taken)));
    }
    if let Err(full) = quotas::find_room(tx, Counted::Checks, 1).await? {
        return Ok(Err(Refusal::Stands(full)));
    }
    let check_id = seeding::insert_check(tx, &check.name, check.kind.word(), definition.clone()).await?;
    archiving::mark_made_for(tx, check_id, host.client_id, id).await?;
    audit::insert(tx, Some(host.client_id), Entry::made("check.made", ("check", check_id), definition)).await?;
    configuration::wake_hosts(tx, &[id]).await?;
    Ok(Ok(check_id))
}

/// Watches it from now on.
pub async fn submit(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Watch>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    match watch_service(&mut tx, &member, id, &form.service).await? {
        Ok(_) => {
            tx.commit().await?;
            Ok(Redirect::to(&format!("/hosts/{id}")).into_response())
        }
        // The page offers what is declared.
        Err(Refusal::Field(..)) => Err(Failure(Kind::BadRequest)),
        Err(Refusal::Stands(lead)) => {
            let (leads_to, button) = (format!("/hosts/{id}"), "Back to the host".to_owned());
            Ok(refusing(&NotePage { title: "Nothing was added".to_owned(), lead, leads_to, button }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_called_by_its_service_its_host_and_its_client_and_never_too_long() {
        assert_eq!(check_name("shop", "web-01", "Alder Dental"), "shop on web-01 (Alder Dental)");
        for letters in ["x", "é", "…"] {
            let long = check_name("shop", &letters.repeat(90), &letters.repeat(90));
            assert!((97..=NAME_MAX).contains(&long.len()) && long.ends_with('…'), "{long}");
        }
    }
}
