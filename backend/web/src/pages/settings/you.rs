//! `/settings`: one's own account.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::people::{check_email, check_password};
use serde::Deserialize;
use serde_json::json;
use store::auth::Entered;
use store::people::{account, addresses, letters, passkeys, second_factor};
use store::{auth, configuration, logins, sessions};
use tower_sessions::Session;
use uuid::Uuid;
use views::Nav;
use views::settings::{Organization, PasskeyRow, Passkeys, Second, SessionRow, Tab, YouPage};

use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::member::{Member, Newcomer, clock};
use crate::pages::count;
use crate::posted::{PostedByNewcomer, inputs};
use crate::sessions::{hash, key};
use crate::{App, Failure, passkey};

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// A form without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Click {
    csrf: String,
}

/// The form that changes the password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passwords {
    csrf: String,
    old: String,
    new: String,
}

/// The form that wants another address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    csrf: String,
    email: String,
}

/// The form that chooses an organization.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    csrf: String,
    tenant: Uuid,
}

inputs!(Click, Passwords, Address, Choice);

/// Why the last second factor stays.
pub(super) const LAST_FACTOR: &str = "An organization of yours asks everybody for a second factor, and this is your last one. Add another before you remove it.";

/// What was done, by the word in the address.
fn done(word: &str) -> Option<&'static str> {
    match word {
        "password" => Some("Your password is changed. Everywhere else you were signed out."),
        "address" => Some("A link is on its way to the new address. It counts once you follow it."),
        "session" => Some("That session is ended."),
        "on" => Some("Your second factor is on."),
        "off" => Some("Codes of your app count no more. Everywhere else you were signed out."),
        "passkey" => Some("Your passkey is added."),
        "no-passkey" => Some("That passkey signs in no more. Everywhere else you were signed out."),
        _ => None,
    }
}

/// The page.
pub async fn show(
    State(app): State<App>,
    session: Session,
    Newcomer(member): Newcomer,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    member.must_be_member()?;
    Ok(page(&load(&app, &session, &member, done(&asked.done), None).await?))
}

/// The page, with what was just done or what was wrong.
pub(super) async fn load(
    app: &App,
    session: &Session,
    member: &Member,
    done: Option<&'static str>,
    error: Option<&str>,
) -> Result<YouPage, Failure> {
    let login_id = member.login_id();
    let account = logins::find_account(&app.store, login_id).await?.ok_or(Failure::NOT_FOUND)?;
    let second = match account.codes_since {
        Some(since_at) => Second::On { since_at },
        None => Second::Off { is_asked_for: member.seat().lacks_second_factor },
    };
    let codes_left = match account.has_second_factor() {
        true => Some(count(second_factor::count_codes(&app.store, login_id).await?)),
        false => None,
    };
    let row = |row: passkeys::Passkey| PasskeyRow {
        id: row.passkey_id,
        name: row.name,
        added_at: row.added_at,
        used_at: row.used_at,
    };
    let passkeys = Passkeys {
        rows: passkeys::list(&app.store, login_id).await?.into_iter().map(row).collect(),
        are_possible: passkey::are_possible(&app.config),
    };
    let this = session.id().map(|id| hash(&id));
    // Whom an organization's provider names sees nothing of an account that may have seats elsewhere.
    let by_sign_on = member.provider().is_some();
    let open = if by_sign_on { Vec::new() } else { sessions::list_of_login(&app.store, login_id).await? };
    let rows = open.into_iter().map(|open| {
        let word = |name: &str| open.data[name].as_str().unwrap_or_default().to_owned();
        SessionRow {
            id: hex::encode(&open.session_hash),
            browser: browser(&word(key::AGENT)),
            address: Some(word(key::ADDRESS)).filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned()),
            began_at: open.created_at,
            seen_at: open.seen_at,
            is_this: this.is_some_and(|this| this[..] == open.session_hash[..]),
        }
    });
    let sessions = rows.collect();
    let organizations = if by_sign_on { Vec::new() } else { organizations(app, member).await? };
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let clock = clock(app, tx.now().await?);
    let error = error.map(str::to_owned);
    Ok(YouPage {
        shell,
        clock,
        tab: Tab::You,
        email: account.email,
        by_sign_on,
        second,
        codes_left,
        passkeys,
        sessions,
        organizations,
        done,
        error,
    })
}

async fn organizations(app: &App, member: &Member) -> Result<Vec<Organization>, Failure> {
    let (login_id, here) = (member.login_id(), member.seat().scope.tenant_id());
    let mut found = Vec::new();
    // One or two, as a rule: each name is read as a member there.
    for id in auth::list_seats(&app.store, login_id).await? {
        let Some(seat) = auth::by_session(&app.store, login_id, Some(id), Entered::Here).await? else { continue };
        let mut tx = app.store.begin(&seat.scope).await?;
        if let Some(tenant) = configuration::find_tenant(&mut tx).await? {
            found.push(Organization { id, name: tenant.name, is_this: id == here });
        }
    }
    Ok(found)
}

