//! `/api/v1/mail-relay`: the organization's own.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use domain::relay::{Login, Relay, Tls};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::mail_relays;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Asked, Caller, Done, Nothing, Problem, Sent};
use crate::pages::settings::mail::{remove_relay, set_relay};

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TlsWord {
    Starttls,
    Implicit,
}

/// Who signs in at a relay.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RelayLogin {
    #[schema(min_length = 1, max_length = 200)]
    user: String,
    /// The name of the secret, an SMTP password.
    #[schema(min_length = 1, max_length = 60)]
    secret: String,
}

/// A mail relay.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailRelay {
    /// Its name or address.
    #[schema(min_length = 1, max_length = 253)]
    host: String,
    #[schema(minimum = 1, maximum = 65535)]
    port: u16,
    #[schema(inline)]
    tls: TlsWord,
    /// The address that mails come from.
    #[schema(min_length = 3, max_length = 254)]
    sender: String,
    /// Who signs in; null: nobody does.
    login: Option<RelayLogin>,
}

/// How the organization's mails go.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mails {
    /// Its own relay; null: they go by the server's.
    relay: Option<MailRelay>,
    changed_at: Option<Timestamp>,
    changed_by: Option<String>,
    /// Since when the relay takes no mails: they go by the server's.
    refused_at: Option<Timestamp>,
    /// What it said last.
    refusal: Option<String>,
}

impl From<Relay> for MailRelay {
    fn from(relay: Relay) -> MailRelay {
        let Relay { host, port, tls, sender, login } = relay;
        let tls = match tls {
            Tls::Starttls => TlsWord::Starttls,
            Tls::Implicit => TlsWord::Implicit,
        };
        let login = login.map(|Login { user, secret }| RelayLogin { user, secret });
        MailRelay { host, port, tls, sender, login }
    }
}

impl From<MailRelay> for Relay {
    fn from(relay: MailRelay) -> Relay {
        let MailRelay { host, port, tls, sender, login } = relay;
        let tls = match tls {
            TlsWord::Starttls => Tls::Starttls,
            TlsWord::Implicit => Tls::Implicit,
        };
        let login = login.map(|RelayLogin { user, secret }| Login { user, secret });
        Relay { host, port, tls, sender, login }
    }
}

/// The organization's own mail relay, and whether it takes mails.
#[utoipa::path(get, path = "/api/v1/mail-relay", tag = "Organization",
    responses((status = 200, description = "How mails go", body = Mails), Problem), security(("token" = ["settings"])))]
pub async fn show(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<Mails>, Problem> {
    caller.member.must_for_all(Act::ManageOrganization)?;
    let mut tx = caller.member.begin(&app).await?;
    let stored = mail_relays::find(&mut tx).await?;
    let (refused_at, refusal) = stored.as_ref().and_then(|stored| stored.refused.clone()).unzip();
    let (changed_at, changed_by) = stored.as_ref().map(|s| (s.changed_at, s.changed_by.clone())).unzip();
    Ok(Json(Mails { relay: stored.map(|s| s.relay.into()), changed_at, changed_by, refused_at, refusal }))
}

/// Sets the relay. What it does not take goes by the server's.
#[utoipa::path(post, path = "/api/v1/mail-relay", tag = "Organization", params(crate::api::document::Key), request_body = MailRelay,
    responses((status = 200, description = "The next mail goes by it", body = Done), Problem), security(("token" = ["settings"])))]
pub async fn set(State(app): State<App>, caller: Caller, sent: Sent<MailRelay>) -> Result<Response, Problem> {
    let relay = Relay::from(sent.said.clone());
    sent.act(&app, &caller, async |tx| {
        set_relay(tx, &caller.member, &relay).await??;
        Ok(Done { changed: true })
    })
    .await
}

/// Takes the relay out: mails go by the server's.
#[utoipa::path(post, path = "/api/v1/mail-relay/remove", tag = "Organization", params(crate::api::document::Key), request_body = Nothing,
    responses((status = 200, description = "There is none", body = Done), Problem), security(("token" = ["settings"])))]
pub async fn remove(State(app): State<App>, caller: Caller, sent: Sent<Nothing>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| Ok(Done { changed: remove_relay(tx, &caller.member).await? })).await
}
