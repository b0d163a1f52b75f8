//! Passkeys: the ceremonies of WebAuthn, judged by `webauthn-rs`.
//!
//! Name and origin of this site are those of the public URL, never of a header. Every ceremony demands that the device has
//! verified its user, so a passkey stands for two factors by itself.

use std::time::Duration;

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::people::ceremonies::Purpose;
use store::people::passkeys;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, Passkey, PasskeyAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Url, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::ceremony::{self, Begun};
use crate::entry::{self, Visitor};
use crate::{App, Config, Failure};

/// How long a ceremony may take.
const LASTS: Duration = Duration::from_secs(300);

/// This site as devices know it; none where it has no name, only an address: such sites have no passkeys.
fn site(config: &Config) -> Option<Webauthn> {
    let origin = Url::parse(&config.public_url).ok()?;
    let builder = WebauthnBuilder::new(origin.domain()?, &origin).ok()?;
    builder.rp_name("Mendwright").timeout(LASTS).build().ok()
}

/// Whether there can be passkeys here.
pub fn are_possible(config: &Config) -> bool {
    site(config).is_some()
}

fn must_have_site(app: &App) -> Result<Webauthn, Failure> {
    site(&app.config).ok_or(Failure::NOT_FOUND)
}

/// A ceremony's beginning, as the browser's script wants it.
async fn answer(
    app: &App,
    visitor: &Visitor,
    purpose: Purpose,
    login_id: Option<Uuid>,
    options: Value,
    state: &impl Serialize,
) -> Result<Response, Failure> {
    let cookie = ceremony::begin(app, visitor, purpose, login_id, state, LASTS).await?;
    Ok(([(header::SET_COOKIE, cookie)], Json(options)).into_response())
}

fn written(value: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "what a passkey needs cannot be written");
        Failure::BROKEN
    })
}

fn broken(error: &WebauthnError) -> Failure {
    tracing::error!(error = error as &dyn std::error::Error, "a passkey's ceremony could not begin");
    Failure::BROKEN
}

/// The passkeys of a login that can be read, with their ids.
async fn known(app: &App, login_id: Uuid) -> Result<Vec<Passkey>, Failure> {
    let rows = passkeys::list(&app.store, login_id).await?;
    Ok(rows.into_iter().filter_map(|row| read(row.passkey_id, row.credential)).collect())
}

fn read(passkey_id: Uuid, credential: Value) -> Option<Passkey> {
    serde_json::from_value(credential)
        .inspect_err(|error| {
            tracing::error!(%passkey_id, error = error as &dyn std::error::Error, "a stored passkey cannot be read");
        })
        .ok()
}

/// What a browser sent, if it can be read.
fn sent<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Begins to add a passkey to a login.
pub async fn begin_adding(app: &App, visitor: &Visitor, login_id: Uuid, email: &str) -> Result<Response, Failure> {
    let site = must_have_site(app)?;
    let others = known(app, login_id).await?.iter().map(|passkey| passkey.cred_id().clone()).collect();
    let (options, state) =
        site.start_passkey_registration(login_id, email, email, Some(others)).map_err(|error| broken(&error))?;
    let mut options = written(&options)?;
    // A device that can keep it lets in by itself; one that cannot is a second factor still.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("preferred");
    answer(app, visitor, Purpose::PasskeyAdd, Some(login_id), options, &state).await
}

/// The passkey that was made, if all of it is as it was begun.
pub async fn finish_adding(
    app: &App,
    begun: &Begun,
    login_id: Uuid,
    credential: &str,
) -> Result<Option<Passkey>, Failure> {
    let site = must_have_site(app)?;
    let Some(state) = begun.take::<PasskeyRegistration>(app, Purpose::PasskeyAdd, Some(login_id)).await? else {
        return Ok(None);
    };
    let Some(made) = sent::<RegisterPublicKeyCredential>(credential) else { return Ok(None) };
    Ok(site.finish_passkey_registration(&made, &state).inspect_err(refused).ok())
}

/// Begins to ask a login for one of its passkeys.
pub async fn begin_asking(app: &App, visitor: &Visitor, purpose: Purpose, login_id: Uuid) -> Result<Response, Failure> {
    let site = must_have_site(app)?;
    let passkeys = known(app, login_id).await?;
    if passkeys.is_empty() {
        return Err(Failure::NOT_FOUND);
    }
    let (options, state) = site.start_passkey_authentication(&passkeys).map_err(|error| broken(&error))?;
    answer(app, visitor, purpose, Some(login_id), written(&options)?, &state).await
}

