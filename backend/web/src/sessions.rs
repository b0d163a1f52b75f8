//! Where tower-sessions keeps its records: `store::sessions`, by the hash of the cookie's value, so that a
//! leaked table opens no session.

use async_trait::async_trait;
use store::{
    Store, StoreError,
    sessions::{self, Limits},
};
use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore, cookie::SameSite};
use uuid::Uuid;

use crate::App;

/// What a session holds.
pub mod key {
    /// The login, once signed in.
    pub const LOGIN: &str = "login_id";
    /// The token that forms must carry.
    pub const CSRF: &str = "csrf";
    /// The tenant that was chosen, where the login has seats in several.
    pub const TENANT: &str = "tenant_id";
    /// The version of the provider's settings, where the session was begun by the organization's provider.
    pub const SIGN_ON: &str = "sign_on";
    /// The grant of a support session, which has no login.
    pub const SUPPORT: &str = "support";
    /// The pages that a support session has looked at.
    pub const LOOKED_AT: &str = "looked_at";
    /// When it was last proven that it is them, in seconds since 1970.
    pub const PROVEN: &str = "proven_at";
    /// The browser, as it calls itself.
    pub const AGENT: &str = "agent";
    /// The address it was begun from.
    pub const ADDRESS: &str = "address";
    /// Who gave the right password and owes the second factor.
    pub const PENDING: &str = "pending";
}

/// The adapter.
#[derive(Clone, Debug)]
pub struct Rows {
    store: Store,
    limits: Limits,
}

/// The layer: `__Host-` cookie by https, a plain one on http (which is for loopback only).
pub fn layer(app: &App) -> SessionManagerLayer<Rows> {
    let limits = Limits { idle: app.config.session_idle, absolute: app.config.session_absolute };
    let https = app.config.is_https();
    let longest = time::Duration::try_from(limits.absolute).unwrap_or(time::Duration::DAY);
    SessionManagerLayer::new(Rows { store: app.store.clone(), limits })
        .with_name(if https { "__Host-session" } else { "session" })
        .with_secure(https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(longest))
}

/// What a session is found by.
pub fn hash(id: &Id) -> [u8; 32] {
    keys::digest(&id.0.to_be_bytes()).0
}

/// What the session of a request is found by; none if it has no id.
pub fn this(session: &Session) -> Option<[u8; 32]> {
    session.id().map(|id| hash(&id))
}

fn backend(error: StoreError) -> Error {
    tracing::warn!(error = &error as &dyn std::error::Error, "a session could not be reached");
    Error::Backend(error.to_string())
}

/// Whose a session is. Half a sign-in is its login's too, so that it ends with the others.
fn login_of(record: &Record) -> Option<Uuid> {
    let of = record.data.get(key::LOGIN).or_else(|| record.data.get(key::PENDING)?.get("login_id"))?;
    of.as_str()?.parse().ok()
}

fn data_of(record: &Record) -> Result<serde_json::Value> {
    serde_json::to_value(&record.data).map_err(|error| Error::Encode(error.to_string()))
}

/// How often a fresh id may clash before we give up: 128 random bits never do.
const TRIES: usize = 4;

#[async_trait]
impl SessionStore for Rows {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let data = data_of(record)?;
        for _ in 0..TRIES {
            if sessions::insert(&self.store, &hash(&record.id), login_of(record), &data, self.limits)
                .await
                .map_err(backend)?
            {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(Error::Backend("no free session id".to_owned()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        sessions::update(&self.store, &hash(&record.id), login_of(record), &data_of(record)?).await.map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(found) = sessions::find(&self.store, &hash(id), self.limits).await.map_err(backend)? else {
            return Ok(None);
        };
        let data = serde_json::from_value(found.data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp(found.expires_at.as_second())
            .map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sessions::delete(&self.store, &hash(id)).await.map_err(backend)
    }
}
