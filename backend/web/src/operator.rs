//! An operator of the platform who asks. To everybody else what is theirs is not there.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{Method, request::Parts};
use axum::response::{IntoResponse, Redirect, Response};
use store::platform::{self, Did};
use store::{Origin, logins};
use tower_sessions::Session;
use uuid::Uuid;
use views::error::Kind;

use crate::posted::{Input, fields};
use crate::{App, Failure, entry, peer, sessions::key};

/// Where an operator without a second factor makes one.
pub const SECOND: &str = "/platform/second-factor";

/// An operator with a second factor; asked anew for each request.
pub struct Operator(pub Known);

/// An operator who may have no second factor yet: for the page that makes one.
pub struct Known {
    /// The login.
    pub login_id: Uuid,
    /// Its address.
    pub email: String,
    /// The token that forms carry.
    pub csrf: String,
    /// Whether codes of a second factor count.
    pub has_second: bool,
    proven_at: i64,
    origin: Origin,
}

impl Known {
    /// Who acts, as the platform's audit says it.
    pub fn did(&self) -> Did {
        Did { actor: format!("operator {}", self.email), origin: self.origin }
    }

    /// Where the request comes from, as audit rows say it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Goes on only with the session's token.
    fn check_token(&self, token: &str) -> Result<(), Failure> {
        // Digests compare in constant time.
        let same = keys::digest(token.as_bytes()) == keys::digest(self.csrf.as_bytes());
        if same && !self.csrf.is_empty() { Ok(()) } else { Err(Failure::FORBIDDEN) }
    }

    /// Goes on only if they signed in a short while ago: a session alone makes no second factor.
    pub async fn must_be_proven(&self, app: &App) -> Result<(), Failure> {
        if entry::counts(self.proven_at, entry::now(&app.store).await?) { Ok(()) } else { Err(Failure(Kind::Stale)) }
    }

    /// Whether this is a code of theirs: every act asks for one, and each counts once.
    pub async fn is_proven_by(&self, app: &App, code: &str) -> Result<bool, Failure> {
        entry::code_is_of(app, self.origin, self.login_id, code).await
    }
}

impl FromRequestParts<App> for Known {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Known, Response> {
        let session = parts.extensions.get::<Session>().cloned().ok_or_else(|| Failure::BROKEN.into_response())?;
        let busy = |_| Failure::BUSY.into_response();
        let login: Option<Uuid> = session.get(key::LOGIN).await.map_err(busy)?;
        let csrf: Option<String> = session.get(key::CSRF).await.map_err(busy)?;
        let proven: Option<i64> = session.get(key::PROVEN).await.map_err(busy)?;
        let nobody = || Failure::NOT_FOUND.into_response();
        let failed = |error| Failure::from(error).into_response();
        let (Some(login_id), Some(csrf)) = (login, csrf) else { return Err(nobody()) };
        // An organization's owner chooses its provider: whom that names is nobody here.
        if session.get::<i32>(key::SIGN_ON).await.map_err(busy)?.is_some() {
            return Err(nobody());
        }
        if !platform::is_operator(&app.store, login_id).await.map_err(failed)? {
            return Err(nobody());
        }
        let account = logins::find_account(&app.store, login_id).await.map_err(failed)?.ok_or_else(nobody)?;
        let has_second = account.codes_since.is_some();
        let proven_at = proven.unwrap_or(0);
        Ok(Known { login_id, email: account.email, csrf, has_second, proven_at, origin: peer::origin(parts) })
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Operator, Response> {
        let known = Known::from_request_parts(parts, app).await?;
        match (known.has_second, &parts.method) {
            (true, _) => Ok(Operator(known)),
            (false, &Method::GET) => Err(Redirect::to(SECOND).into_response()),
            (false, _) => Err(Failure::FORBIDDEN.into_response()),
        }
    }
}

/// A form of an operator's, with the session's token.
pub struct Sent<T>(pub Known, pub T);

impl<T: Input> FromRequest<App> for Sent<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Sent<T>, Response> {
        let (mut parts, body) = request.into_parts();
        let known = Known::from_request_parts(&mut parts, app).await?;
        let input: T = fields(Request::from_parts(parts, body), app).await.map_err(IntoResponse::into_response)?;
        known.check_token(input.csrf()).map_err(IntoResponse::into_response)?;
        Ok(Sent(known, input))
    }
}
