//! Who asks: a signed-in member with the scope of everything they may reach.

use axum::extract::FromRequestParts;
use axum::http::{Method, request::Parts};
use axum::response::{IntoResponse, Redirect, Response};
use domain::access::{Act, Role};
use domain::token::Scopes;
use jiff::Timestamp;
use store::audit::{self, Entry};
use store::auth::Entered;
use store::{Origin, TenantTx, auth, logins};
use tower_sessions::Session;
use uuid::Uuid;
use views::settings::{Sees, Tab};
use views::{Clock, Nav, Shell, error::Kind};

use crate::{App, Failure, entry, pages::sign_in::Destination, peer, sessions::key};

/// A signed-in member. Role and client limit are read anew for each request.
pub struct Member {
    member: auth::Member,
    csrf: String,
    proven_at: i64,
    demo: bool,
    origin: Origin,
    /// What a token of theirs lets do; none: it is them.
    scopes: Option<Scopes>,
}

/// As [`Member`], also while the organization asks for a second factor that they do not have: for the pages that make one.
pub struct Newcomer(pub Member);

impl Member {
    /// Who made a token, as far as the token's scopes go; no page and no form is theirs.
    pub fn by_token(member: auth::Member, scopes: Scopes, origin: Origin) -> Member {
        Member { member, csrf: String::new(), proven_at: 0, demo: false, origin, scopes: Some(scopes) }
    }

    /// Begins a transaction in the member's scope; that of a support session writes nothing.
    pub async fn begin(&self, app: &App) -> Result<TenantTx, Failure> {
        let mut tx = self.begin_trace(app).await?;
        if self.support().is_some() {
            tx.only_reads().await?;
        }
        Ok(tx)
    }

    /// As [`begin`](Member::begin), for what the audit says of a support session itself.
    pub async fn begin_trace(&self, app: &App) -> Result<TenantTx, Failure> {
        let mut tx = app.store.begin(&self.member.scope).await?;
        tx.comes_from(self.origin);
        Ok(tx)
    }

    /// Where the request comes from, as audit rows say it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// As the store knows them.
    pub fn seat(&self) -> &auth::Member {
        &self.member
    }

    /// The seat alone.
    pub fn into_seat(self) -> auth::Member {
        self.member
    }

    /// The login.
    pub fn login_id(&self) -> Uuid {
        self.member.login_id
    }

    /// The organization whose provider says who they are; none: they have proven it here.
    pub fn provider(&self) -> Option<Uuid> {
        match self.member.entered {
            Entered::SignOn { tenant_id, .. } => Some(tenant_id),
            _ => None,
        }
    }

    /// The grant of a support session.
    pub fn support(&self) -> Option<Uuid> {
        match self.member.entered {
            Entered::Support { grant_id, .. } => Some(grant_id),
            _ => None,
        }
    }

    /// Goes on only for a member: a support session reads pages and nothing else.
    pub fn must_be_member(&self) -> Result<(), Failure> {
        if self.support().is_none() { Ok(()) } else { Err(Failure::FORBIDDEN) }
    }

    /// Goes on only for somebody who has proven here who they are: an organization's provider speaks for the seat there,
    /// and not for an account that may have seats elsewhere.
    pub fn must_own_account(&self) -> Result<(), Failure> {
        if self.member.entered == Entered::Here { Ok(()) } else { Err(Failure::FORBIDDEN) }
    }

    /// The member's name, as what they do is signed.
    pub async fn name(&self, tx: &mut TenantTx) -> Result<String, Failure> {
        Ok(logins::find_seat(tx, self.login_id()).await?.ok_or(Failure::NOT_FOUND)?.member)
    }

    /// Whether it is a token of theirs that asks.
    pub fn is_token(&self) -> bool {
        self.scopes.is_some()
    }

    /// Whether no client is kept from the member.
    pub fn sees_all(&self) -> bool {
        self.member.scope.sees_all()
    }

    /// Whether they are a client's own person, and nobody of the organization.
    pub fn is_of_client(&self) -> bool {
        self.member.role == Role::ClientViewer
    }

