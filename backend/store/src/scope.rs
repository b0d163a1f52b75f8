//! The doors to rows. The pools are private; role and tenant are local to a transaction.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Postgres, Transaction};
use uuid::Uuid;

use crate::clock::{Elapsed, Watch};
use crate::live::{Change, Kind, Noted};
use crate::wake::Wake;
use crate::{Clock, Queue, Result, StoreError};

/// What a [`Store`] needs.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// URL of the login `app_login`.
    pub tenant_url: String,
    /// URL of the login `app_system`.
    pub system_url: String,
    /// Most connections for tenants' work.
    pub tenant_connections: u32,
    /// The clock.
    pub clock: Clock,
}

/// Two pools and a clock; clones share.
#[derive(Clone, Debug)]
pub struct Store {
    tenant: PgPool,
    system: PgPool,
    clock: Clock,
    watch: Option<Watch>,
    wake: Wake,
}

/// Who may reach which rows: minted in [`crate::auth`] alone, neither `Clone` nor serializable.
#[derive(Debug)]
pub struct TenantScope {
    pub(crate) tenant_id: Uuid,
    /// `None`: all clients.
    pub(crate) client_ids: Option<Vec<Uuid>>,
    pub(crate) actor: String,
}

impl TenantScope {
    /// The tenant.
    pub fn tenant_id(&self) -> Uuid {
        self.tenant_id
    }

    /// Whether no client is kept from it.
    pub fn sees_all(&self) -> bool {
        self.client_ids.is_none()
    }

