//! What a browser begins with us and comes back to finish: a challenge's other half stays here, bound to that browser by a
//! cookie of its own, for a few minutes and once.
//!
//! It is no session: whoever only looks at the sign-in page makes none, and one that was begun by somebody who is signed
//! in, or half, can be finished by the same login alone.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, header, request::Parts};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::people::ceremonies::{self, New, Purpose};
use tower_sessions::cookie::{Cookie, SameSite};
use uuid::Uuid;
use views::error::Kind;

use crate::entry::{self, Visitor};
use crate::{App, Config, Failure};

/// Notes what begins, to be finished within `lasts`; the value of the header `Set-Cookie` that binds it to the browser.
pub async fn begin(
    app: &App,
    visitor: &Visitor,
    purpose: Purpose,
    login_id: Option<Uuid>,
    state: &impl Serialize,
    lasts: Duration,
) -> Result<HeaderValue, Failure> {
    let state = serde_json::to_value(state).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "what was begun cannot be written");
        Failure::BROKEN
    })?;
    let secret = entry::token();
    let new = New {
        secret_hash: &keys::digest(secret.as_bytes()).0,
        purpose,
        login_id,
        source: &visitor.source(),
        state: &state,
    };
    if !ceremonies::insert(&app.store, &new, lasts).await? {
        return Err(Failure(Kind::TooMany));
    }
    let https = app.config.is_https();
    let cookie = Cookie::build((name(&app.config), secret))
        .path("/")
        .secure(https)
        .http_only(true)
        // A provider of sign-on leads back to us from its own site.
        .same_site(SameSite::Lax)
        .max_age(time::Duration::try_from(lasts).unwrap_or(time::Duration::MINUTE));
    HeaderValue::from_str(&cookie.build().to_string()).map_err(|_| Failure::BROKEN)
}

fn name(config: &Config) -> &'static str {
    if config.is_https() { "__Host-ceremony" } else { "ceremony" }
}

/// What the browser says that it has begun.
pub struct Begun(Option<String>);

impl Begun {
    /// Takes what was begun for this purpose by this login, once; none: nothing was, it is too late, or it was finished.
    pub async fn take<T: DeserializeOwned>(
        &self,
        app: &App,
        purpose: Purpose,
        login_id: Option<Uuid>,
    ) -> Result<Option<T>, Failure> {
        let Some(secret) = &self.0 else { return Ok(None) };
        let hash = keys::digest(secret.as_bytes()).0;
        let Some(state) = ceremonies::take(&app.store, &hash, purpose, login_id).await? else { return Ok(None) };
        serde_json::from_value(state).map(Some).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "what was begun cannot be read");
            Failure::BROKEN
        })
    }
}

impl FromRequestParts<App> for Begun {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Begun, Infallible> {
        let name = name(&app.config);
        let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut found = cookies.flat_map(Cookie::split_parse).filter_map(Result::ok);
        Ok(Begun(found.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())))
    }
}
