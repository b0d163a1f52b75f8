//! `/confirm`: a member proves anew that it is them, before what changes who may do what.

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use store::logins;
use store::people::ceremonies::Purpose;
use tower_sessions::Session;
use views::signin::ProvePage;

use super::Destination;
use crate::ceremony::Begun;
use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::member::{Member, Newcomer};
use crate::pages::settings::you::Click;
use crate::pages::sign_on;
use crate::posted::{PostedByNewcomer, inputs};
use crate::{App, Failure, passkey};

/// The query.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    next: String,
}

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    csrf: String,
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// The form of a passkey.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    csrf: String,
    #[serde(default)]
    credential: String,
    #[serde(default)]
    next: String,
}

inputs!(Proof, Shown);

/// The empty form.
pub async fn ask(
    State(app): State<App>,
    Newcomer(member): Newcomer,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    member.must_be_member()?;
    let next = Destination::parse(&asked.next);
    Ok(page(&form(&app, &member, next, None).await?))
}

/// Notes the proof, and leads back to where it was asked for.
pub async fn submit(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    PostedByNewcomer(member, input): PostedByNewcomer<Proof>,
) -> Result<Response, Failure> {
    let next = Destination::parse(&input.next);
    let account = logins::find_account(&app.store, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    let known = entry::password_is_of(&app, &visitor, &account.email, input.password).await?;
    let mut right = known == Some(member.login_id());
    if right && account.has_second_factor() {
        right = entry::code_is_of(&app, visitor.origin, member.login_id(), &input.code).await?;
    }
    answer(&app, &session, &member, next, right).await
}

/// What the browser's script needs to ask the device.
pub async fn begin_passkey(
    State(app): State<App>,
    visitor: Visitor,
    PostedByNewcomer(member, _): PostedByNewcomer<Click>,
) -> Result<Response, Failure> {
    passkey::begin_asking(&app, &visitor, Purpose::PasskeyProve, member.login_id()).await
}

/// Notes the proof, if the passkey is one of theirs.
pub async fn submit_passkey(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    begun: Begun,
    PostedByNewcomer(member, shown): PostedByNewcomer<Shown>,
) -> Result<Response, Failure> {
    let (purpose, login_id) = (Purpose::PasskeyProve, member.login_id());
    let right = passkey::is_of(&app, &visitor, &begun, purpose, login_id, &shown.credential).await?;
    answer(&app, &session, &member, Destination::parse(&shown.next), right).await
}

async fn answer(
    app: &App,
    session: &Session,
    member: &Member,
    next: Option<Destination>,
    right: bool,
) -> Result<Response, Failure> {
    if !right {
        let error = "That did not work. After several tries, wait a minute.".to_owned();
        return Ok(refusing(&form(app, member, next, Some(error)).await?));
    }
    entry::prove(app, session).await?;
    Ok(Redirect::to(&next.unwrap_or(Destination::Settings).to_string()).into_response())
}

async fn form(
    app: &App,
    member: &Member,
    next: Option<Destination>,
    error: Option<String>,
) -> Result<ProvePage, Failure> {
    let account = logins::find_account(&app.store, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    Ok(ProvePage {
        csrf: member.csrf().to_owned(),
        next: next.map(|next| next.to_string()),
        with_code: account.has_second_factor(),
        email: account.email,
        by_sign_on: member.provider().map(|tenant_id| sign_on::fresh(tenant_id, next)),
        has_app: account.codes_since.is_some(),
        has_passkey: account.passkeys > 0 && passkey::are_possible(&app.config),
        error,
    })
}