    /// What opens a transaction of this scope, in one round trip. Public so that a test can hold it against every table.
    pub fn opening(&self) -> String {
        // The values are typed uuids, so the text is safe to build, here and nowhere else.
        let tenant = format!(r#"SET LOCAL "app.tenant_id" = '{}'"#, self.tenant_id);
        match &self.client_ids {
            None => format!("BEGIN; SET LOCAL ROLE app_all_clients; {tenant}"),
            Some(ids) => {
                let list: Vec<String> = ids.iter().map(Uuid::to_string).collect();
                let clients = format!(r#"SET LOCAL "app.client_ids" = '{{{}}}'"#, list.join(","));
                format!("BEGIN; SET LOCAL ROLE app_tenant; {tenant}; {clients}")
            }
        }
    }
}

/// How each connection has its statements planned.
///
/// Compiling a plan takes the server hundreds of milliseconds, and no statement of ours runs so long: the estimate that
/// asks for it multiplies the selectivities of joins by tenant, client and id, which are not independent.
/// And planning takes longer than running for most of them: one plan a statement and connection, made when it is first
/// needed. They are written to be right for any values (ids, and what a filter leaves open).
pub const PLANNING: [(&str, &str); 2] = [("jit", "off"), ("plan_cache_mode", "force_generic_plan")];

fn pool(url: &str, max: u32) -> Result<PgPool> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.options(PLANNING);
    Ok(PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(Duration::from_secs(5))
        // A cancelled begin() of sqlx 0.9.0 may leave a connection inside an open transaction: end it before reuse. A bare
        // ROLLBACK outside of one, the usual case, would write a warning into the server's log each time. Inside a failed
        // transaction BEGIN is an error, and the pool closes the connection.
        .before_acquire(|conn, _| {
            Box::pin(async move {
                sqlx::raw_sql("BEGIN; ROLLBACK").execute(&mut *conn).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

impl Store {
    /// Opens the pools (lazily: no connection is made yet).
    pub fn connect(config: &StoreConfig) -> Result<Store> {
        Ok(Store {
            tenant: pool(&config.tenant_url, config.tenant_connections)?,
            system: pool(&config.system_url, 4)?,
            clock: config.clock.clone(),
            watch: None,
            wake: Wake::default(),
        })
    }

    /// A transaction on one tenant's rows: role and tenant are set in the same round trip as `BEGIN`.
    pub async fn begin(&self, scope: &TenantScope) -> Result<TenantTx> {
        let tx = self.tenant.begin_with(AssertSqlSafe(scope.opening())).await?;
        Ok(TenantTx {
            tx,
            tenant_id: scope.tenant_id,
            actor: scope.actor.clone(),
            origin: Origin::default(),
            clock: self.clock.clone(),
            watch: self.watch.clone(),
            now: None,
            due: Vec::new(),
            noted: Noted::default(),
            wake: self.wake.clone(),
        })
    }

    /// A transaction on what exists before a tenant is known.
    pub async fn system(&self) -> Result<SystemTx> {
        let tx = self.system.begin().await?;
        Ok(SystemTx { tx, clock: self.clock.clone(), watch: self.watch.clone(), now: None })
    }

    pub(crate) async fn begin_operator(&self, owner_url: &str) -> Result<TenantTx> {
        let tx = pool(owner_url, 1)?.begin_with("BEGIN; SET LOCAL ROLE app_system").await?;
        Ok(TenantTx {
            tx,
            tenant_id: Uuid::nil(),
            actor: "operator".into(),
            origin: Origin::default(),
            clock: self.clock.clone(),
            watch: self.watch.clone(),
            now: None,
            due: Vec::new(),
            noted: Noted::default(),
            wake: self.wake.clone(),
        })
    }

    /// A new id. Nothing is ordered by it.
    #[allow(clippy::disallowed_methods, reason = "ids are the one thing drawn here; they decide nothing")]
    pub fn new_id() -> Uuid {
        Uuid::now_v7()
    }

    /// Wakes and waits of this node's loops.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// The same store, which compares the database's clock with `elapsed`.
    pub fn watching_clock(self, elapsed: Elapsed) -> Store {
        Store { watch: Some(Watch::new(elapsed)), ..self }
    }

    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// The same store, whose loops look this often without being woken.
    pub fn polling(self, poll: Duration) -> Store {
        Store { wake: self.wake.polling(poll), ..self }
    }

    pub(crate) fn system_options(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.system.connect_options())
    }

    /// Refuses to serve with a database user that row-level security would not hold back, or that owns tables or may become
    /// who does: neither for tenants' work nor before a tenant is known.
    pub async fn refuse_unsafe_login(&self) -> Result<(), UnsafeLogin> {
        for (pool, variable, meant) in
            [(&self.tenant, "DATABASE_URL", "app_login"), (&self.system, "DATABASE_SYSTEM_URL", "app_system")]
        {
            if let Some(name) = find_unsafe(pool).await.map_err(UnsafeLogin::Store)? {
                return Err(UnsafeLogin::Refused { variable, name, meant });
            }
        }
        Ok(())
    }

    /// Waits until the database answers a ping.
    pub async fn ping(&self) -> Result<()> {
        let mut conn = self.system.acquire().await?;
        conn.ping().await?;
        Ok(())
    }

    /// Closes both pools.
    pub async fn close(&self) {
        self.tenant.close().await;
        self.system.close().await;
    }
}

/// The user of a pool, if it is too strong.
async fn find_unsafe(pool: &PgPool) -> Result<Option<String>> {
    let mut conn = pool.acquire().await?;
    let row = sqlx::query!(
        r#"SELECT current_user::text AS "name!", rolsuper AS "superuser!", rolbypassrls AS "bypass!",
             EXISTS (SELECT 1 FROM pg_class c WHERE c.relkind IN ('r', 'p') AND pg_has_role(r.oid, c.relowner, 'MEMBER')) AS "owner!"
           FROM pg_roles r WHERE rolname = current_user"#
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok((row.superuser || row.bypass || row.owner).then_some(row.name))
}

/// Why a server refuses to start.
#[derive(Debug, thiserror::Error)]
pub enum UnsafeLogin {
    /// The login is too strong.
    #[error(
        "{variable} signs in as {name}, who is a superuser, bypasses row-level security, or owns tables or may become who does; use the login {meant}"
    )]
    Refused {
        /// Where the login is set.
        variable: &'static str,
        /// Who it is.
        name: String,
        /// Who it is meant to be.
        meant: &'static str,
    },
    /// The question could not be asked.
    #[error("the database login could not be examined")]
    Store(#[source] StoreError),
}

/// Where what is done in a transaction comes from; loops and commands come from nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The network address of whoever asked.
    pub address: Option<IpAddr>,
    /// The request.
    pub request_id: Option<Uuid>,
}

/// One transaction on one tenant's rows.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    tenant_id: Uuid,
    actor: String,
    origin: Origin,
    clock: Clock,
    watch: Option<Watch>,
    now: Option<Timestamp>,
    due: Vec<(Queue, Timestamp)>,
    noted: Noted,
    wake: Wake,
}

impl TenantTx {
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// The tenant.
    pub fn tenant_id(&self) -> Uuid {
        self.tenant_id
    }

    /// Who acts, as audit rows and run events say it.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Where it comes from, as audit rows say it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Says where it comes from, before anything is done.
    pub fn comes_from(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// This transaction's now: asked once, when first wanted (after the locks, where there are any).
    pub async fn now(&mut self) -> Result<Timestamp> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        let now = self.clock.now(&mut self.tx, self.watch.as_ref()).await?;
        self.now = Some(now);
        Ok(now)
    }

    /// How far the clock jumped forward, if this node saw it and nobody has written it down yet.
    pub(crate) fn jumped(&self) -> Option<jiff::SignedDuration> {
        self.watch.as_ref().and_then(Watch::jumped).map(|(_, by)| by)
    }

    pub(crate) async fn enter_tenant(mut self, tenant_id: Uuid) -> Result<TenantTx> {
        let enter = format!(r#"SET LOCAL ROLE app_all_clients; SET LOCAL "app.tenant_id" = '{tenant_id}'"#);
        sqlx::raw_sql(AssertSqlSafe(enter)).execute(&mut *self.tx).await?;
        self.tenant_id = tenant_id;
        Ok(self)
    }

    /// From here on the transaction writes nothing, whatever its role may.
    pub async fn only_reads(&mut self) -> Result<()> {
        sqlx::raw_sql("SET TRANSACTION READ ONLY").execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Says that `queue` has something due at `at`. The wake-ups are this transaction's last statements.
    pub fn due(&mut self, queue: Queue, at: Timestamp) {
        if !self.due.contains(&(queue, at)) {
            self.due.push((queue, at));
        }
    }

    /// Says that whoever looks at this thing wants to look again: a client's, or with no client the whole tenant's.
    pub(crate) fn changes(&mut self, kind: Kind, client_id: impl Into<Option<Uuid>>, id: impl Into<Option<Uuid>>) {
        let change = Change { tenant_id: self.tenant_id, kind, client_id: client_id.into(), id: id.into() };
        self.noted.note(change);
    }

    /// Inserts the wake-ups, commits, and then wakes the loops: everywhere for what is due, and for what will be, since the
    /// sleep may be too long, this node's, or the node's whose it is.
    pub async fn commit(mut self) -> Result<()> {
        let due = std::mem::take(&mut self.due);
        for (queue, at) in due.iter().filter(|(queue, _)| queue.has_wakeups()) {
            sqlx::query!(
                "INSERT INTO tenant_wakeups (tenant_id, queue, due_at) VALUES ($1, $2, $3)",
                self.tenant_id,
                queue.name(),
                at.to_sqlx() as _
            )
            .execute(&mut *self.tx)
            .await?;
        }
        self.tx.commit().await?;
        self.wake.live().tell(std::mem::take(&mut self.noted));
        for (queue, at) in due {
            let anybodys = !matches!(queue, Queue::Dispatch(_));
            if anybodys && self.now.is_some_and(|now| at > now) {
                self.wake.wake(queue);
            } else {
                self.wake.wake_everywhere(queue);
            }
        }
        Ok(())
    }

    /// Lets the commit not wait for the disk: for metrics, which may be lost in a crash.
    pub async fn commit_soon(&mut self) -> Result<()> {
        sqlx::raw_sql("SET LOCAL synchronous_commit = off").execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Gives everything up.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.tx.rollback().await?)
    }
}

/// One transaction as `app_system`.
#[derive(Debug)]
pub struct SystemTx {
    tx: Transaction<'static, Postgres>,
    clock: Clock,
    watch: Option<Watch>,
    now: Option<Timestamp>,
}

impl SystemTx {
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// This transaction's now.
    pub async fn now(&mut self) -> Result<Timestamp> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        let now = self.clock.now(&mut self.tx, self.watch.as_ref()).await?;
        self.now = Some(now);
        Ok(now)
    }

    /// Lets the commit not wait for the disk: for what may be lost in a crash.
    pub(crate) async fn commit_soon(&mut self) -> Result<()> {
        sqlx::raw_sql("SET LOCAL synchronous_commit = off").execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Commits.
    pub async fn commit(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}
