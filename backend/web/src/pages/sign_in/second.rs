//! `/sign-in/second`: whoever gave the right password owes the second factor: a code, or a passkey.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use store::logins;
use store::people::ceremonies::Purpose;
use tower_sessions::Session;
use views::signin::SecondPage;

use super::Destination;
use super::passkey::Wanted;
use crate::ceremony::Begun;
use crate::entry::{self, Pending, Visitor};
use crate::layers::{page, refusing};
use crate::posted::Fields;
use crate::{App, Failure, passkey};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    code: String,
}

/// The form of a passkey.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    #[serde(default)]
    credential: String,
}

/// The form, for whoever owes it.
pub async fn show(State(app): State<App>, session: Session) -> Result<Response, Failure> {
    match entry::owing(&app, &session).await? {
        Some(pending) => Ok(page(&form(&app, &pending, None).await?)),
        None => Ok(Redirect::to("/sign-in").into_response()),
    }
}

async fn form(app: &App, pending: &Pending, error: Option<&str>) -> Result<SecondPage, Failure> {
    let account = logins::find_account(&app.store, pending.login_id).await?.ok_or(Failure::NOT_FOUND)?;
    let has_passkey = account.passkeys > 0 && passkey::are_possible(&app.config);
    Ok(SecondPage { has_app: account.codes_since.is_some(), has_passkey, error: error.map(str::to_owned) })
}

/// Signs in if the code is right.
pub async fn submit(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Fields(input): Fields<Second>,
) -> Result<Response, Failure> {
    let Some(pending) = entry::owing(&app, &session).await? else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    if !entry::code_is_of(&app, visitor.origin, pending.login_id, &input.code).await? {
        entry::count_try(&app, &visitor).await?;
        let error =
            "That code does not count. Each counts once, for half a minute; after several tries, wait a minute.";
        return Ok(refusing(&form(&app, &pending, Some(error)).await?));
    }
    enter(&app, &session, &visitor, &pending).await
}

/// What the browser's script needs to ask the device.
pub async fn begin_passkey(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    _: Fields<Wanted>,
) -> Result<Response, Failure> {
    match entry::owing(&app, &session).await? {
        Some(pending) => passkey::begin_asking(&app, &visitor, Purpose::PasskeySecond, pending.login_id).await,
        None => Ok(Redirect::to("/sign-in").into_response()),
    }
}

/// Signs in if the passkey is one of theirs.
pub async fn submit_passkey(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    begun: Begun,
    Fields(shown): Fields<Shown>,
) -> Result<Response, Failure> {
    let Some(pending) = entry::owing(&app, &session).await? else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let (purpose, login_id) = (Purpose::PasskeySecond, pending.login_id);
    if !passkey::is_of(&app, &visitor, &begun, purpose, login_id, &shown.credential).await? {
        let error = "That passkey does not count. Try again; after several tries, wait a minute.";
        return Ok(refusing(&form(&app, &pending, Some(error)).await?));
    }
    enter(&app, &session, &visitor, &pending).await
}

async fn enter(app: &App, session: &Session, visitor: &Visitor, pending: &Pending) -> Result<Response, Failure> {
    entry::enter(app, session, visitor, pending.login_id, pending.next.as_deref().and_then(Destination::parse)).await
}
