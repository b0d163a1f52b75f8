//! `/settings/mail`: the organization's own mail relay.

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::relay::{Login, Relay, Tls};
use domain::secret::Kind;
use serde::Deserialize;
use serde_json::json;
use store::audit::{self, Entry};
use store::remediate::guardrails;
use store::{TenantTx, mail_relays, secrets};
use views::Nav;
use views::settings::{MailPage, RelaySet, RelayTyped, Tab};

use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// The form.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    csrf: String,
    host: String,
    port: String,
    tls: String,
    sender: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    secret: String,
}

inputs!(Wanted);

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let done = match asked.done.as_str() {
        "set" => Some(
            "The next mail goes by it. If it does not take one, you are told, and the mail goes by the server’s relay.",
        ),
        "removed" => Some("Mails go by the server’s relay."),
        _ => None,
    };
    Ok(page(&load(&app, &member, None, done, None).await?))
}

fn relay(form: &Wanted) -> Result<Relay, Refusal> {
    let trimmed = |text: &str| text.trim().to_owned();
    let login = match (trimmed(&form.user), trimmed(&form.secret)) {
        (user, secret) if user.is_empty() && secret.is_empty() => None,
        (user, secret) if user.is_empty() || secret.is_empty() => {
            return Err(Refusal::field("login", "User and password go together: both, or none."));
        }
        (user, secret) => Some(Login { user, secret }),
    };
    let wrong = |field, why: &str| Refusal::field(field, why);
    Ok(Relay {
        host: trimmed(&form.host),
        port: trimmed(&form.port).parse().map_err(|_| wrong("port", "A port is between 1 and 65535."))?,
        tls: Tls::parse(&form.tls).ok_or_else(|| wrong("tls", "Choose how it is encrypted."))?,
        sender: trimmed(&form.sender),
        login,
    })
}

/// Sets the organization's relay. Asked of somebody who has just proven who they are.
pub async fn set_relay(tx: &mut TenantTx, member: &Member, relay: &Relay) -> Result<Result<(), Refusal>, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    if let Err((field, wrong)) = relay.check() {
        return Ok(Err(Refusal::field(field, wrong)));
    }
    guardrails::lock_tenant(tx).await?;
    let known = secrets::list(tx).await?;
    let is_there = |name: &str| known.iter().any(|secret| secret.name == name && secret.kind == Kind::SmtpPassword);
    if let Some(name) = relay.secret().filter(|name| !is_there(name)) {
        let wrong = format!("There is no SMTP password “{name}” among the secrets.");
        return Ok(Err(Refusal::field("login.secret", wrong)));
    }
    let before = mail_relays::find(tx).await?;
    let by = member.name(tx).await?;
    mail_relays::set(tx, relay, &by).await?;
    let subject = ("tenant", tx.tenant_id());
    let entry = match before {
        Some(set) => Entry::changed("organization.relay_set", subject, json!(set.relay), json!(relay)),
        None => Entry::made("organization.relay_set", subject, json!(relay)),
    };
    audit::insert(tx, None, entry.with(json!({ "by": by }))).await?;
    Ok(Ok(()))
}

/// Takes the relay out; false: there was none. Asked of somebody who has just proven who they are.
pub async fn remove_relay(tx: &mut TenantTx, member: &Member) -> Result<bool, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    guardrails::lock_tenant(tx).await?;
    let Some(before) = mail_relays::find(tx).await? else { return Ok(false) };
    if !mail_relays::delete(tx).await? {
        return Ok(false);
    }
    let (subject, by) = (("tenant", tx.tenant_id()), member.name(tx).await?);
    let entry = Entry::removed("organization.relay_removed", subject, json!(before.relay));
    audit::insert(tx, None, entry.with(json!({ "by": by }))).await?;
    Ok(true)
}

/// Sets the relay.
pub async fn set(State(app): State<App>, Posted(member, form): Posted<Wanted>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    let set = match relay(&form) {
        Ok(relay) => set_relay(&mut tx, &member, &relay).await?,
        Err(why) => Err(why),
    };
    if let Err(why) = set {
        tx.rollback().await?;
        return Ok(refusing(&load(&app, &member, Some(&form), None, Some(why.words())).await?));
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/mail?done=set").into_response())
}

/// Takes the relay out.
pub async fn remove(State(app): State<App>, Posted(member, _): Posted<Click>) -> Result<Redirect, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    if !remove_relay(&mut tx, &member).await? {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/mail?done=removed"))
}

async fn load(
    app: &App,
    member: &Member,
    form: Option<&Wanted>,
    done: Option<&'static str>,
    error: Option<String>,
) -> Result<MailPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let clock = clock(app, tx.now().await?);
    let stored = mail_relays::find(&mut tx).await?;
    let typed = match (form.cloned(), &stored) {
        (Some(Wanted { host, port, tls, sender, user, secret, .. }), _) => {
            RelayTyped { host, port, tls, sender, user, secret }
        }
        (None, Some(set)) => {
            let Relay { host, port, tls, sender, login } = set.relay.clone();
            let tls = Tls::ALL.iter().find(|(way, _)| *way == tls).map_or("", |(_, word)| word).to_owned();
            let (user, secret) = login.map(|login| (login.user, login.secret)).unwrap_or_default();
            RelayTyped { host, port: port.to_string(), tls, sender, user, secret }
        }
        (None, None) => RelayTyped { port: "587".to_owned(), ..RelayTyped::default() },
    };
    let set = stored.map(|set| RelaySet { at: set.changed_at, by: set.changed_by, refused: set.refused });
    let mut passwords = Vec::new();
    for secret in secrets::list(&mut tx).await?.into_iter().filter(|secret| secret.kind == Kind::SmtpPassword) {
        passwords.push(secret.name);
    }
    Ok(MailPage { shell, clock, tab: Tab::Mail, set, typed, passwords, done, error })
}