/// Whether the answer is one of a passkey of this login; one that is not counts as a try of its source.
pub async fn is_of(
    app: &App,
    visitor: &Visitor,
    begun: &Begun,
    purpose: Purpose,
    login_id: Uuid,
    credential: &str,
) -> Result<bool, Failure> {
    if !entry::claim_try(app, visitor).await? {
        return Ok(false);
    }
    let judged = judge(app, begun, purpose, login_id, credential).await;
    if !matches!(judged, Ok(false)) {
        entry::give_back(app, visitor).await?;
    }
    judged
}

async fn judge(app: &App, begun: &Begun, purpose: Purpose, login_id: Uuid, credential: &str) -> Result<bool, Failure> {
    let site = must_have_site(app)?;
    let Some(state) = begun.take::<PasskeyAuthentication>(app, purpose, Some(login_id)).await? else {
        return Ok(false);
    };
    let Some(shown) = sent::<PublicKeyCredential>(credential) else { return Ok(false) };
    match site.finish_passkey_authentication(&shown, &state).inspect_err(refused) {
        Ok(result) => use_up(app, login_id, &result).await,
        Err(_) => Ok(false),
    }
}

/// Begins to ask for whichever passkey of this site the device has.
pub async fn begin_sign_in(app: &App, visitor: &Visitor) -> Result<Response, Failure> {
    let (options, state) = must_have_site(app)?.start_discoverable_authentication().map_err(|error| broken(&error))?;
    answer(app, visitor, Purpose::PasskeySignIn, None, written(&options)?, &state).await
}

/// The login whose passkey this is; none counts as a try of its source, and says nothing of which accounts there are.
pub async fn owner(app: &App, visitor: &Visitor, begun: &Begun, credential: &str) -> Result<Option<Uuid>, Failure> {
    if !entry::claim_try(app, visitor).await? {
        return Ok(None);
    }
    let owner = identify(app, begun, credential).await;
    if !matches!(owner, Ok(None)) {
        entry::give_back(app, visitor).await?;
    }
    owner
}

async fn identify(app: &App, begun: &Begun, credential: &str) -> Result<Option<Uuid>, Failure> {
    let site = must_have_site(app)?;
    let Some(state) = begun.take::<DiscoverableAuthentication>(app, Purpose::PasskeySignIn, None).await? else {
        return Ok(None);
    };
    let Some(shown) = sent::<PublicKeyCredential>(credential) else { return Ok(None) };
    let Ok((login_id, id)) = site.identify_discoverable_authentication(&shown).inspect_err(refused) else {
        return Ok(None);
    };
    let found = passkeys::find(&app.store, login_id, id).await?;
    let Some(passkey) = found.and_then(|(passkey_id, credential)| read(passkey_id, credential)) else {
        return Ok(None);
    };
    match site.finish_discoverable_authentication_v2(&shown, state, &passkey).inspect_err(refused) {
        Ok(result) => Ok(use_up(app, login_id, &result).await?.then_some(login_id)),
        Err(_) => Ok(None),
    }
}

/// Notes the use of a passkey; false if it was removed meanwhile, or its counter is one that was seen.
async fn use_up(app: &App, login_id: Uuid, result: &AuthenticationResult) -> Result<bool, Failure> {
    if !result.user_verified() {
        return Ok(false);
    }
    let Some((passkey_id, stored)) = passkeys::find(&app.store, login_id, result.cred_id()).await? else {
        return Ok(false);
    };
    let Some(mut passkey) = read(passkey_id, stored) else { return Ok(false) };
    passkey.update_credential(result);
    let counter = result.counter().into();
    let is_new = passkeys::mark_used(&app.store, passkey_id, &written(&passkey)?, counter).await?;
    if !is_new {
        tracing::warn!(%passkey_id, counter, "a passkey was shown with a counter that was seen: it may be a copy");
    }
    Ok(is_new)
}

fn refused(error: &WebauthnError) {
    tracing::info!(error = error as &dyn std::error::Error, "a passkey was refused");
}
