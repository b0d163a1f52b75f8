//! `/settings/sign-on`: an owner sets the organization's own provider.

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::people::check_domains;
use keys::Secret;
use serde::Deserialize;
use serde_json::json;
use store::changes::{self, Change, NewChange};
use store::people::sign_on::{self, New, SignOn};
use store::{TenantTx, sealing};
use tokio::sync::Semaphore;
use uuid::Uuid;
use views::Nav;
use views::settings::{SignOnSet, SignOnSettingsPage, Tab};
use zeroize::Zeroizing;

use super::data::asks;
use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::pages::change::{value, waits};
use crate::pages::sign_on::way_back;
use crate::posted::{Posted, inputs};
use crate::provider::{Provider, check_issuer};
use crate::vault::rng;
use crate::{App, Failure, Refusal};

/// Providers that a node asks at once: each may take as long as a probe.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

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
    let open = changes::find_open(&mut tx, changes::Subject::SignOn).await?;
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
        waits: open.map(|change| waits(&change, &format!("“{}”", value(change.subject, &change.wanted)))),
        set: set.map(|set| SignOnSet { at: set.changed_at, by: set.changed_by }),
        done,
        error,
    })
}

/// A provider that somebody wants, as it can be used.
#[derive(Debug)]
pub struct Sound {
    issuer: String,
    client_id: String,
    domains: Vec<String>,
}

/// Reads what was typed; or says which field cannot be taken, and why.
pub fn sound(issuer: &str, client_id: &str, secret: &str, domains: &str) -> Result<Sound, Refusal> {
    let issuer = check_issuer(issuer).map_err(|wrong| Refusal::field("issuer", wrong))?;
    let domains = check_domains(domains).map_err(|wrong| Refusal::field("domains", wrong))?;
    let client_id = client_id.trim();
    let fits = |text: &str| text.len() <= LONGEST && !text.chars().any(char::is_control);
    let wrong = "Client id and secret are what your provider shows for this application.";
    if client_id.is_empty() || !fits(client_id) {
        return Err(Refusal::field("client_id", wrong));
    }
    if !fits(secret) {
        return Err(Refusal::field("secret", wrong));
    }
    Ok(Sound { issuer, client_id: client_id.to_owned(), domains })
}

/// Asks the provider whether it is one; what does not answer is not set.
pub async fn ask(app: &App, tenant_id: Uuid, sound: &Sound, secret: &str) -> Result<Result<(), Refusal>, Failure> {
    let _permit = AT_ONCE.try_acquire().map_err(|_| Failure::BUSY)?;
    let back = way_back(app, tenant_id);
    match Provider::discover(&app.connector, &sound.issuer, &sound.client_id, secret, back).await {
        Ok(_) => Ok(Ok(())),
        Err(why) => Ok(Err(Refusal::field("issuer", format!("Nothing was set: {why}.")))),
    }
}

/// Proposes a provider to another owner, or that there is to be none: what a token asks for, which proves nothing, while
/// whoever names the provider says who is whom. The secret waits sealed. Exactly this may wait already.
pub async fn propose(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    wanted: Option<(&Sound, &Secret, bool)>,
    why: &str,
) -> Result<Result<Change, Refusal>, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(app).await?;
    let (tenant_id, subject) = (tx.tenant_id(), changes::Subject::SignOn);
    let was = changes::find_current(tx, subject).await?.ok_or(Failure::BROKEN)?;
    let version = was["version"].as_i64().and_then(|version| i32::try_from(version).ok()).ok_or(Failure::BROKEN)? + 1;
    if wanted.is_none() && was["provider"].is_null() {
        return Ok(Err(Refusal::Stands("there is no provider".to_owned())));
    }
    let provider = wanted.map(|(sound, ..)| (&*sound.issuer, &*sound.client_id, &*sound.domains));
    let required = wanted.is_some_and(|(_, _, required)| required);
    let new = NewChange {
        subject,
        name: "how members sign on",
        was,
        wanted: changes::sign_on_value(provider, required, version),
        why,
        by: &asks(tx, member).await?,
        login_id: Some(member.login_id()),
    };
    match wanted {
        Some((_, secret, _)) => {
            let sealing = sealing::newest(tx, app.vault.master(), &mut rng()).await?;
            let row = tenant_id.to_string();
            let place = sign_on::place(&row, version, tenant_id);
            let secret = sealing.seal(tenant_id, &mut rng(), &place, secret.reveal().as_bytes());
            let sealed = changes::Sealed { secret, sealing_version: sealing.version };
            changes::propose_sealed(tx, &new, &sealed).await?;
        }
        None => {
            changes::propose(tx, &new).await?;
        }
    }
    Ok(Ok(changes::find_open(tx, subject).await?.ok_or(Failure::BROKEN)?))
}

/// Sets the provider, if it answers.
pub async fn set(State(app): State<App>, Posted(member, form): Posted<Wanted>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(&app).await?;
    let refused = async |error: String| Ok(refusing(&load(&app, &member, None, Some(&form), Some(error)).await?));
    let wanted = match sound(&form.issuer, &form.client_id, &form.secret, &form.domains) {
        Ok(wanted) => wanted,
        Err(wrong) => return refused(wrong.words()).await,
    };
    let mut tx = member.begin(&app).await?;
    let tenant_id = tx.tenant_id();
    let before = sign_on::find(&mut tx).await?;
    // A secret is for the provider that gave it: for another one it is asked for anew.
    let is_same = |set: &&SignOn| set.issuer == wanted.issuer && set.application_id == wanted.client_id;
    let known = before.as_ref().filter(is_same);
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
    if let Err(wrong) = ask(&app, tenant_id, &wanted, secret).await? {
        return refused(wrong.words()).await;
    }
    let required = form.required == "yes";
    let mut tx = member.begin(&app).await?;
    let version = sign_on::next_version(&mut tx).await?;
    let by = member.name(&mut tx).await?;
    let sealing = sealing::newest(&mut tx, app.vault.master(), &mut rng()).await?;
    let row = tenant_id.to_string();
    let place = sign_on::place(&row, version, tenant_id);
    let Sound { issuer, client_id, domains } = &wanted;
    let new = New {
        issuer,
        application_id: client_id,
        secret_sealed: &sealing.seal(tenant_id, &mut rng(), &place, secret.as_bytes()),
        sealing_version: sealing.version,
        version,
        domains,
        by: &by,
    };
    sign_on::put(&mut tx, &new, required, json!({ "new_secret": !form.secret.is_empty() })).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/sign-on?done=set").into_response())
}

/// Ends signing in by the provider, and every session that it began.
pub async fn remove(State(app): State<App>, Posted(member, _): Posted<Click>) -> Result<Redirect, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    if !sign_on::end(&mut tx, json!({})).await? {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/sign-on?done=removed"))
}
