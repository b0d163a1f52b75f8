//! The only mint of scopes.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::server_keys::{self, ServerKey};
use crate::wakeups::Claimed;
use crate::{Result, Store, TenantScope, TenantTx, audit, configuration, hosts};

/// What a member may do, from most to least.
pub use domain::access::Role;

/// A signed-in member of one tenant.
#[derive(Debug)]
pub struct Member {
    /// The scope of everything they do.
    pub scope: TenantScope,
    /// The login.
    pub login_id: Uuid,
    /// Their role.
    pub role: Role,
}

/// A session's login and its membership; role and client limit are read anew for each request.
pub async fn by_login(store: &Store, login_id: Uuid) -> Result<Option<Member>> {
    let mut tx = store.system().await?;
    let row = sqlx::query!("SELECT tenant_id, role, client_ids FROM memberships WHERE login_id = $1 LIMIT 1", login_id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.and_then(|r| {
        let role = Role::parse(&r.role)?;
        let scope =
            TenantScope { tenant_id: r.tenant_id, client_ids: r.client_ids, actor: format!("member {login_id}") };
        Some(Member { scope, login_id, role })
    }))
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
            audit::insert_tenant_wide(&mut tx, "keys.rotated", "tenant", tenant_id, detail.clone()).await?;
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