    /// Whether the member's role allows it.
    pub fn may(&self, act: Act) -> bool {
        match &self.scopes {
            None => self.member.role.may(act),
            Some(scopes) => scopes.may(self.member.role, act),
        }
    }

    /// Whether the member may give `role` to somebody, or change or remove a member who has it.
    pub fn may_manage(&self, role: Role) -> bool {
        self.may(role.managing())
    }

    /// Goes on only if the member's role allows what concerns the whole organization: to a member of some clients it is
    /// not there.
    pub fn must_for_all(&self, act: Act) -> Result<(), Failure> {
        if self.sees_all() { self.must(act) } else { Err(Failure::NOT_FOUND) }
    }

    /// Goes on only while the member's seat, as it is now, allows what concerns the whole organization: for what takes long.
    pub async fn must_still(&self, tx: &mut TenantTx, act: Act) -> Result<(), Failure> {
        let role = auth::find_role_for_all(tx, self.login_id()).await?;
        if role.is_some_and(|role| role.may(act)) { Ok(()) } else { Err(Failure::FORBIDDEN) }
    }

    /// Goes on only if the member's role allows it.
    pub fn must(&self, act: Act) -> Result<(), Failure> {
        if self.may(act) { Ok(()) } else { Err(Failure::FORBIDDEN) }
    }

    /// Goes on only if it was proven a short while ago that it is them: for what changes who may do what. A token proves
    /// nothing: its maker had done so when they made it, and that counts while its scopes make it end soon.
    pub async fn must_be_proven(&self, app: &App) -> Result<(), Failure> {
        if let Some(scopes) = &self.scopes {
            return if scopes.stand_for_proof() { Ok(()) } else { Err(Failure::FORBIDDEN) };
        }
        if entry::counts(self.proven_at, entry::now(&app.store).await?) { Ok(()) } else { Err(Failure(Kind::Stale)) }
    }

    /// The token that forms carry.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Goes on only if `token` is the session's.
    pub fn check_token(&self, token: &str) -> Result<(), Failure> {
        // Digests compare in constant time.
        let same = keys::digest(token.as_bytes()) == keys::digest(self.csrf.as_bytes());
        if same && !self.csrf.is_empty() { Ok(()) } else { Err(Failure::FORBIDDEN) }
    }

    /// The shell around a page.
    pub async fn shell(&self, tx: &mut TenantTx, current: Nav) -> Result<Shell, Failure> {
        let seat = logins::find_seat(tx, self.member.login_id).await?.ok_or(Failure::NOT_FOUND)?;
        Ok(Shell {
            organization: seat.organization,
            member: seat.member,
            role: self.member.role.label().to_owned(),
            csrf: self.csrf.clone(),
            current,
            needs_you: u32::try_from(seat.needs_you).unwrap_or(0),
            to_confirm: if self.sees_all() && self.may(Act::ConfirmChanges) {
                u32::try_from(seat.to_confirm).unwrap_or(0)
            } else {
                0
            },
            to_approve: u32::try_from(seat.to_approve).unwrap_or(0),
            frozen: seat.frozen,
            settings: Tab::of(self.member.role, if self.sees_all() { Sees::All } else { Sees::Some }),
            demo: self.demo,
        })
    }
}

/// The page's clock.
pub fn clock(app: &App, now: Timestamp) -> Clock {
    Clock { now, zone: app.config.zone.clone() }
}

