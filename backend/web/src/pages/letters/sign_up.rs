//! `/sign-up` and `/sign-up/{token}`: beginning an organization.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::people::{check_email, check_name, check_password};
use keys::token::Kind;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::people::founding::{self, SignUp, find_sign_up};
use store::people::letters::{self, Followed};
use store::{auth, logins};
use tower_sessions::Session;
use views::signin::{NotePage, PasswordPage, SignUpPage};

use super::{followed, hash};
use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::peer::Came;
use crate::posted::Fields;
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    organization: String,
    name: String,
    email: String,
}

/// The form that ends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    password: String,
}

/// The empty form, or that it is closed.
pub async fn show(State(app): State<App>) -> Result<Response, Failure> {
    let is_open = find_sign_up(&app.store).await? == SignUp::Open;
    let (organization, name, email) = Default::default();
    Ok(page(&SignUpPage { is_open, organization, name, email, error: None }))
}

/// Sends the mail: to an address that has an account another one, and the answer is the same.
pub async fn submit(State(app): State<App>, visitor: Visitor, Fields(wish): Fields<Wish>) -> Result<Response, Failure> {
    if find_sign_up(&app.store).await? != SignUp::Open {
        return Err(Failure::FORBIDDEN);
    }
    let checked = check_name(&wish.organization)
        .and_then(|organization| Ok((organization, check_name(&wish.name)?, check_email(&wish.email)?)));
    let (organization, name, email) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let Wish { organization, name, email } = wish;
            let error = Some(error.to_owned());
            return Ok(refusing(&SignUpPage { is_open: true, organization, name, email, error }));
        }
    };
    if entry::claim_letter(&app, &visitor).await? {
        let kind = match logins::find_by_email(&app.store, &email).await? {
            None => letters::Kind::SignUp,
            Some(_) => letters::Kind::HasAccount,
        };
        let facts = json!({ "organization": organization, "name": name });
        letters::insert(&app.store, kind, &email, None, &facts).await?;
    }
    Ok(page(&NotePage::on_its_way()))
}

/// The letter behind a link, while it can be followed and whoever has it may begin an organization: sign-up may have been
/// closed since it was sent.
async fn beginning(app: &App, text: &str) -> Result<Option<Followed>, Failure> {
    let Some(letter) = followed(app, text, Kind::Setup, letters::Kind::SignUp).await? else { return Ok(None) };
    let may = match find_sign_up(&app.store).await? {
        SignUp::Open => true,
        SignUp::Invitation => letter.facts["invited"] == json!(true),
        SignUp::Closed => false,
    };
    Ok(may.then_some(letter))
}

/// Asks for the password.
pub async fn choose(State(app): State<App>, Path(text): Path<String>) -> Result<Response, Failure> {
    Ok(match beginning(&app, &text).await? {
        Some(letter) => page(&form(&letter, &text, None)),
        None => refusing(&NotePage::dead_link()),
    })
}

/// Makes the organization and signs its owner in.
pub async fn finish(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Came(origin): Came,
    Path(text): Path<String>,
    Fields(input): Fields<Password>,
) -> Result<Response, Failure> {
    let Some(letter) = beginning(&app, &text).await? else {
        return Ok(refusing(&NotePage::dead_link()));
    };
    if let Err(error) = check_password(&input.password, &letter.address) {
        return Ok(refusing(&form(&letter, &text, Some(error))));
    }
    let secret_hash = hash(&text, Kind::Setup).ok_or(Failure::NOT_FOUND)?;
    let password_hash = entry::hashed(&app, input.password).await?;
    let Some(founder) = auth::by_sign_up(&app.store, &secret_hash, &password_hash).await? else {
        return Ok(refusing(&NotePage::dead_link()));
    };
    let (name, email) = (letter.facts["name"].as_str().unwrap_or("Owner"), &letter.address);
    let mut tx = app.store.begin(&founder.scope).await?;
    tx.comes_from(origin);
    let zone = app.config.zone.iana_name().unwrap_or("UTC");
    founding::begin(&mut tx, founder.login_id, name, email, zone).await?;
    app.starter.write(&mut tx).await.map_err(|error| {
        tracing::error!(
            error = &*error as &dyn std::error::Error,
            "a new organization could not be given its first rules"
        );
        Failure::BROKEN
    })?;
    let tenant_id = tx.tenant_id();
    let made = json!({ "name": letter.facts["organization"], "time_zone": zone, "owner": email });
    audit::insert(&mut tx, None, Entry::made("organization.begun", ("tenant", tenant_id), made)).await?;
    tx.commit().await?;
    letters::mark_used(&app.store, founder.letter.letter_id).await?;
    entry::begin(&app, &session, &visitor, founder.login_id, Some(tenant_id)).await?;
    Ok(Redirect::to("/").into_response())
}

fn form(letter: &Followed, text: &str, error: Option<&str>) -> PasswordPage {
    let organization = letter.facts["organization"].as_str().unwrap_or_default();
    PasswordPage {
        title: "Choose a password".to_owned(),
        lead: format!("{organization} begins with it. You sign in with {}.", letter.address),
        action: format!("/sign-up/{text}"),
        email: Some(letter.address.clone()),
        name: None,
        is_known: false,
        error: error.map(str::to_owned),
        button: "Begin",
    }
}
