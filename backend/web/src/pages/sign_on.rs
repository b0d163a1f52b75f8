//! `/sso/{organization}`: signing in by an organization's own provider.
//!
//! The page is the same for every organization and for none, and no account is made here: who comes back must have a seat,
//! and an address of theirs that the provider has verified.

use axum::extract::{Path, Query, State, rejection::PathRejection};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use keys::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use store::audit::{self, Entry};
use store::people::ceremonies::Purpose;
use store::people::sign_on::{self, Comes, SignOn};
use store::{TenantScope, auth};
use tower_sessions::Session;
use uuid::Uuid;
use views::signin::{NotePage, SignOnPage};

use super::sign_in::Destination;
use crate::ceremony::{self, Begun};
use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::peer::Came;
use crate::provider::{Journey, Provider};
use crate::vault::rng;
use crate::{App, Failure};

/// How long somebody may be away at their provider.
const LASTS: Duration = Duration::from_secs(600);
/// A proof at the provider that is older is none.
const CLOCKS_DIFFER: i64 = 60;

/// The query of the page, and of its button.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
    /// `yes`: they are to prove anew who they are.
    #[serde(default)]
    fresh: String,
}

/// What somebody brings back.
#[derive(Deserialize)]
pub struct Brought {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
}

/// What stays here while somebody is away.
#[derive(Serialize, Deserialize)]
struct Away {
    tenant_id: Uuid,
    version: i32,
    journey: Journey,
    next: Option<String>,
}

fn start(tenant_id: Uuid, next: Option<Destination>) -> String {
    next.map_or_else(|| format!("/sso/{tenant_id}/begin"), |next| format!("/sso/{tenant_id}/begin?next={next}"))
}

/// Where a member proves anew at their provider that it is them.
pub fn fresh(tenant_id: Uuid, next: Option<Destination>) -> String {
    let next = next.unwrap_or(Destination::Settings);
    format!("/sso/{tenant_id}/begin?fresh=yes&next={next}")
}

/// Where a provider leads back to: an address for each organization, so that one's provider cannot answer for another's.
pub fn way_back(app: &App, tenant_id: Uuid) -> String {
    format!("{}/sso/{tenant_id}/callback", app.config.public_url.trim_end_matches('/'))
}

