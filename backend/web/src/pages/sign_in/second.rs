//! `/sign-in/second`: whoever gave the right password owes the second factor.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;
use views::signin::SecondPage;

use super::Destination;
use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::posted::Fields;
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    code: String,
}

/// The form, for whoever owes it.
pub async fn show(State(app): State<App>, session: Session) -> Result<Response, Failure> {
    match entry::owing(&app, &session).await? {
        Some(_) => Ok(page(&SecondPage { error: None })),
        None => Ok(Redirect::to("/sign-in").into_response()),
    }
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
    if !entry::code_is_of(&app, pending.login_id, &input.code).await? {
        entry::count_try(&app, &visitor).await?;
        let error =
            "That code does not count. Each counts once, for half a minute; after several tries, wait a minute.";
        return Ok(refusing(&SecondPage { error: Some(error.to_owned()) }));
    }
    entry::begin(&app, &session, &visitor, pending.login_id, None).await?;
    let next = pending.next.as_deref().and_then(Destination::parse).unwrap_or(Destination::Board);
    Ok(Redirect::to(&next.to_string()).into_response())
}
