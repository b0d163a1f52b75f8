//! `/settings/organization`: the organization's own name and time zone.

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::people::check_name;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::{TenantTx, configuration};
use views::Nav;
use views::settings::{OrganizationPage, Tab};

use crate::layers::{page, refusing};
use crate::member::Member;
use crate::pages::client::zone;
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    csrf: String,
    name: String,
    zone: String,
}

inputs!(Details);

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let done = (asked.done == "changed").then_some("It is so from now on.");
    Ok(page(&load(&app, &member, None, Ok(done)).await?))
}

/// Renames the organization, or moves it to another time zone; whether anything is different now. Asked of somebody who has
/// just proven who they are.
pub async fn change_organization(
    tx: &mut TenantTx,
    member: &Member,
    (name, time_zone): (&str, &str),
) -> Result<Result<bool, Refusal>, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let name = match check_name(name) {
        Ok(name) => name,
        Err(wrong) => return Ok(Err(Refusal::field("name", wrong))),
    };
    let time_zone = match zone(time_zone) {
        Ok(time_zone) => time_zone,
        Err(wrong) => return Ok(Err(Refusal::field("time_zone", wrong))),
    };
    let before = configuration::find_tenant_locked(tx).await?.ok_or(Failure::NOT_FOUND)?;
    if (&name, &time_zone) == (&before.name, &before.time_zone) {
        return Ok(Ok(false));
    }
    configuration::update_tenant(tx, &name, &time_zone).await?;
    let told = |name: &str, zone: &str| json!({ "name": name, "time_zone": zone });
    let (subject, was, is) =
        (("tenant", tx.tenant_id()), told(&before.name, &before.time_zone), told(&name, &time_zone));
    audit::insert(tx, None, Entry::changed("organization.changed", subject, was, is)).await?;
    Ok(Ok(true))
}

/// Renames it, or moves it to another time zone.
pub async fn change(State(app): State<App>, Posted(member, form): Posted<Details>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    if let Err(why) = change_organization(&mut tx, &member, (&form.name, &form.zone)).await? {
        tx.rollback().await?;
        return Ok(refusing(&load(&app, &member, Some(form), Err(why.words())).await?));
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/organization?done=changed").into_response())
}

async fn load(
    app: &App,
    member: &Member,
    form: Option<Details>,
    said: Result<Option<&'static str>, String>,
) -> Result<OrganizationPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let (name, zone) = match form {
        Some(form) => (form.name, form.zone),
        None => {
            let tenant = configuration::find_tenant(&mut tx).await?.ok_or(Failure::NOT_FOUND)?;
            (tenant.name, tenant.time_zone)
        }
    };
    let (done, error) = match said {
        Ok(done) => (done, None),
        Err(why) => (None, Some(why)),
    };
    Ok(OrganizationPage { shell, tab: Tab::Organization, name, zone, done, error })
}
