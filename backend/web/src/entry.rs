//! Who somebody is: the guess at a password and at a code, beginning a session, proving anew.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::{header, request::Parts};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::people::{EMAIL_MAX, rest_of_letters, rest_of_login, rest_of_site, rest_of_source};
use jiff::{SignedDuration, Timestamp};
use keys::password::{DUMMY_HASH, verify};
use keys::totp;
use serde::{Deserialize, Serialize};
use store::auth::Entered;
use store::logins::{self, Attempt};
use store::people::sources::{self, Source};
use store::people::{account, second_factor};
use store::{Origin, Store, auth};
use tokio::sync::Semaphore;
use tower_sessions::Session;
use uuid::Uuid;

use crate::pages::sign_in::Destination;
use crate::vault::rng;
use crate::{App, Failure, peer, sessions::key};

/// How long the second factor may be owed.
const SECOND_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// How long a proof counts for what changes who may do what.
const PROOF_COUNTS: SignedDuration = SignedDuration::from_mins(10);
/// What is kept of a browser's name for itself.
const AGENT_MAX: usize = 200;

/// Who sends a request, as far as that can be told before they sign in.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The other end of the connection.
    pub address: Option<IpAddr>,
    /// The request, and where it came from, as audit rows say it.
    pub origin: Origin,
    /// What the browser calls itself.
    pub agent: String,
    /// Whether the server was told which proxies there are.
    proxies_named: bool,
}

impl Visitor {
    /// Where it comes from, for what is counted: an address, and of the long ones the network that one customer gets.
    pub fn source(&self) -> String {
        match self.address {
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            Some(address) => address.to_string(),
            None => "nowhere".to_owned(),
        }
    }

    /// What tries are counted by, the wider first: of the long addresses also the network that a customer of more than one gets,
    /// which holds 65,536 of the others.
    fn sources(&self) -> Vec<Source> {
        let one = Source { name: self.source(), rests: rest_of_source };
        match self.address {
            Some(IpAddr::V6(address)) => {
                let [a, b, c, ..] = address.segments();
                vec![Source { name: format!("{a:x}:{b:x}:{c:x}::/48"), rests: rest_of_site }, one]
            }
            _ => vec![one],
        }
    }

    /// Whether tries are counted by where they come from. Where no proxy is named, what comes from the machine itself has
    /// passed one that is not trusted, or none: either that source is everybody, who would all wait for one that guesses, or
    /// somebody who is in already. Each account and each second factor rests all the same. Where proxies are named, the machine
    /// itself is a source like any other: nobody else comes by its address but who is not to be believed.
    fn is_counted(&self) -> bool {
        self.proxies_named || self.address.is_none_or(|address| !address.is_loopback())
    }

    fn address(&self) -> String {
        self.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visitor, Self::Rejection> {
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (address, origin) = (peer::address(parts), peer::origin(parts));
        let proxies_named = peer::are_proxies_named(parts);
        Ok(Visitor { address, origin, agent: agent.chars().take(AGENT_MAX).collect(), proxies_named })
    }
}

/// The database's time.
pub async fn now(store: &Store) -> Result<Timestamp, Failure> {
    Ok(store.system().await?.now().await?)
}

/// Counts something that a source tried and that was wrong, where it is not known before that it tries.
pub async fn count_try(app: &App, visitor: &Visitor) -> Result<(), Failure> {
    if !visitor.is_counted() {
        return Ok(());
    }
    Ok(sources::mark_failed(&app.store, &visitor.sources()).await?)
}

/// Counts a try before it is looked at, so that those side by side are all counted; false: the source may not try now. Whoever
/// finds it right [gives it back](give_back).
pub async fn claim_try(app: &App, visitor: &Visitor) -> Result<bool, Failure> {
    Ok(!visitor.is_counted() || sources::claim_try(&app.store, &visitor.sources()).await?)
}

/// What was claimed was right, or could not be looked at, and counts no more.
pub async fn give_back(app: &App, visitor: &Visitor) -> Result<(), Failure> {
    if !visitor.is_counted() {
        return Ok(());
    }
    Ok(sources::give_back(&app.store, &visitor.sources()).await?)
}

/// Counts a letter that a stranger asks for, before it is queued; false: none is sent. Each costs, and goes to whomever they
/// name, so whoever asks for many waits like whoever guesses. Those whose source is not counted share what there is in an hour,
/// and with it they use up letters and nothing else.
pub async fn claim_letter(app: &App, visitor: &Visitor) -> Result<bool, Failure> {
    if visitor.is_counted() {
        return claim_try(app, visitor).await;
    }
    Ok(sources::claim_letter(&app.store, rest_of_letters).await?)
}

/// The login whose address and password these are. The same work for a wrong password, an unknown account and one that
/// rests. A source that rests gets none: that it does says nothing of any account, and others wait for their turn.
pub async fn password_is_of(
    app: &App,
    visitor: &Visitor,
    email: &str,
    password: String,
) -> Result<Option<Uuid>, Failure> {
    if !claim_try(app, visitor).await? {
        return Ok(None);
    }
    let judged = judge(app, visitor, email, password).await;
    // What could not be looked at was no guess.
    if !matches!(judged, Ok(None)) {
        let given_back = give_back(app, visitor).await;
        return judged.and_then(|login_id| given_back.map(|()| login_id));
    }
    judged
}

/// Compares, and counts the try at the account; one that could not be compared, because we are busy, is given back.
async fn judge(app: &App, visitor: &Visitor, email: &str, password: String) -> Result<Option<Uuid>, Failure> {
    let attempt = match email.len() <= EMAIL_MAX {
        true => logins::claim_attempt(&app.store, email, rest_of_login).await?,
        false => Attempt::Unknown,
    };
    let (login_id, stored) = match attempt {
        Attempt::Compare { login_id, password_hash } => (Some(login_id), password_hash),
        Attempt::Unknown | Attempt::Locked => (None, DUMMY_HASH.to_owned()),
    };
    let right = match matches(app, password, stored).await {
        Ok(right) => right,
        Err(failure) => {
            // The same work for whoever has no account.
            logins::give_back(&app.store, login_id.unwrap_or_default()).await?;
            return Err(failure);
        }
    };
    match login_id.filter(|_| right) {
        Some(login_id) => {
            logins::mark_signed_in(&app.store, login_id, visitor.origin).await?;
            Ok(Some(login_id))
        }
        None => Ok(None),
    }
}

async fn matches(app: &App, password: String, stored: String) -> Result<bool, Failure> {
    match app.config.hashing.blocking(move || verify(&password, &stored)).await? {
        Ok(right) => Ok(right),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a stored password hash cannot be read");
            Ok(false)
        }
    }
}

