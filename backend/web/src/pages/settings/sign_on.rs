//! `/settings/sign-on`: an owner sets the organization's own provider.

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::people::check_domains;
use serde::Deserialize;
use serde_json::json;
use store::people::sign_on::{self, New};
use store::{audit, sealing};
use views::Nav;
use views::settings::{SignOnSet, SignOnSettingsPage, Tab};
use zeroize::Zeroizing;

use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::pages::sign_on::way_back;
use crate::posted::{Posted, inputs};
use crate::provider::{Provider, check_issuer};
use crate::vault::rng;
use crate::{App, Failure};

/// The longest id or secret that a provider gives.
const LONGEST: usize = 500;

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    csrf: String,
    issuer: String,
    client_id: String,
    /// Empty: the one that is known.
    #[serde(default)]
    secret: String,
    domains: String,
    /// `yes`, or not there.
    #[serde(default)]
    required: String,
}

inputs!(Wanted);

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let done = match asked.done.as_str() {
        "set" => Some("Members can sign in by your provider. Whoever was signed in by it before begins anew."),
        "removed" => Some("Your provider signs nobody in any more."),
        _ => None,
    };
    Ok(page(&load(&app, &member, done, None, None).await?))
}

async fn load(
    app: &App,
    member: &Member,
    done: Option<&'static str>,
    typed: Option<&Wanted>,
    error: Option<String>,
) -> Result<SignOnSettingsPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let clock = clock(app, tx.now().await?);
    let tenant_id = tx.tenant_id();
    let set = sign_on::find(&mut tx).await?;
    let is_required = sign_on::is_required(&mut tx).await?;
    let base = app.config.public_url.trim_end_matches('/');
    let (issuer, client_id, domains) = match (typed, &set) {
        (Some(typed), _) => (typed.issuer.clone(), typed.client_id.clone(), typed.domains.clone()),
        (None, Some(set)) => (set.issuer.clone(), set.application_id.clone(), set.domains.join(", ")),
        (None, None) => Default::default(),
    };
    Ok(SignOnSettingsPage {
        shell,
        clock,
        tab: Tab::SignOn,
        issuer,
        client_id,
        domains,
        is_required: typed.map_or(is_required, |typed| typed.required == "yes"),
        way_back: way_back(app, tenant_id),
        link: format!("{base}/sso/{tenant_id}"),
        set: set.map(|set| SignOnSet { at: set.changed_at, by: set.changed_by }),
        done,
        error,
    })
}

/// Sets the provider, if it answers.
pub async fn set(State(app): State<App>, Posted(member, form): Posted<Wanted>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(&app).await?;
    let refused = async |error: String| Ok(refusing(&load(&app, &member, None, Some(&form), Some(error)).await?));
    let checked = check_issuer(&form.issuer).and_then(|issuer| Ok((issuer, check_domains(&form.domains)?)));
    let (issuer, domains) = match checked {
        Ok(checked) => checked,
        Err(error) => return refused(error.to_owned()).await,
    };
    let client_id = form.client_id.trim();
    let fits = |text: &str| text.len() <= LONGEST && !text.chars().any(char::is_control);
    if client_id.is_empty() || !fits(client_id) || !fits(&form.secret) {
        return refused("Client id and secret are what your provider shows for this application.".to_owned()).await;
    }
    let mut tx = member.begin(&app).await?;
    let tenant_id = tx.tenant_id();
    let before = sign_on::find(&mut tx).await?;
    let was_required = sign_on::is_required(&mut tx).await?;
    // A secret is for the provider that gave it: for another one it is asked for anew.
    let known = before.as_ref().filter(|set| set.issuer == issuer && set.application_id == client_id);
    let secret = match (form.secret.is_empty(), known) {
        (false, _) => Zeroizing::new(form.secret.clone().into_bytes()),
        (true, Some(set)) => sign_on::open(&mut tx, app.vault.master(), &mut rng(), set).await?,
        (true, None) => {
            tx.rollback().await?;
            return refused("The client secret is missing.".to_owned()).await;
        }
    };
    tx.commit().await?;
    let secret = std::str::from_utf8(&secret).map_err(|_| Failure::BROKEN)?;
    let back = way_back(&app, tenant_id);
    if let Err(why) = Provider::discover(&app.connector, &issuer, client_id, secret, back).await {
        return refused(format!("Nothing was set: {why}.")).await;
    }
    let required = form.required == "yes";
    let mut tx = member.begin(&app).await?;
    let version = sign_on::next_version(&mut tx).await?;
    let by = member.name(&mut tx).await?;
    let sealing = sealing::newest(&mut tx, app.vault.master(), &mut rng()).await?;
    let row = tenant_id.to_string();
    let place = sign_on::place(&row, version, tenant_id);
    let new = New {
        issuer: &issuer,
        application_id: client_id,
        secret_sealed: &sealing.seal(tenant_id, &mut rng(), &place, secret.as_bytes()),
        sealing_version: sealing.version,
        version,
        domains: &domains,
        by: &by,
    };
    sign_on::set(&mut tx, &new).await?;
    sign_on::set_required(&mut tx, required).await?;
    let was = before.map(|set| json!({ "issuer": set.issuer, "client_id": set.application_id, "domains": set.domains, "required": was_required }));
    let detail = json!({ "issuer": issuer, "client_id": client_id, "domains": domains, "required": required,
        "new_secret": !form.secret.is_empty(), "was": was });
    audit::insert_tenant_wide(&mut tx, "organization.sign_on_set", "tenant", tenant_id, detail).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/sign-on?done=set").into_response())
}

/// Ends signing in by the provider, and every session that it began.
pub async fn remove(State(app): State<App>, Posted(member, _): Posted<Click>) -> Result<Redirect, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    let (tenant_id, _) = (tx.tenant_id(), sign_on::next_version(&mut tx).await?);
    if !sign_on::delete(&mut tx).await? {
        return Err(Failure::CONFLICT);
    }
    sign_on::set_required(&mut tx, false).await?;
    audit::insert_tenant_wide(&mut tx, "organization.sign_on_removed", "tenant", tenant_id, json!({})).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/sign-on?done=removed"))
}
