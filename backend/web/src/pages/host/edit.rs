//! `GET` and `POST /hosts/{id}/edit`: where a host stands, and its tags.

use std::collections::BTreeMap;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::detect::{Check, HostFacts};
use domain::fleet;
use serde::Deserialize;
use serde_json::json;
use store::configuration::{self, Machine};
use store::pages::hosts;
use store::remediate::guardrails;
use store::{TenantTx, audit, detect, sites};
use uuid::Uuid;
use views::Nav;
use views::error::Kind;
use views::host_edit::HostEditPage;

use super::tags;
use crate::layers::{Dressed, page};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    csrf: String,
    #[serde(default)]
    site: String,
    tags: String,
}

inputs!(Place);

type Id = Result<Path<Uuid>, PathRejection>;

/// The page, as the host stands.
pub async fn edit(State(app): State<App>, member: Member, id: Id) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let row = hosts::list(&mut tx, hosts::Of::Host(id), 1).await?.pop().ok_or(Failure::NOT_FOUND)?;
    Ok(page(&filled(&app, &member, &mut tx, &row).await?))
}

async fn filled(app: &App, member: &Member, tx: &mut TenantTx, row: &hosts::Row) -> Result<HostEditPage, Failure> {
    let shell = member.shell(tx, Nav::Hosts).await?;
    let now = tx.now().await?;
    let sites = sites::list(tx, row.client_id).await?;
    Ok(HostEditPage {
        shell,
        clock: clock(app, now),
        id: row.host_id,
        name: row.name.clone(),
        client: (row.client_id, row.client.clone()),
        sites: sites.into_iter().map(|site| (site.site_id, site.name)).collect(),
        site: row.site_id,
        tags: tags(row).join("\n"),
        wrong: None,
    })
}

/// Writes it; the agent is told when other checks select the host now.
pub async fn place(State(app): State<App>, id: Id, Posted(member, form): Posted<Place>) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let site_id = match form.site.as_str() {
        "" => None,
        site => Some(site.parse::<Uuid>().map_err(|_| Failure(Kind::BadRequest))?),
    };
    let tags = match fleet::tags(&form.tags) {
        Ok(tags) => tags,
        Err(wrong) => {
            let row = hosts::list(&mut tx, hosts::Of::Host(id), 1).await?.pop().ok_or(Failure::NOT_FOUND)?;
            let mut shown = filled(&app, &member, &mut tx, &row).await?;
            shown.tags = form.tags;
            shown.site = site_id;
            shown.wrong = Some(wrong);
            let mut answer = page(&shown);
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            answer.extensions_mut().insert(Dressed);
            return Ok(answer);
        }
    };
    put(&mut tx, &member, id, site_id, &tags).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/hosts/{id}")).into_response())
}

/// Puts a host on a site of its client, or on none, with these tags; whether anything is different now.
pub async fn put(
    tx: &mut TenantTx,
    member: &Member,
    host_id: Uuid,
    site_id: Option<Uuid>,
    tags: &BTreeMap<String, String>,
) -> Result<bool, Failure> {
    member.must(Act::ManageClients)?;
    let row = hosts::list(tx, hosts::Of::Host(host_id), 1).await?.pop().ok_or(Failure::NOT_FOUND)?;
    let places = sites::list(tx, row.client_id).await?;
    if site_id.is_some_and(|id| !places.iter().any(|site| site.site_id == id)) {
        return Err(Failure::NOT_FOUND);
    }
    write(tx, &row, site_id, tags).await
}

async fn write(
    tx: &mut TenantTx,
    row: &hosts::Row,
    site_id: Option<Uuid>,
    tags: &BTreeMap<String, String>,
) -> Result<bool, Failure> {
    let before: BTreeMap<String, String> = serde_json::from_value(row.tags.clone()).unwrap_or_default();
    if before == *tags && row.site_id == site_id {
        return Ok(false);
    }
    // By its tags a host is a member of service groups: each admission is wholly before the change or wholly after it.
    let tenant_id = tx.tenant_id().to_string();
    guardrails::lock_one(tx, "tenant", &tenant_id).await?;
    let checks = detect::checks::list(tx).await?;
    if selected(&checks, row, &before) != selected(&checks, row, tags) {
        // Links are locked before hosts.
        configuration::wake_hosts(tx, &[row.host_id]).await?;
    }
    configuration::update_host(tx, Machine::Enrolled(row.host_id), site_id, &json!(tags)).await?;
    let told = |site: Option<Uuid>, tags: &BTreeMap<String, String>| json!({ "site": site, "tags": tags });
    let detail = json!({ "before": told(row.site_id, &before), "after": told(site_id, tags) });
    audit::insert(tx, row.client_id, "host.placed", "host", row.host_id, detail).await?;
    Ok(true)
}

fn selected(checks: &[(Uuid, Check)], row: &hosts::Row, tags: &BTreeMap<String, String>) -> Vec<Uuid> {
    let facts = HostFacts { client: &row.client, host: &row.name, tags };
    checks.iter().filter(|(_, check)| check.selector.selects(&facts)).map(|(id, _)| *id).collect()
}
