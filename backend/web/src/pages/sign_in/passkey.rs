//! `/sign-in/passkey`: signing in with a passkey alone, without saying who one is.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tower_sessions::Session;

use super::Destination;
use super::submit::refused;
use crate::ceremony::Begun;
use crate::entry::{self, Visitor};
use crate::posted::Fields;
use crate::{App, Failure, passkey};

/// A form without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {}

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    #[serde(default)]
    credential: String,
    #[serde(default)]
    next: String,
}

/// What the browser's script needs to ask the device.
pub async fn begin(State(app): State<App>, visitor: Visitor, _: Fields<Wanted>) -> Result<Response, Failure> {
    passkey::begin_sign_in(&app, &visitor).await
}

/// Signs in whoever the passkey says. It stands for two factors: it is had, and it has verified its user.
pub async fn submit(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    begun: Begun,
    Fields(shown): Fields<Shown>,
) -> Result<Response, Failure> {
    let next = Destination::parse(&shown.next);
    let Some(login_id) = passkey::owner(&app, &visitor, &begun, &shown.credential).await? else {
        let error = "That did not work. Try again, or sign in with your password; after several tries, wait a minute.";
        return Ok(refused(&app, "", next, error).await);
    };
    entry::enter(&app, &session, &visitor, login_id, next).await
}