impl FromRequestParts<App> for Newcomer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Newcomer, Response> {
        let session = parts.extensions.get::<Session>().cloned().ok_or_else(|| Failure::BROKEN.into_response())?;
        // A session that cannot be reached is no sign that there is none.
        let busy = |_| Failure::BUSY.into_response();
        let login: Option<Uuid> = session.get(key::LOGIN).await.map_err(busy)?;
        let csrf: Option<String> = session.get(key::CSRF).await.map_err(busy)?;
        let tenant: Option<Uuid> = session.get(key::TENANT).await.map_err(busy)?;
        let proven: Option<i64> = session.get(key::PROVEN).await.map_err(busy)?;
        let sign_on: Option<i32> = session.get(key::SIGN_ON).await.map_err(busy)?;
        let entered = match (sign_on, tenant) {
            (Some(version), Some(tenant_id)) => Entered::SignOn { tenant_id, version },
            _ => Entered::Here,
        };
        let member = match login {
            Some(login_id) => auth::by_session(&app.store, login_id, tenant, entered)
                .await
                .map_err(|error| Failure::from(error).into_response())?,
            None => support(app, &session, tenant).await.map_err(IntoResponse::into_response)?,
        };
        match (member, csrf) {
            (Some(member), Some(csrf)) => {
                let (proven_at, origin) = (proven.unwrap_or(0), peer::origin(parts));
                let member = Member { member, csrf, proven_at, demo: app.config.demo, origin, scopes: None };
                look(app, &session, &member, parts).await.map_err(IntoResponse::into_response)?;
                Ok(Newcomer(member))
            }
            _ => Err(to_sign_in(parts)),
        }
    }
}

/// Who has a support session, while its grant lasts.
async fn support(app: &App, session: &Session, tenant: Option<Uuid>) -> Result<Option<auth::Member>, Failure> {
    let grant: Option<Uuid> = session.get(key::SUPPORT).await.map_err(|_| Failure::BUSY)?;
    match grant.zip(tenant) {
        Some((grant_id, tenant_id)) => Ok(auth::by_support(&app.store, tenant_id, grant_id).await?),
        None => Ok(None),
    }
}

/// Pages that one support session may look at: what it has looked at is kept with it.
const PAGES_MAX: usize = 1000;
/// The longest query of such a page.
const QUERY_MAX: usize = 2000;

/// Writes into the organization's audit that a support session looks at a page, before it does: once a page and session.
/// Another filter, and another part of a list, is another page.
async fn look(app: &App, session: &Session, member: &Member, parts: &Parts) -> Result<(), Failure> {
    let Some(grant_id) = member.support().filter(|_| parts.method == Method::GET || parts.method == Method::HEAD)
    else {
        return Ok(());
    };
    let path = parts.uri.path();
    let asked = parts.uri.query().filter(|asked| !asked.is_empty());
    if asked.is_some_and(|asked| asked.len() > QUERY_MAX) {
        return Err(Failure(Kind::BadRequest));
    }
    let page = asked.map_or_else(|| path.to_owned(), |asked| format!("{path}?{asked}"));
    let mut seen: Vec<String> = session.get(key::LOOKED_AT).await.map_err(|_| Failure::BUSY)?.unwrap_or_default();
    if seen.contains(&page) {
        return Ok(());
    }
    if seen.len() >= PAGES_MAX {
        return Err(Failure(Kind::TooMany));
    }
    let mut tx = member.begin_trace(app).await?;
    let mut detail = serde_json::json!({ "page": path });
    if let Some(asked) = asked {
        detail["query"] = asked.into();
    }
    audit::insert(&mut tx, None, Entry::done("support.looked", ("support", grant_id)).with(detail)).await?;
    tx.commit().await?;
    seen.push(page);
    session.insert(key::LOOKED_AT, seen).await.map_err(|_| Failure::BUSY)
}

impl FromRequestParts<App> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Member, Response> {
        let Newcomer(member) = Newcomer::from_request_parts(parts, app).await?;
        match (member.member.lacks_second_factor, &parts.method) {
            (false, _) => Ok(member),
            (true, &Method::GET) => Err(Redirect::to("/settings/second-factor").into_response()),
            (true, _) => Err(Failure::FORBIDDEN.into_response()),
        }
    }
}

/// To the sign-in page, and back to where they wanted, if that is a page of ours and was to be read.
fn to_sign_in(parts: &Parts) -> Response {
    let wanted = (parts.method == Method::GET).then(|| Destination::parse(parts.uri.path())).flatten();
    match wanted {
        Some(destination) => Redirect::to(&format!("/sign-in?next={destination}")).into_response(),
        None => Redirect::to("/sign-in").into_response(),
    }
}