/// The hash of a new password.
pub async fn hashed(app: &App, password: String) -> Result<String, Failure> {
    app.config.hashing.blocking(move || keys::password::hash(&password, &mut rng())).await?.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a password could not be hashed");
        Failure::BROKEN
    })
}

/// How many password hashes are computed side by side, each of which takes 19 MiB and a core, and how long whoever signs in
/// waits for their turn. Clones share.
#[derive(Clone, Debug)]
pub struct Hashing {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Hashing {
    /// So many side by side; whoever waits longer than `patience` is told that we are busy.
    pub fn new(turns: usize, patience: Duration) -> Hashing {
        Hashing { turns: Arc::new(Semaphore::new(turns)), patience }
    }

    /// Allows so many more side by side.
    pub fn add(&self, turns: usize) {
        self.turns.add_permits(turns);
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let turn = tokio::time::timeout(self.patience, self.turns.acquire())
            .await
            .map_err(|_| Failure::BUSY)?
            .map_err(|_| Failure::BROKEN)?;
        let done = tokio::task::spawn_blocking(work).await;
        drop(turn);
        done.map_err(|_| Failure::BROKEN)
    }
}

impl Default for Hashing {
    /// Two, and five seconds.
    fn default() -> Hashing {
        Hashing::new(2, Duration::from_secs(5))
    }
}

/// Whether this is a code of the login's second factor: of this moment and not taken before, or a recovery code.
pub async fn code_is_of(app: &App, origin: Origin, login_id: Uuid, code: &str) -> Result<bool, Failure> {
    if !second_factor::claim_attempt(&app.store, login_id, rest_of_login, origin).await? {
        return Ok(false);
    }
    if let Some(hash) = totp::code_hash(code) {
        return Ok(second_factor::spend_code(&app.store, login_id, &hash).await?);
    }
    let Some(sealed) = second_factor::find(&app.store, login_id).await?.filter(|sealed| sealed.since.is_some()) else {
        return Ok(false);
    };
    let secret = app.vault.open_shared_secret(login_id, sealed.version, &sealed.sealed)?;
    let now = now(&app.store).await?.as_second().unsigned_abs();
    let step = totp::step_of(&secret, code, now).map_err(|_| Failure::BROKEN)?;
    match step {
        Some(step) => Ok(second_factor::spend_step(&app.store, login_id, sealed.version, step).await?),
        None => Ok(false),
    }
}

/// Who gave the right password and owes the second factor.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pending {
    /// The login.
    pub login_id: Uuid,
    /// Until when, in seconds since 1970.
    until: i64,
    /// Where they wanted to go.
    pub next: Option<String>,
}

/// Notes that the second factor is owed. The session opens nothing.
pub async fn owe_second(app: &App, session: &Session, login_id: Uuid, next: Option<String>) -> Result<(), Failure> {
    let until = (now(&app.store).await? + SECOND_WITHIN).as_second();
    session.clear().await;
    session.cycle_id().await.map_err(|_| Failure::BUSY)?;
    session.insert(key::PENDING, Pending { login_id, until, next }).await.map_err(|_| Failure::BUSY)
}

/// Who owes the second factor, if it is not too late.
pub async fn owing(app: &App, session: &Session) -> Result<Option<Pending>, Failure> {
    let pending: Option<Pending> = session.get(key::PENDING).await.map_err(|_| Failure::BUSY)?;
    let now = now(&app.store).await?.as_second();
    Ok(pending.filter(|pending| pending.until > now))
}

