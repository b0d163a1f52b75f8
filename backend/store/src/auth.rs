//! The only mint of scopes.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::people::{letters, services, support};
use crate::server_keys::{self, ServerKey};
use crate::wakeups::Claimed;
use crate::{Result, Store, TenantScope, TenantTx, audit, configuration, hosts, tokens};

/// What a member may do, from most to least.
pub use domain::access::Role;

/// How a session was begun, and so which seats it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// By what the login proves itself with here: every seat, but those of organizations that want their own provider.
    Here,
    /// By the provider of one organization, while that is set as it was: the seat there and no other.
    SignOn {
        /// The organization.
        tenant_id: Uuid,
        /// Of the provider's settings.
        version: i32,
    },
    /// By the link of a support session, while the organization's grant lasts: nobody's seat.
    Support {
        /// The organization.
        tenant_id: Uuid,
        /// The grant.
        grant_id: Uuid,
    },
}

/// A signed-in member of one tenant.
#[derive(Debug)]
pub struct Member {
    /// The scope of everything they do.
    pub scope: TenantScope,
    /// The login.
    pub login_id: Uuid,
    /// Their role.
    pub role: Role,
    /// Whether the tenant asks for a second factor that the login does not have: then nothing but making one is open.
    pub lacks_second_factor: bool,
    /// How their session was begun.
    pub entered: Entered,
}

/// What a seat is looked up for.
enum Opens {
    Session(Entered),
    /// A token of its maker, who need not be there.
    Token,
}

/// A session's login and its membership in the tenant that the session chose (none chosen: the first); role and client
/// limit are read anew for each request. A tenant that is not active has no members.
pub async fn by_session(
    store: &Store,
    login_id: Uuid,
    tenant_id: Option<Uuid>,
    entered: Entered,
) -> Result<Option<Member>> {
    match entered {
        Entered::Support { tenant_id, grant_id } => by_support(store, tenant_id, grant_id).await,
        _ => seat(store, login_id, tenant_id, Opens::Session(entered)).await,
    }
}

/// The platform's staff, while an owner's grant lasts; it is read anew for each request. They are nobody's login: the grant's
/// id stands for one.
pub async fn by_support(store: &Store, tenant_id: Uuid, grant_id: Uuid) -> Result<Option<Member>> {
    let Some(scope) = by_sign_on(store, tenant_id).await? else { return Ok(None) };
    let mut tx = store.begin(&scope).await?;
    let alive = support::is_alive(&mut tx, grant_id).await?;
    tx.rollback().await?;
    let scope = TenantScope { tenant_id, client_ids: None, actor: format!("support {grant_id}") };
    let entered = Entered::Support { tenant_id, grant_id };
    let member = Member { scope, login_id: grant_id, role: Role::Support, lacks_second_factor: false, entered };
    Ok(alive.then_some(member))
}

/// Uses up the link of a support session: the organization and the grant that it was made under. Of several at once one
/// gets it.
pub async fn spend_support_link(store: &Store, secret_hash: &[u8]) -> Result<Option<(Uuid, Uuid)>> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let row = sqlx::query!(
        "DELETE FROM credentials WHERE kind = 'support' AND secret_hash = $1 AND expires_at > $2 AND uses_left > 0
           AND revoked_at IS NULL RETURNING tenant_id, subject_id",
        secret_hash,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(row.map(|row| (row.tenant_id, row.subject_id)))
}

