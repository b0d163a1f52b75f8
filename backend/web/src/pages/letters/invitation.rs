//! `/invitation/{token}`: joining an organization.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::people::{check_name, check_password};
use keys::token::Kind;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::people::invitations::{self, Invitation};
use store::people::letters;
use store::{auth, configuration, logins, seeding};
use tower_sessions::Session;
use views::signin::{NotePage, PasswordPage};

use super::hash;
use crate::entry::{self, Visitor};
use crate::layers::{page, refusing};
use crate::peer::Came;
use crate::posted::Fields;
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[serde(default)]
    name: String,
    password: String,
}

/// What can be accepted by a link.
struct Offer {
    invited: auth::Invited,
    invitation: Invitation,
    organization: String,
    /// Whether the address has an account: then its password is asked for, else a new one.
    is_known: bool,
}

async fn offer(app: &App, text: &str) -> Result<Option<Offer>, Failure> {
    let Some(hash) = hash(text, Kind::Invite) else { return Ok(None) };
    let Some(invited) = auth::by_invitation(&app.store, &hash).await? else { return Ok(None) };
    let mut tx = app.store.begin(&invited.scope).await?;
    let invitation = invitations::find_locked(&mut tx, invited.invitation_id).await?;
    let tenant = configuration::find_tenant(&mut tx).await?;
    tx.rollback().await?;
    let is_known = logins::find_by_email(&app.store, &invited.email).await?.is_some();
    Ok(invitation.zip(tenant).map(|(invitation, tenant)| Offer {
        invited,
        invitation,
        organization: tenant.name,
        is_known,
    }))
}

/// Says what is offered, and asks for a password.
pub async fn show(State(app): State<App>, Path(text): Path<String>) -> Result<Response, Failure> {
    Ok(match offer(&app, &text).await? {
        Some(offer) => page(&form(&offer, &text, String::new(), None)),
        None => refusing(&NotePage::dead_link()),
    })
}

/// Takes the seat.
pub async fn submit(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Came(origin): Came,
    Path(text): Path<String>,
    Fields(answer): Fields<Answer>,
) -> Result<Response, Failure> {
    let Some(offer) = offer(&app, &text).await? else { return Ok(refusing(&NotePage::dead_link())) };
    let email = offer.invited.email.clone();
    let name = match check_name(&answer.name) {
        Ok(name) => name,
        Err(error) => return Ok(refusing(&form(&offer, &text, answer.name, Some(error)))),
    };
    let login_id = if offer.is_known {
        match entry::password_is_of(&app, &visitor, &email, answer.password).await? {
            Some(login_id) => login_id,
            None => {
                let error = "That is not the password of your account. Forgot it? Set a new one first, then come back.";
                return Ok(refusing(&form(&offer, &text, name, Some(error))));
            }
        }
    } else {
        if let Err(error) = check_password(&answer.password, &email) {
            return Ok(refusing(&form(&offer, &text, name, Some(error))));
        }
        logins::insert(&app.store, &email, &entry::hashed(&app, answer.password).await?).await?
    };
    let mut tx = app.store.begin(&offer.invited.scope).await?;
    tx.comes_from(origin);
    // Of several answers at once one finds it open.
    let Some(invitation) = invitations::find_locked(&mut tx, offer.invited.invitation_id).await? else {
        return Ok(refusing(&NotePage::dead_link()));
    };
    let clients = invitation.client_ids.as_deref();
    seeding::insert_limited_membership(&mut tx, login_id, &name, &email, invitation.role, clients).await?;
    invitations::mark_accepted(&mut tx, invitation.invitation_id, login_id).await?;
    let made = json!({ "email": email, "role": invitation.role.word(), "clients": clients });
    let entry = Entry::made("member.joined", ("member", login_id), made);
    audit::insert(&mut tx, None, entry.with(json!({ "invited_by": invitation.invited_by }))).await?;
    let tenant_id = tx.tenant_id();
    tx.commit().await?;
    letters::mark_used(&app.store, offer.invited.letter_id).await?;
    let account = logins::find_account(&app.store, login_id).await?.ok_or(Failure::BROKEN)?;
    if account.has_second_factor() {
        entry::owe_second(&app, &session, login_id, None).await?;
        return Ok(Redirect::to("/sign-in/second").into_response());
    }
    entry::begin(&app, &session, &visitor, login_id, Some(tenant_id)).await?;
    Ok(Redirect::to("/").into_response())
}

fn form(offer: &Offer, text: &str, name: String, error: Option<&str>) -> PasswordPage {
    let role = offer.invitation.role.label().to_lowercase();
    let way = if offer.is_known { "You have an account: its password will do" } else { "You sign in" };
    PasswordPage {
        title: format!("Join {}", offer.organization),
        lead: format!("{} invites you as {role}. {way}, with {}.", offer.invitation.invited_by, offer.invited.email),
        action: format!("/invitation/{text}"),
        email: Some(offer.invited.email.clone()),
        name: Some(name),
        is_known: offer.is_known,
        error: error.map(str::to_owned),
        button: "Join",
    }
}
