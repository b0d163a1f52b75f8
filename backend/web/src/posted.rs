//! A form that a member sent: signed in, with the session's token, with no field that the route does not know.

use axum::extract::{Form, FromRequest, FromRequestParts as _, Request};
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;
use views::error::Kind;

use crate::{App, Failure, member::Member};

/// The longest reason that is stored, in characters.
const REASON: usize = 200;

/// A reason as a person typed it, none where there is none.
pub fn reason(said: &str) -> Option<String> {
    let said = said.trim();
    (!said.is_empty()).then(|| said.chars().take(REASON).collect())
}

/// One input type a route; each denies unknown fields and carries the token.
pub trait Input: DeserializeOwned {
    /// The token as it came.
    fn csrf(&self) -> &str;
}

/// Who sent it, and what.
#[allow(dead_code, reason = "signing out needs nothing of the member but that there is one")]
pub struct Posted<T>(pub Member, pub T);

impl<T: Input> FromRequest<App> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Posted<T>, Response> {
        let (mut parts, body) = request.into_parts();
        let member = Member::from_request_parts(&mut parts, app).await?;
        let Form(input) =
            Form::<T>::from_request(Request::from_parts(parts, body), app).await.map_err(|rejection| {
                // Only too large a body keeps its own answer.
                let response = rejection.into_response();
                if response.status().as_u16() == 413 {
                    Failure(Kind::TooLarge).into_response()
                } else {
                    Failure(Kind::BadRequest).into_response()
                }
            })?;
        member.check_token(input.csrf()).map_err(axum::response::IntoResponse::into_response)?;
        Ok(Posted(member, input))
    }
}