async fn seat(store: &Store, login_id: Uuid, tenant_id: Option<Uuid>, opens: Opens) -> Result<Option<Member>> {
    let (entered, by, tenant_id, version) = match opens {
        Opens::Session(Entered::Here) => (Entered::Here, "here", tenant_id, None),
        Opens::Session(entered @ Entered::SignOn { tenant_id, version }) => {
            (entered, "sign_on", Some(tenant_id), Some(version))
        }
        Opens::Session(Entered::Support { .. }) => return Ok(None),
        Opens::Token => (Entered::Here, "token", tenant_id, None),
    };
    let mut tx = store.system().await?;
    let row = sqlx::query!(
        r#"SELECT m.tenant_id, m.role, m.client_ids,
             (t.requires_second_factor AND g.totp_since IS NULL AND $3 <> 'sign_on'
               AND NOT EXISTS (SELECT 1 FROM passkeys p WHERE p.login_id = g.login_id)) AS "lacks_second_factor!"
           FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id JOIN logins g ON g.login_id = m.login_id
           WHERE m.login_id = $1 AND ($2::uuid IS NULL OR m.tenant_id = $2) AND t.state = 'active'
             AND CASE $3::text WHEN 'here' THEN NOT (t.requires_sign_on AND m.role <> 'owner')
               WHEN 'sign_on' THEN t.sign_on_version = $4 ELSE true END
           ORDER BY m.tenant_id LIMIT 1"#,
        login_id,
        tenant_id,
        by,
        version
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.and_then(|r| {
        let role = Role::parse(&r.role)?;
        let scope =
            TenantScope { tenant_id: r.tenant_id, client_ids: r.client_ids, actor: format!("member {login_id}") };
        Some(Member { scope, login_id, role, lacks_second_factor: r.lacks_second_factor, entered })
    }))
}

