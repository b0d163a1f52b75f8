//! `/operator/{token}`: the link that the operator's command line prints, followed once.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::people::check_password;
use keys::token::{self, Kind};
use serde::Deserialize;
use store::platform::{self, Did};
use store::{Origin, logins};
use tower_sessions::Session;
use views::signin::{NotePage, PasswordPage};

use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::peer::Came;
use crate::posted::Fields;
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    password: String,
}

/// A link that can be followed.
struct Offer {
    hash: [u8; 32],
    email: String,
    is_known: bool,
}

async fn offer(app: &App, text: &str) -> Result<Option<Offer>, Failure> {
    let Some(hash) = token::parse(text).ok().filter(|token| token.kind() == Kind::Setup).map(|token| token.hash())
    else {
        return Ok(None);
    };
    let Some(email) = platform::find_link(&app.store, &hash).await? else { return Ok(None) };
    let is_known = logins::find_by_email(&app.store, &email).await?.is_some();
    Ok(Some(Offer { hash, email, is_known }))
}

/// Asks for the password.
pub async fn choose(State(app): State<App>, Path(text): Path<String>) -> Result<Response, Failure> {
    Ok(match offer(&app, &text).await? {
        Some(offer) => page(&form(&offer, &text, None)),
        None => refusing(&NotePage::dead_link()),
    })
}

/// Makes the login an operator, and the login if there is none.
pub async fn finish(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Came(origin): Came,
    Path(text): Path<String>,
    Fields(input): Fields<Password>,
) -> Result<Response, Failure> {
    let Some(offer) = offer(&app, &text).await? else { return Ok(refusing(&NotePage::dead_link())) };
    let login_id = if offer.is_known {
        match entry::password_is_of(&app, &visitor, &offer.email, input.password).await? {
            Some(login_id) => login_id,
            None => return Ok(refusing(&form(&offer, &text, Some("That is not the password of this account.")))),
        }
    } else {
        if let Err(error) = check_password(&input.password, &offer.email) {
            return Ok(refusing(&form(&offer, &text, Some(error))));
        }
        logins::insert(&app.store, &offer.email, &entry::hashed(&app, input.password).await?).await?
    };
    if !platform::insert_operator(&app.store, &offer.hash, login_id, &did(&offer.email, origin)).await? {
        return Ok(refusing(&NotePage::dead_link()));
    }
    let account = logins::find_account(&app.store, login_id).await?.ok_or(Failure::BROKEN)?;
    if account.has_second_factor() {
        entry::owe_second(&app, &session, login_id, Some("/platform".to_owned())).await?;
        return Ok(Redirect::to("/sign-in/second").into_response());
    }
    entry::begin(&app, &session, &visitor, login_id, None).await?;
    Ok(Redirect::to("/platform").into_response())
}

fn did(email: &str, origin: Origin) -> Did {
    Did { actor: format!("operator {email}"), origin }
}

fn form(offer: &Offer, text: &str, error: Option<&str>) -> PasswordPage {
    PasswordPage {
        title: "Operate the platform".to_owned(),
        lead: format!("As {}. A second factor is asked for next.", offer.email),
        action: format!("/operator/{text}"),
        email: Some(offer.email.clone()),
        name: None,
        is_known: offer.is_known,
        error: error.map(str::to_owned),
        button: "Go on",
    }
}
