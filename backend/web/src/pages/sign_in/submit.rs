//! `POST /sign-in`: the same work, the same words and the same status for a wrong password, an unknown account
//! and one that rests after too many tries.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::people::EMAIL_MAX;
use serde::Deserialize;
use store::logins;
use tower_sessions::Session;
use views::signin::SignInPage;

use super::Destination;
use super::show::may_sign_up;
use crate::entry::{self, Visitor};
use crate::layers::refusing;
use crate::posted::Fields;
use crate::{App, Failure, passkey};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
    /// Always empty here: there is no session yet.
    #[serde(default, rename = "csrf")]
    _csrf: String,
}

/// Signs in, with a new session id; or goes on to the second factor.
pub async fn submit(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Fields(input): Fields<SignIn>,
) -> Result<Response, Failure> {
    let email = input.email.trim();
    let next = Destination::parse(&input.next);
    let Some(login_id) = entry::password_is_of(&app, &visitor, email, input.password).await? else {
        let error = "That did not work. Check e-mail and password; after several tries, wait a minute.";
        return Ok(refused(&app, email, next, error).await);
    };
    let account = logins::find_account(&app.store, login_id).await?.ok_or(Failure::BROKEN)?;
    if account.has_second_factor() {
        entry::owe_second(&app, &session, login_id, next.map(|next| next.to_string())).await?;
        return Ok(Redirect::to("/sign-in/second").into_response());
    }
    entry::enter(&app, &session, &visitor, login_id, next).await
}

/// The form again.
pub(super) async fn refused(app: &App, email: &str, next: Option<Destination>, error: &str) -> Response {
    let email: String = email.chars().take(EMAIL_MAX).collect();
    let next = next.map(|next| next.to_string());
    let (may_sign_up, passkeys) = (may_sign_up(app).await, passkey::are_possible(&app.config));
    let error = Some(error.to_owned());
    refusing(&SignInPage { email, error, csrf: String::new(), next, may_sign_up, passkeys })
}