/// What a login is in the transaction's organization, for all clients: for what goes on after it was begun.
pub async fn find_role_for_all(tx: &mut TenantTx, login_id: Uuid) -> Result<Option<Role>> {
    let tenant_id = tx.tenant_id();
    let role = sqlx::query_scalar!(
        "SELECT role FROM memberships WHERE tenant_id = $1 AND login_id = $2 AND client_ids IS NULL",
        tenant_id,
        login_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(role.and_then(|role| Role::parse(&role)))
}

/// A login's membership, as a session that chose no tenant has it.
pub async fn by_login(store: &Store, login_id: Uuid) -> Result<Option<Member>> {
    by_session(store, login_id, None, Entered::Here).await
}

/// An organization of the login that only opens by its own provider.
pub async fn find_required_sign_on(store: &Store, login_id: Uuid) -> Result<Option<Uuid>> {
    let mut tx = store.system().await?;
    Ok(sqlx::query_scalar!(
        "SELECT m.tenant_id FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id
         WHERE m.login_id = $1 AND t.state = 'active' AND t.requires_sign_on AND m.role <> 'owner' ORDER BY m.tenant_id LIMIT 1",
        login_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Somebody who signs in by an organization's provider: the scope may look at how, and at whom the provider means.
pub async fn by_sign_on(store: &Store, tenant_id: Uuid) -> Result<Option<TenantScope>> {
    let mut tx = store.system().await?;
    let active =
        sqlx::query_scalar!("SELECT tenant_id FROM tenants WHERE tenant_id = $1 AND state = 'active'", tenant_id)
            .fetch_optional(tx.conn())
            .await?;
    let actor = "sign-on".to_owned();
    Ok(active.map(|tenant_id| TenantScope { tenant_id, client_ids: Some(Vec::new()), actor }))
}

/// The tenants where a login has a seat and that are active.
pub async fn list_seats(store: &Store, login_id: Uuid) -> Result<Vec<Uuid>> {
    let mut tx = store.system().await?;
    Ok(sqlx::query_scalar!(
        "SELECT m.tenant_id FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id
         WHERE m.login_id = $1 AND t.state = 'active' ORDER BY m.tenant_id",
        login_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Somebody who follows the link of an invitation: the scope may accept it.
#[derive(Debug)]
pub struct Invited {
    /// The scope; it may do this one thing.
    pub scope: TenantScope,
    /// The row of `invitations`.
    pub invitation_id: Uuid,
    /// The letter that is used up by accepting.
    pub letter_id: Uuid,
    /// The address that is proven by following the link.
    pub email: String,
}

/// The invitation whose link has this SHA-256, while it can be followed; whether it is open is judged where it is accepted.
pub async fn by_invitation(store: &Store, secret_hash: &[u8]) -> Result<Option<Invited>> {
    let followed = letters::follow(store, secret_hash).await?.filter(|letter| letter.kind == letters::Kind::Invitation);
    Ok(followed.and_then(|letter| {
        let id = |name: &str| letter.facts[name].as_str().and_then(|text| text.parse::<Uuid>().ok());
        let (tenant_id, invitation_id) = (id("tenant")?, id("invitation")?);
        let scope = TenantScope { tenant_id, client_ids: None, actor: format!("invitation {invitation_id}") };
        Some(Invited { scope, invitation_id, letter_id: letter.letter_id, email: letter.address })
    }))
}

/// Somebody who signs up: their login and the tenant that was just made for them.
#[derive(Debug)]
pub struct Founder {
    /// The scope of the new tenant.
    pub scope: TenantScope,
    /// Their login.
    pub login_id: Uuid,
    /// The letter that is used up when the tenant is whole.
    pub letter: letters::Followed,
}

/// Makes tenant and login for whoever follows the link of a sign-up; none if it cannot be followed, or the address has an
/// account already. The tenant has the letter's id: doing it again after a crash goes on with the same.
pub async fn by_sign_up(store: &Store, secret_hash: &[u8], password_hash: &str) -> Result<Option<Founder>> {
    let mut tx = store.system().await?;
    let Some(letter) = letters::follow_in(&mut tx, secret_hash).await? else { return Ok(None) };
    if letter.kind != letters::Kind::SignUp {
        return Ok(None);
    }
    let (tenant_id, now) = (letter.letter_id, tx.now().await?);
    let name = letter.facts["organization"].as_str().unwrap_or_default();
    let is_new = sqlx::query!(
        "INSERT INTO tenants (tenant_id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tenant_id,
        name,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?
    .rows_affected()
        == 1;
    let known = sqlx::query_scalar!("SELECT login_id FROM logins WHERE lower(email) = lower($1)", letter.address)
        .fetch_optional(tx.conn())
        .await?;
    let login_id = match known {
        Some(_) if is_new => return Ok(None),
        Some(login_id) => login_id,
        None => {
            let login_id = Store::new_id();
            sqlx::query!(
                "INSERT INTO logins (login_id, email, password_hash) VALUES ($1, $2, $3)",
                login_id,
                letter.address,
                password_hash
            )
            .execute(tx.conn())
            .await?;
            login_id
        }
    };
    tx.commit().await?;
    let scope = TenantScope { tenant_id, client_ids: None, actor: format!("member {login_id}") };
    Ok(Some(Founder { scope, login_id, letter }))
}

#[cfg(test)]
pub(crate) fn scope_of(tenant_id: Uuid, client_ids: Option<Vec<Uuid>>) -> TenantScope {
    TenantScope { tenant_id, client_ids, actor: "test".to_owned() }
}

/// A host, proven by its key.
#[derive(Debug)]
pub struct HostIdentity {
    /// The scope.
    pub scope: TenantScope,
    /// The host.
    pub host_id: Uuid,
}

/// The host whose key has this SHA-256.
pub async fn by_host_key(store: &Store, key_id: &[u8]) -> Result<Option<HostIdentity>> {
    Ok(by_secret(store, "host_key", key_id).await?.map(|(tenant_id, host_id)| HostIdentity {
        scope: TenantScope { tenant_id, client_ids: None, actor: format!("host {host_id}") },
        host_id,
    }))
}

/// A planned host, named by its enrolment token.
#[derive(Debug)]
pub struct EnrolmentIdentity {
    /// The scope; it may do this one thing.
    pub scope: TenantScope,
    /// The row of `enrolments`.
    pub enrolment_id: Uuid,
}

/// The enrolment whose token has this SHA-256; whether it is spent is judged where it is spent.
pub async fn by_enrolment_token(store: &Store, token_hash: &[u8]) -> Result<Option<EnrolmentIdentity>> {
    Ok(by_secret(store, "enrolment_token", token_hash).await?.map(|(tenant_id, enrolment_id)| EnrolmentIdentity {
        scope: TenantScope { tenant_id, client_ids: None, actor: format!("enrolment {enrolment_id}") },
        enrolment_id,
    }))
}

/// A caller of the API, proven by a token.
#[derive(Debug)]
pub struct Bearer {
    /// The token's maker, or the service account that it is of, as they are now; the actor names both.
    pub member: Member,
    /// The token.
    pub token_id: Uuid,
    /// The words of its scopes.
    pub scopes: Vec<String>,
    /// Networks it may be used from; none: all.
    pub networks: Vec<String>,
    /// Whether its use was written down a short while ago.
    pub is_marked: bool,
}

/// The API token with this SHA-256. Its maker's role and client limit are read anew each time: where they are no member any
/// more, or owe a second factor that is asked of everybody, there is no such token. So are those of the service account that it
/// is of, whoever made it.
pub async fn by_api_token(store: &Store, hash: &[u8]) -> Result<Option<Bearer>> {
    let Some((tenant_id, token_id)) = by_secret(store, "api_token", hash).await? else { return Ok(None) };
    // This scope reads the token's own row and is gone.
    let scope = TenantScope { tenant_id, client_ids: Some(Vec::new()), actor: format!("token {token_id}") };
    let mut tx = store.begin(&scope).await?;
    let alive = tokens::find_alive(&mut tx, token_id).await?;
    tx.rollback().await?;
    let Some(alive) = alive else { return Ok(None) };
    let (mut scopes, networks, is_marked) = (alive.scopes, alive.networks, alive.is_marked);
    let whose = match alive.seat_id {
        None => seat(store, alive.login_id, Some(tenant_id), Opens::Token).await?,
        Some(seat_id) => {
            scopes.retain(|word| domain::token::is_for_services(word));
            service(store, tenant_id, seat_id).await?
        }
    };
    let Some(mut member) = whose.filter(|whose| !whose.lacks_second_factor) else { return Ok(None) };
    member.scope.actor = format!("token {token_id} of {}", member.scope.actor);
    Ok(Some(Bearer { member, token_id, scopes, networks, is_marked }))
}

/// A service account of an active organization; its seat's id stands for a login, and it has none.
async fn service(store: &Store, tenant_id: Uuid, seat_id: Uuid) -> Result<Option<Member>> {
    let Some(active) = by_sign_on(store, tenant_id).await? else { return Ok(None) };
    // This scope reads the seat and its clients, and is gone.
    let mut tx = store.begin(&TenantScope { client_ids: None, ..active }).await?;
    let service = services::find(&mut tx, seat_id).await?;
    tx.rollback().await?;
    Ok(service.map(|service| {
        let actor = format!("service {seat_id}");
        let scope = TenantScope { tenant_id, client_ids: service.client_ids, actor };
        let (role, entered) = (service.role, Entered::Here);
        Member { scope, login_id: seat_id, role, lacks_second_factor: false, entered }
    }))
}

async fn by_secret(store: &Store, kind: &str, hash: &[u8]) -> Result<Option<(Uuid, Uuid)>> {
    let mut tx = store.system().await?;
    let now: Timestamp = tx.now().await?;
    let row = sqlx::query!(
        "SELECT tenant_id, subject_id FROM credentials
         WHERE kind = $1 AND secret_hash = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)",
        kind,
        hash,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| (r.tenant_id, r.subject_id)))
}

/// The scope of a claimed wake-up: no client limit, dies with the claim.
pub fn by_claim(claimed: &Claimed) -> TenantScope {
    TenantScope { tenant_id: claimed.tenant_id, client_ids: None, actor: format!("loop {}", claimed.queue.name()) }
}

/// What a new key of the server's own comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Tenants, each with an entry in its audit.
    pub tenants: usize,
    /// Hosts that hold an older one.
    pub hosts: i64,
}

/// The operator on the server's own machine (`up --seed`, `apply`, `demo`), from the command line only: one transaction
/// on the owner's login that makes a tenant and its logins as `app_system`, then does all else as `app_tenant`.
#[derive(Debug)]
pub struct OperatorTx(TenantTx);

impl OperatorTx {
    /// Begins on `owner_url`; `store` lends its clock and wakes.
    pub async fn begin(store: &Store, owner_url: &str) -> Result<OperatorTx> {
        Ok(OperatorTx(store.begin_operator(owner_url).await?))
    }

    pub(crate) fn conn(&mut self) -> &mut sqlx::PgConnection {
        self.0.conn()
    }

    pub(crate) async fn now(&mut self) -> Result<Timestamp> {
        self.0.now().await
    }

    /// How many tenants there are: a seed is for an empty database.
    pub async fn count_tenants(&mut self) -> Result<i64> {
        Ok(sqlx::query_scalar!(r#"SELECT count(tenant_id) AS "n!" FROM tenants"#).fetch_one(self.0.conn()).await?)
    }

    /// All tenants.
    pub async fn list_tenants(&mut self) -> Result<Vec<Uuid>> {
        Ok(sqlx::query_scalar!("SELECT tenant_id FROM tenants ORDER BY tenant_id").fetch_all(self.0.conn()).await?)
    }

    /// The operator has looked at the clock: admissions go on. Answers how far it had jumped, if it had.
    pub async fn clear_clock_jump(&mut self) -> Result<Option<jiff::SignedDuration>> {
        let jumped =
            sqlx::query_scalar!("SELECT clock_jump_ms FROM platform_state FOR UPDATE").fetch_one(self.0.conn()).await?;
        sqlx::query!("UPDATE platform_state SET clock_jumped_at = NULL, clock_jump_ms = NULL, version = version + 1")
            .execute(self.0.conn())
            .await?;
        Ok(jumped.map(jiff::SignedDuration::from_millis))
    }

    /// Adds a key of the server's own, and says so in every tenant's audit; nothing of it without the rest.
    pub async fn insert_server_key(mut self, kind: server_keys::Kind, key: &ServerKey) -> Result<Rotated> {
        let ids = self.list_tenants().await?;
        let now = self.0.now().await?;
        server_keys::insert_at(self.0.conn(), now, kind, key).await?;
        let (mut tx, mut done) = (self.0, Rotated { tenants: ids.len(), hosts: 0 });
        let detail = serde_json::json!({ "kind": kind.name(), "version": key.version });
        for tenant_id in ids {
            tx = tx.enter_tenant(tenant_id).await?;
            done.hosts += hosts::count_holding_before(&mut tx, key.version).await?;
            // The server's, and none of the tenant's own: it has a newer one, and the ones before stay.
            let entry = audit::Entry::done("keys.rotated", ("tenant", tenant_id)).with(detail.clone());
            audit::insert(&mut tx, None, entry).await?;
        }
        tx.commit().await?;
        Ok(done)
    }

    /// Commits.
    pub async fn commit(self) -> Result<()> {
        self.0.commit().await
    }

    /// Every tenant with its name, oldest id first; nothing is written.
    pub async fn list_names(mut self) -> Result<Vec<(Uuid, String)>> {
        let ids = self.list_tenants().await?;
        // Names are a tenant's own: each is read as that tenant.
        let (mut tx, mut tenants) = (self.0, Vec::with_capacity(ids.len()));
        for tenant_id in ids {
            tx = tx.enter_tenant(tenant_id).await?;
            if let Some(tenant) = configuration::find_tenant(&mut tx).await? {
                tenants.push((tenant_id, tenant.name));
            }
        }
        tx.rollback().await?;
        Ok(tenants)
    }

    /// Makes a tenant.
    pub async fn insert_tenant(&mut self, name: &str) -> Result<Uuid> {
        let (tenant_id, now) = (Store::new_id(), self.0.now().await?);
        sqlx::query!(
            "INSERT INTO tenants (tenant_id, name, created_at) VALUES ($1, $2, $3)",
            tenant_id,
            name,
            now.to_sqlx() as _
        )
        .execute(self.0.conn())
        .await?;
        Ok(tenant_id)
    }

    /// Makes a login with a hashed password.
    pub async fn insert_login(&mut self, email: &str, password_hash: &str) -> Result<Uuid> {
        let login_id = Store::new_id();
        sqlx::query!(
            "INSERT INTO logins (login_id, email, password_hash) VALUES ($1, $2, $3)",
            login_id,
            email,
            password_hash
        )
        .execute(self.0.conn())
        .await?;
        Ok(login_id)
    }

    /// The login of an address, whoever's it is.
    pub async fn find_login(&mut self, email: &str) -> Result<Option<Uuid>> {
        Ok(sqlx::query_scalar!("SELECT login_id FROM logins WHERE lower(email) = lower($1)", email)
            .fetch_optional(self.0.conn())
            .await?)
    }

    /// From here on the transaction sees the rows of this tenant and no others.
    pub async fn into_tenant(self, tenant_id: Uuid) -> Result<TenantTx> {
        self.0.enter_tenant(tenant_id).await
    }
}