/// Begins a session of somebody who has proven here who they are.
pub async fn begin(
    app: &App,
    session: &Session,
    visitor: &Visitor,
    login_id: Uuid,
    tenant_id: Option<Uuid>,
) -> Result<(), Failure> {
    let now = now(&app.store).await?.as_second();
    open(app, session, visitor, login_id, Opening { tenant_id, sign_on: None, proven_at: now }).await
}

/// Begins a session of somebody whom the provider of `tenant_id` names, with its settings of this version; it was proven at
/// `proven_at` (seconds since 1970) that it is them.
pub async fn begin_sign_on(
    app: &App,
    session: &Session,
    visitor: &Visitor,
    login_id: Uuid,
    (tenant_id, version): (Uuid, i32),
    proven_at: i64,
) -> Result<(), Failure> {
    let opening = Opening { tenant_id: Some(tenant_id), sign_on: Some(version), proven_at };
    open(app, session, visitor, login_id, opening).await
}

/// Begins a session of the platform's staff: of no login, and nothing is proven.
pub async fn begin_support(
    session: &Session,
    visitor: &Visitor,
    tenant_id: Uuid,
    grant_id: Uuid,
) -> Result<(), Failure> {
    let begun = async {
        session.clear().await;
        session.cycle_id().await?;
        session.insert(key::SUPPORT, grant_id).await?;
        session.insert(key::TENANT, tenant_id).await?;
        session.insert(key::AGENT, &visitor.agent).await?;
        session.insert(key::ADDRESS, visitor.address()).await?;
        session.insert(key::CSRF, token()).await
    };
    begun.await.map_err(|_: tower_sessions::session::Error| Failure::BUSY)?;
    tracing::info!(%tenant_id, %grant_id, "a support session began");
    Ok(())
}

/// Goes in: a session begins, or, where the login's only organizations want their own provider, the way leads there.
pub async fn enter(
    app: &App,
    session: &Session,
    visitor: &Visitor,
    login_id: Uuid,
    next: Option<Destination>,
) -> Result<Response, Failure> {
    // An operator goes to the platform's pages with no seat at all.
    if next != Some(Destination::Platform)
        && auth::by_login(&app.store, login_id).await?.is_none()
        && let Some(tenant_id) = auth::find_required_sign_on(&app.store, login_id).await?
    {
        session.flush().await.map_err(|_| Failure::BUSY)?;
        return Ok(Redirect::to(&format!("/sso/{tenant_id}")).into_response());
    }
    begin(app, session, visitor, login_id, None).await?;
    Ok(Redirect::to(&next.unwrap_or(Destination::Board).to_string()).into_response())
}

/// What a session begins with.
struct Opening {
    tenant_id: Option<Uuid>,
    sign_on: Option<i32>,
    proven_at: i64,
}

/// Begins a session: a new id and a new token, and nothing from before goes on. The organization that it opens has it in its
/// audit, or it does not begin.
async fn open(
    app: &App,
    session: &Session,
    visitor: &Visitor,
    login_id: Uuid,
    opening: Opening,
) -> Result<(), Failure> {
    let entered = match opening.tenant_id {
        Some(tenant_id) => Some(tenant_id),
        None => auth::by_session(&app.store, login_id, None, Entered::Here).await?.map(|seat| seat.scope.tenant_id()),
    };
    if let Some(tenant_id) = entered {
        let by = if opening.sign_on.is_some() { "provider" } else { "account" };
        account::note_entered(&app.store, login_id, tenant_id, by, visitor.origin).await?;
    }
    let begun = async {
        session.clear().await;
        session.cycle_id().await?;
        session.insert(key::LOGIN, login_id).await?;
        if let Some(tenant_id) = opening.tenant_id {
            session.insert(key::TENANT, tenant_id).await?;
        }
        if let Some(version) = opening.sign_on {
            session.insert(key::SIGN_ON, version).await?;
        }
        session.insert(key::PROVEN, opening.proven_at).await?;
        session.insert(key::AGENT, &visitor.agent).await?;
        session.insert(key::ADDRESS, visitor.address()).await?;
        session.insert(key::CSRF, token()).await
    };
    begun.await.map_err(|_: tower_sessions::session::Error| Failure::BUSY)?;
    let by_provider = opening.sign_on.is_some();
    tracing::info!(%login_id, by_provider, "signed in");
    Ok(())
}

/// Somebody proved anew that it is them: the same session under a new id.
pub async fn prove(app: &App, session: &Session) -> Result<(), Failure> {
    let now = now(&app.store).await?.as_second();
    session.cycle_id().await.map_err(|_| Failure::BUSY)?;
    session.insert(key::PROVEN, now).await.map_err(|_| Failure::BUSY)
}

/// Whether the proof of `proven_at` (seconds since 1970) counts still.
pub fn counts(proven_at: i64, now: Timestamp) -> bool {
    now.as_second() - proven_at < PROOF_COUNTS.as_secs()
}

/// 256 random bits.
pub fn token() -> String {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    hex::encode(bytes)
}
