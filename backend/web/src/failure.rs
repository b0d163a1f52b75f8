//! What a handler answers when it cannot do what was asked.

use axum::http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use store::StoreError;
use views::error::Kind;

/// A refusal. It becomes an answer without a body; [`crate::layers::dress`] makes the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(pub Kind);

impl Failure {
    /// Unknown, or somebody else's: the same answer for both.
    pub const NOT_FOUND: Failure = Failure(Kind::NotFound);
    /// A role that may not, or a form without the session's token.
    pub const FORBIDDEN: Failure = Failure(Kind::Forbidden);
    /// Something changed meanwhile.
    pub const CONFLICT: Failure = Failure(Kind::Conflict);
    /// A mistake of ours; log its cause where it is known.
    pub const BROKEN: Failure = Failure(Kind::Broken);
    /// No connection, or too much at once.
    pub const BUSY: Failure = Failure(Kind::Busy);
}

/// Seconds after which a busy server may be asked again.
pub const RETRY_SECS: HeaderValue = HeaderValue::from_static("5");

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if matches!(self.0, Kind::Busy | Kind::TooMany) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_SECS);
        }
        response
    }
}

impl From<StoreError> for Failure {
    /// Logs the whole chain once; the reader gets the request's id.
    fn from(error: StoreError) -> Failure {
        match &error {
            StoreError::Unavailable(_) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no database connection for a page");
                Failure::BUSY
            }
            StoreError::Conflict(_, _) => {
                tracing::info!(error = &error as &dyn std::error::Error, "a change was refused");
                Failure::CONFLICT
            }
            _ => {
                tracing::error!(error = &error as &dyn std::error::Error, "a page's statement failed");
                Failure::BROKEN
            }
        }
    }
}
