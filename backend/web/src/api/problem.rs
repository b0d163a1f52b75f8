//! What the API answers when it cannot do what was asked: RFC 9457, with the field named.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use views::error::Kind;

use crate::failure::RETRY_SECS;
use crate::layers::Dressed;
use crate::{Failure, Refusal};

/// A refusal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem; each is told of in the API's documentation.
    #[serde(rename = "type")]
    #[schema(example = "/api/docs#not-found")]
    kind: &'static str,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The field of the body, or the parameter, that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Problem {
    const fn of(status: StatusCode, kind: &'static str, title: &'static str) -> Problem {
        Problem { kind, title, status: status.as_u16(), detail: None, field: None }
    }

    /// Nobody is known by what was sent, or nothing was.
    pub const UNAUTHORIZED: Problem =
        Problem::of(StatusCode::UNAUTHORIZED, "/api/docs#unauthorized", "There is no such token, or it works no more");
    /// Unknown, or somebody else's: the same answer for both.
    pub const NOT_FOUND: Problem = Problem::of(StatusCode::NOT_FOUND, "/api/docs#not-found", "There is no such thing");
    /// Too many requests.
    pub const TOO_MANY: Problem =
        Problem::of(StatusCode::TOO_MANY_REQUESTS, "/api/docs#too-many", "Too many requests in a short time");

    /// Something in the request cannot be read or used, in `field`.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Problem {
        let problem =
            Problem::of(StatusCode::UNPROCESSABLE_ENTITY, "/api/docs#invalid", "The request cannot be understood");
        Problem { field: Some(field.into()), detail: Some(detail.into()), ..problem }
    }

    /// The same key came with another request.
    pub fn key_reused() -> Problem {
        Problem::invalid("Idempotency-Key", "this key was used for another request within the last 24 hours")
    }

    /// As the status says, for what no handler answered.
    pub fn of_status(status: StatusCode) -> Problem {
        match status {
            StatusCode::UNAUTHORIZED => Problem::UNAUTHORIZED,
            StatusCode::FORBIDDEN => {
                Problem::of(status, "/api/docs#forbidden", "The token's scopes or its maker's role do not allow it")
            }
            StatusCode::NOT_FOUND => Problem::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED => {
                Problem::of(status, "/api/docs#method", "There is nothing here for this method")
            }
            StatusCode::CONFLICT => Problem::of(
                status,
                "/api/docs#conflict",
                "What is there stands against it, or changed meanwhile: look at it again",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => Problem::of(status, "/api/docs#too-large", "The request is too long"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Problem::of(status, "/api/docs#media-type", "The body must be application/json")
            }
            StatusCode::TOO_MANY_REQUESTS => Problem::TOO_MANY,
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                Problem::of(StatusCode::SERVICE_UNAVAILABLE, "/api/docs#busy", "The server is busy: try again")
            }
            status if status.is_client_error() => {
                Problem::of(status, "/api/docs#bad-request", "The request cannot be understood")
            }
            status => Problem::of(status, "/api/docs#broken", "A mistake of ours; its cause is in the server's log"),
        }
    }

    /// Whether nobody is known by what was sent.
    pub fn is_unauthorized(&self) -> bool {
        self.status == 401
    }

    /// Says more of it.
    pub fn because(self, detail: impl Into<String>) -> Problem {
        Problem { detail: Some(detail.into()), ..self }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure.0 {
            Kind::BadRequest => Problem::of_status(StatusCode::UNPROCESSABLE_ENTITY),
            kind => {
                Problem::of_status(StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Field(name, why) => Problem::invalid(name, why),
            Refusal::Stands(why) => Problem::of_status(StatusCode::CONFLICT).because(why),
        }
    }
}

impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Problem {
        Failure::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        response.extensions_mut().insert(Dressed);
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mendwright\""));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, RETRY_SECS);
        }
        response
    }
}
