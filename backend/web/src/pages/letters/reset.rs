//! `/reset` and `/reset/{token}`: a forgotten password.

use axum::extract::{Path, State};
use axum::response::Response;
use domain::people::{check_email, check_password};
use keys::token::Kind;
use serde::Deserialize;
use serde_json::json;
use store::logins;
use store::people::letters::{self, Followed};
use views::signin::{NotePage, PasswordPage, ResetPage};

use super::{followed, hash};
use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::peer::Came;
use crate::posted::Fields;
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forgot {
    email: String,
}

/// The form that ends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    password: String,
}

/// The empty form.
pub async fn show() -> Response {
    page(&ResetPage { email: String::new(), error: None })
}

/// Sends the mail if there is such an account; the answer is the same.
pub async fn submit(
    State(app): State<App>,
    visitor: Visitor,
    Fields(input): Fields<Forgot>,
) -> Result<Response, Failure> {
    let email = match check_email(&input.email) {
        Ok(email) => email,
        Err(error) => return Ok(refusing(&ResetPage { email: input.email, error: Some(error.to_owned()) })),
    };
    if entry::claim_letter(&app, &visitor).await? {
        letters::insert_reset(&app.store, &email).await?;
    }
    Ok(page(&NotePage::on_its_way()))
}

/// Asks for the new password.
pub async fn choose(State(app): State<App>, Path(text): Path<String>) -> Result<Response, Failure> {
    Ok(match followed(&app, &text, Kind::Reset, letters::Kind::Reset).await? {
        Some(letter) => page(&form(&letter, &text, None)),
        None => refusing(&NotePage::dead_link()),
    })
}

/// Sets it, and ends every session of the login. It signs nobody in: the second factor is asked for at the next sign-in.
pub async fn finish(
    State(app): State<App>,
    Came(origin): Came,
    Path(text): Path<String>,
    Fields(input): Fields<Password>,
) -> Result<Response, Failure> {
    let Some(letter) = followed(&app, &text, Kind::Reset, letters::Kind::Reset).await? else {
        return Ok(refusing(&NotePage::dead_link()));
    };
    if let Err(error) = check_password(&input.password, &letter.address) {
        return Ok(refusing(&form(&letter, &text, Some(error))));
    }
    let secret_hash = hash(&text, Kind::Reset).ok_or(Failure::NOT_FOUND)?;
    let password_hash = entry::hashed(&app, input.password).await?;
    let told = json!({ "what": "password" });
    if !logins::reset_password(&app.store, &secret_hash, &password_hash, &told, origin).await? {
        return Ok(refusing(&NotePage::dead_link()));
    }
    Ok(page(&NotePage {
        title: "Your password is set".to_owned(),
        lead: "Whoever was signed in with the old one was signed out, and your API tokens ended.".to_owned(),
        leads_to: "/sign-in".to_owned(),
        button: "Sign in".to_owned(),
    }))
}

fn form(letter: &Followed, text: &str, error: Option<&str>) -> PasswordPage {
    PasswordPage {
        title: "Set a new password".to_owned(),
        lead: format!("For {}. It signs you out everywhere and ends your API tokens.", letter.address),
        action: format!("/reset/{text}"),
        email: Some(letter.address.clone()),
        name: None,
        is_known: false,
        error: error.map(str::to_owned),
        button: "Set it",
    }
}
