//! A form that a member sent: signed in, with the session's token, with no field that the route does not know.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use views::error::Kind;

use crate::{
    App, Failure,
    member::{Member, Newcomer},
};

/// The longest reason that is stored, in characters.
const REASON: usize = 200;

/// A reason as a person typed it, none where there is none.
pub fn reason(said: &str) -> Option<String> {
    let said = said.trim();
    (!said.is_empty()).then(|| said.chars().take(REASON).collect())
}

/// One input type a route; each denies unknown fields and carries the token.
pub trait Input: DeserializeOwned {
    /// Whether all that it does is to end the session: a support session may send nothing else.
    const ENDS_SESSION: bool = false;

    /// The token as it came.
    fn csrf(&self) -> &str;
}

/// A form with `csrf`, `answer`, and one more field as often as something is chosen.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Chosen(Vec<(String, String)>);

impl Chosen {
    fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// What is answered of all that is chosen.
    pub fn answer(&self) -> &str {
        self.field("answer")
    }

    /// The ids that are chosen by `field`, `most` of them at most.
    pub fn ids(&self, field: &str, most: usize) -> Result<Vec<Uuid>, Failure> {
        if self.0.iter().any(|(key, _)| !["csrf", "answer", field].contains(&key.as_str())) {
            return Err(Failure(Kind::BadRequest));
        }
        let chosen = self.0.iter().filter(|(key, _)| key == field).take(most);
        chosen.map(|(_, id)| id.parse().map_err(|_| Failure::NOT_FOUND)).collect()
    }
}

impl Input for Chosen {
    fn csrf(&self) -> &str {
        self.field("csrf")
    }
}

/// Who sent it, and what.
pub struct Posted<T>(pub Member, pub T);

impl<T: Input> FromRequest<App> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Posted<T>, Response> {
        let (mut parts, body) = request.into_parts();
        let member = Member::from_request_parts(&mut parts, app).await?;
        read(Request::from_parts(parts, body), app, member).await
    }
}

/// As [`Posted`], by somebody who may still owe a second factor that the organization asks for.
pub struct PostedByNewcomer<T>(pub Member, pub T);

impl<T: Input> FromRequest<App> for PostedByNewcomer<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<PostedByNewcomer<T>, Response> {
        let (mut parts, body) = request.into_parts();
        let Newcomer(member) = Newcomer::from_request_parts(&mut parts, app).await?;
        // What such forms change is the account's, not the organization's.
        member.must_own_account().map_err(IntoResponse::into_response)?;
        let Posted(member, input) = read(Request::from_parts(parts, body), app, member).await?;
        Ok(PostedByNewcomer(member, input))
    }
}

/// The form of `member`, with the session's token.
async fn read<T: Input>(request: Request, app: &App, member: Member) -> Result<Posted<T>, Response> {
    let input: T = fields(request, app).await.map_err(IntoResponse::into_response)?;
    member.check_token(input.csrf()).map_err(IntoResponse::into_response)?;
    if !T::ENDS_SESSION {
        member.must_be_member().map_err(IntoResponse::into_response)?;
    }
    Ok(Posted(member, input))
}

/// The fields of a form; one that may come several times is a list.
pub async fn fields<T: DeserializeOwned>(request: Request, app: &App) -> Result<T, Failure> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Failure(Kind::BadRequest));
    }
    // Only too large a body keeps its own answer.
    let body = Bytes::from_request(request, app).await.map_err(|rejection| {
        Failure(if rejection.status().as_u16() == 413 { Kind::TooLarge } else { Kind::BadRequest })
    })?;
    if has_nul(&body) {
        return Err(Failure(Kind::BadRequest));
    }
    serde_html_form::from_bytes(&body).map_err(|_| Failure(Kind::BadRequest))
}

/// Whether a form's text has a NUL, which no browser sends and the database does not store. Nothing else is written so:
/// a percent sign of the text itself is `%25`.
fn has_nul(body: &[u8]) -> bool {
    body.contains(&0) || body.windows(3).any(|three| three == b"%00")
}

/// A form that somebody sent who need not be signed in.
pub struct Fields<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Fields<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Fields<T>, Failure> {
        fields(request, app).await.map(Fields)
    }
}

/// Says of forms that each carries its token in the field `csrf`.
macro_rules! inputs {
    ($($form:ty),*) => {$(
        impl $crate::posted::Input for $form {
            fn csrf(&self) -> &str {
                &self.csrf
            }
        }
    )*};
}
pub(crate) use inputs;

#[cfg(test)]
mod tests {
    use super::has_nul;

    #[test]
    fn a_nul_is_found_however_it_is_written_and_nothing_else_is_taken_for_one() {
        for body in ["a=%00", "a%00=b", "a=b\0c", "a=%%00", "a=%4%00"] {
            assert!(has_nul(body.as_bytes()), "{body:?}");
        }
        for body in ["", "a=b", "a=%2500", "a=00", "a=%01&b=%0A", "a=100%25"] {
            assert!(!has_nul(body.as_bytes()), "{body:?}");
        }
    }
}
