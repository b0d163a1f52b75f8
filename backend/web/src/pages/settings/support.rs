//! `/settings/support`: an owner lets the platform's staff look for a while, and ends it.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use serde::Deserialize;
use serde_json::json;
use store::TenantTx;
use store::audit::{self, Entry};
use store::people::support;
use uuid::Uuid;
use views::Nav;
use views::settings::{SupportGrant, SupportPage, Tab};

use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs, reason};
use crate::{App, Failure, Refusal};

/// The longest that one grant lasts.
const HOURS_MAX: u16 = 72;

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    csrf: String,
    hours: u16,
    reason: String,
}

inputs!(Wanted);

/// The page.
pub async fn show(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    Ok(page(&load(&app, &member, None).await?))
}

async fn load(app: &App, member: &Member, error: Option<&str>) -> Result<SupportPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let now = tx.now().await?;
    let row = |grant: support::Grant| SupportGrant {
        by: grant.granted_by,
        at: grant.granted_at,
        reason: grant.reason,
        ends_at: grant.ends_at,
        is_alive: grant.ended.is_none() && grant.ends_at > now,
        ended: grant.ended,
    };
    let rows = support::list(&mut tx).await?.into_iter().map(row).collect();
    Ok(SupportPage { shell, clock: clock(app, now), tab: Tab::Support, rows, error: error.map(str::to_owned) })
}

/// Lets the platform's staff look for so many hours; the grant's id. Asked of somebody who has just proven who they are.
pub async fn insert_grant(
    tx: &mut TenantTx,
    member: &Member,
    hours: u16,
    why: &str,
) -> Result<Result<Uuid, Refusal>, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    if !(1..=HOURS_MAX).contains(&hours) {
        return Ok(Err(Refusal::field("hours", "Between one hour and 72.")));
    }
    let Some(reason) = reason(why) else {
        return Ok(Err(Refusal::field("reason", "Say what for: it stands in the audit.")));
    };
    let by = member.name(tx).await?;
    let lasts = Duration::from_secs(u64::from(hours) * 3_600);
    let grant_id = support::insert(tx, &by, &reason, lasts).await?;
    let made = json!({ "hours": hours, "reason": reason });
    audit::insert(tx, None, Entry::made("support.granted", ("support", grant_id), made)).await?;
    Ok(Ok(grant_id))
}

/// Ends every grant, and with its next request each session that one let begin; whether there was one.
pub async fn end_grants(tx: &mut TenantTx, member: &Member) -> Result<bool, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let by = member.name(tx).await?;
    let ended = support::end_all(tx, &by).await?;
    for grant in &ended {
        let was = json!({ "reason": grant.reason, "ends_at": grant.ends_at.to_string() });
        audit::insert(tx, None, Entry::removed("support.withdrawn", ("support", grant.grant_id), was)).await?;
    }
    Ok(!ended.is_empty())
}

/// Lets the platform's staff look.
pub async fn grant(State(app): State<App>, Posted(member, form): Posted<Wanted>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    if let Err(why) = insert_grant(&mut tx, &member, form.hours, &form.reason).await? {
        tx.rollback().await?;
        return Ok(refusing(&load(&app, &member, Some(&why.words())).await?));
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/support").into_response())
}

/// Ends it.
pub async fn end(State(app): State<App>, Posted(member, _): Posted<Click>) -> Result<Redirect, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let mut tx = member.begin(&app).await?;
    if !end_grants(&mut tx, &member).await? {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/support"))
}
