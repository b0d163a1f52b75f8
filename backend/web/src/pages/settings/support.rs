//! `/settings/support`: an owner lets the platform's staff look for a while, and ends it.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use serde::Deserialize;
use serde_json::json;
use store::audit;
use store::people::support;
use views::Nav;
use views::settings::{SupportGrant, SupportPage, Tab};

use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs, reason};
use crate::{App, Failure};

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

/// Lets the platform's staff look.
pub async fn grant(State(app): State<App>, Posted(member, form): Posted<Wanted>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(&app).await?;
    let reason = match (1..=HOURS_MAX).contains(&form.hours).then(|| reason(&form.reason)) {
        Some(Some(reason)) => reason,
        Some(None) => return Ok(refusing(&load(&app, &member, Some("Say what for: it stands in the audit.")).await?)),
        None => return Ok(refusing(&load(&app, &member, Some("Between one hour and 72.")).await?)),
    };
    let mut tx = member.begin(&app).await?;
    let by = member.name(&mut tx).await?;
    let lasts = Duration::from_secs(u64::from(form.hours) * 3_600);
    let grant_id = support::insert(&mut tx, &by, &reason, lasts).await?;
    let detail = json!({ "hours": form.hours, "reason": reason });
    audit::insert_tenant_wide(&mut tx, "support.granted", "support", grant_id, detail).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/support").into_response())
}

/// Ends it: the next request of a session that it let begin is refused.
pub async fn end(State(app): State<App>, Posted(member, _): Posted<Click>) -> Result<Redirect, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let mut tx = member.begin(&app).await?;
    let by = member.name(&mut tx).await?;
    let ended = support::end_all(&mut tx, &by).await?;
    for grant_id in &ended {
        audit::insert_tenant_wide(&mut tx, "support.withdrawn", "support", *grant_id, json!({})).await?;
    }
    if ended.is_empty() {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/support"))
}