/// Names a browser by what it says of itself, as far as people know them apart.
fn browser(agent: &str) -> String {
    let first =
        |known: &[(&str, &'static str)]| known.iter().find(|(part, _)| agent.contains(part)).map(|(_, name)| *name);
    let name = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let on = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (name, on) {
        (Some(name), Some(on)) => format!("{name} on {on}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "An unknown browser".to_owned(),
    }
}

/// Changes the password; every other session ends.
pub async fn change_password(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    PostedByNewcomer(member, form): PostedByNewcomer<Passwords>,
) -> Result<Response, Failure> {
    let account = logins::find_account(&app.store, member.login_id()).await?.ok_or(Failure::NOT_FOUND)?;
    let refused = async |error| Ok(refusing(&load(&app, &session, &member, None, Some(error)).await?));
    if entry::password_is_of(&app, &visitor, &account.email, form.old).await? != Some(member.login_id()) {
        return refused("That is not the password you have. After several tries, wait a minute.").await;
    }
    if let Err(error) = check_password(&form.new, &account.email) {
        return refused(error).await;
    }
    let password_hash = entry::hashed(&app, form.new).await?;
    entry::prove(&app, &session).await?;
    let this = session.id().map(|id| hash(&id));
    let told = json!({ "what": "password" });
    // The new id of this session is kept as soon as it is saved.
    session.save().await.map_err(|_| Failure::BUSY)?;
    let kept = session.id().map(|id| hash(&id)).or(this);
    let (login_id, kept) = (member.login_id(), kept.as_ref().map(|hash| &hash[..]));
    logins::set_password(&app.store, login_id, &password_hash, kept, &told, member.origin()).await?;
    Ok(Redirect::to("/settings?done=password").into_response())
}

/// Sends the link that proves a new address.
pub async fn change_address(
    State(app): State<App>,
    session: Session,
    PostedByNewcomer(member, form): PostedByNewcomer<Address>,
) -> Result<Response, Failure> {
    member.must_be_proven(&app).await?;
    let refused = async |error| Ok(refusing(&load(&app, &session, &member, None, Some(error)).await?));
    let email = match check_email(&form.email) {
        Ok(email) => email,
        Err(error) => return refused(error).await,
    };
    // Whether somebody else has it is told to nobody here; that letter says that they have an account.
    let kind = match logins::find_by_email(&app.store, &email).await? {
        Some(login_id) if login_id != member.login_id() => letters::Kind::HasAccount,
        _ => letters::Kind::ConfirmAddress,
    };
    if !addresses::ask(&app.store, member.login_id(), kind, &email, member.origin()).await? {
        return refused(
            "Five links for a new address were sent within an hour, and no more are. Try again in an hour.",
        )
        .await;
    }
    Ok(Redirect::to("/settings?done=address").into_response())
}

/// Ends one of one's own sessions.
pub async fn end_session(
    State(app): State<App>,
    Path(id): Path<String>,
    PostedByNewcomer(member, _): PostedByNewcomer<Click>,
) -> Result<Redirect, Failure> {
    let hash = hex::decode(&id).map_err(|_| Failure::NOT_FOUND)?;
    match sessions::delete_of(&app.store, member.login_id(), &hash, member.origin()).await? {
        true => Ok(Redirect::to("/settings?done=session")),
        false => Err(Failure::NOT_FOUND),
    }
}

/// Ends all of them, this one too.
pub async fn end_sessions(
    State(app): State<App>,
    session: Session,
    PostedByNewcomer(member, _): PostedByNewcomer<Click>,
) -> Result<Redirect, Failure> {
    sessions::delete_of_login(&app.store, member.login_id(), member.origin()).await?;
    session.flush().await.map_err(|_| Failure::BUSY)?;
    Ok(Redirect::to("/sign-in"))
}

/// Goes to another organization of one's own.
pub async fn choose_organization(
    State(app): State<App>,
    session: Session,
    PostedByNewcomer(member, form): PostedByNewcomer<Choice>,
) -> Result<Redirect, Failure> {
    auth::by_session(&app.store, member.login_id(), Some(form.tenant), Entered::Here)
        .await?
        .ok_or(Failure::NOT_FOUND)?;
    if form.tenant != member.seat().scope.tenant_id() {
        let by = "another organization";
        account::note_entered(&app.store, member.login_id(), form.tenant, by, member.origin()).await?;
    }
    session.insert(key::TENANT, form.tenant).await.map_err(|_| Failure::BUSY)?;
    Ok(Redirect::to("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_has_a_name_that_people_know() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(browser(firefox), "Firefox on Linux");
        assert_eq!(browser(phone), "Safari on iPhone");
        assert_eq!(browser("<script>"), "An unknown browser");
    }
}