/// The page: the same for every id.
pub async fn show(id: Result<Path<Uuid>, PathRejection>, Query(wanted): Query<Wanted>) -> Result<Response, Failure> {
    let Path(tenant_id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let next = Destination::parse(&wanted.next);
    Ok(page(&SignOnPage { leads_to: start(tenant_id, next) }))
}

/// The organization's provider with its secret, and the scope of asking for it.
async fn find(app: &App, tenant_id: Uuid) -> Result<Option<(TenantScope, SignOn, Secret)>, Failure> {
    let Some(scope) = auth::by_sign_on(&app.store, tenant_id).await? else { return Ok(None) };
    let mut tx = app.store.begin(&scope).await?;
    let Some(found) = sign_on::find(&mut tx).await? else { return Ok(None) };
    let secret = sign_on::open(&mut tx, app.vault.master(), &mut rng(), &found).await?;
    let secret = Secret::from_bytes(&secret).ok_or(Failure::BROKEN)?;
    tx.commit().await?;
    Ok(Some((scope, found, secret)))
}

async fn discover(app: &App, tenant_id: Uuid, set: &SignOn, secret: &Secret) -> Result<Option<Provider>, Failure> {
    let back = way_back(app, tenant_id);
    Ok(Provider::discover(&app.connector, &set.issuer, &set.application_id, secret.reveal(), back)
        .await
        .inspect_err(|why| tracing::warn!(%tenant_id, %why, "a provider of sign-on cannot be used"))
        .ok())
}

/// As [`discover`], for leading somebody there.
async fn recall(app: &App, tenant_id: Uuid, set: &SignOn, secret: &Secret) -> Result<Option<Provider>, Failure> {
    let (back, now) = (way_back(app, tenant_id), entry::now(&app.store).await?);
    let known_as = (set.application_id.as_str(), secret.reveal());
    Ok(Provider::recall(&app.connector, &set.issuer, known_as, back, now)
        .await
        .inspect_err(|why| tracing::warn!(%tenant_id, %why, "a provider of sign-on cannot be used"))
        .ok())
}

/// The one answer to whatever does not work; what it was stands in the log.
fn nobody() -> Response {
    refusing(&NotePage {
        title: "That did not work".to_owned(),
        lead:
            "This link signs nobody in, or it took too long, or your organization’s sign-on did not say who you are. \
               Begin again; if it stays so, ask an owner of your organization."
                .to_owned(),
        leads_to: "/sign-in".to_owned(),
        button: "To sign-in".to_owned(),
    })
}

/// Leads to the provider. Only from a page of ours, or typed: no other site begins it.
pub async fn begin(
    State(app): State<App>,
    visitor: Visitor,
    id: Result<Path<Uuid>, PathRejection>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Path(tenant_id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let next = Destination::parse(&wanted.next);
    let from = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok()).unwrap_or("none");
    if !matches!(from, "same-origin" | "none") {
        return Ok(Redirect::to(&format!("/sso/{tenant_id}")).into_response());
    }
    let Some((_, set, secret)) = find(&app, tenant_id).await? else { return Ok(nobody()) };
    let journey = Journey::new(entry::token(), entry::token());
    let away = Away { tenant_id, version: set.version, journey, next: next.map(|next| next.to_string()) };
    // Counted before anybody is asked: one source makes us ask no provider more often than it may begin.
    let cookie = ceremony::begin(&app, &visitor, Purpose::SignOn, None, &away, LASTS).await?;
    let Some(provider) = recall(&app, tenant_id, &set, &secret).await? else { return Ok(nobody()) };
    let to = provider.send_off(&away.journey, wanted.fresh == "yes");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
}

/// Signs in whom the provider names.
pub async fn finish(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    begun: Begun,
    Came(origin): Came,
    id: Result<Path<Uuid>, PathRejection>,
    Query(brought): Query<Brought>,
) -> Result<Response, Failure> {
    let Path(tenant_id) = id.map_err(|_| Failure::NOT_FOUND)?;
    // Taken first: whatever comes of it, nobody comes back a second time.
    let away: Option<Away> = begun.take(&app, Purpose::SignOn, None).await?;
    let Some(away) = away.filter(|away| away.tenant_id == tenant_id && away.journey.is(&brought.state)) else {
        return Ok(nobody());
    };
    if brought.code.is_empty() {
        let error: String = brought.error.chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
        tracing::info!(%tenant_id, error, "a provider of sign-on sent somebody back without a word of who they are");
        return Ok(nobody());
    }
    let found = find(&app, tenant_id).await?;
    let Some((scope, set, secret)) = found.filter(|(_, set, _)| set.version == away.version) else {
        return Ok(nobody());
    };
    // What is made up is a guess like any other: whoever brings much of it waits, and the provider is not asked.
    if !entry::claim_try(&app, &visitor).await? {
        return Ok(nobody());
    }
    let provider = match discover(&app, tenant_id, &set, &secret).await {
        Ok(Some(provider)) => provider,
        other => {
            entry::give_back(&app, &visitor).await?;
            return other.map(|_| nobody());
        }
    };
    let now = entry::now(&app.store).await?;
    let named = match provider.redeem(away.journey, brought.code, now).await {
        Ok(named) => named,
        Err(why) => {
            tracing::warn!(%tenant_id, %why, "nobody was signed in by a provider");
            return Ok(nobody());
        }
    };
    entry::give_back(&app, &visitor).await?;
    let domain = named.email.rsplit_once('@').map_or("", |(_, domain)| domain);
    if !set.domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain)) {
        tracing::info!(%tenant_id, "a provider named somebody whose domain does not count");
        return Ok(nobody());
    }
    let mut tx = app.store.begin(&scope).await?;
    tx.comes_from(origin);
    let login_id = match sign_on::bind(&mut tx, &set.issuer, &named.subject, &named.email).await? {
        Comes::Again(login_id) => login_id,
        Comes::First(login_id) => {
            let made = json!({ "issuer": set.issuer, "subject": named.subject });
            audit::insert(&mut tx, None, Entry::made("member.sign_on_bound", ("member", login_id), made)).await?;
            login_id
        }
        why @ (Comes::Nobody | Comes::Other) => {
            tracing::warn!(%tenant_id, ?why, "a provider named somebody who has no seat, or not as this subject");
            return Ok(nobody());
        }
    };
    tx.commit().await?;
    // A proof of the future would count too long.
    let proven_at = named.proven_at.filter(|at| *at <= now.as_second() + CLOCKS_DIFFER).unwrap_or(0);
    let proven_at = proven_at.min(now.as_second());
    entry::begin_sign_on(&app, &session, &visitor, login_id, (tenant_id, set.version), proven_at).await?;
    let next = away.next.as_deref().and_then(Destination::parse).unwrap_or(Destination::Board);
    Ok(Redirect::to(&next.to_string()).into_response())
}
