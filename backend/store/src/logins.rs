//! Table `logins`: who may sign in, and how often somebody tried.

use std::time::Duration;

use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, Store, TenantTx};

/// What came of asking to try a password.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// There is no such login, or it has no password.
    Unknown,
    /// It was tried too often just now.
    Locked,
    /// Compare; the try is counted already, so that tries side by side are all counted.
    Compare {
        /// The login.
        login_id: Uuid,
        /// The hash of its password.
        password_hash: String,
    },
}

/// Counts a try at a login's password. `wait` says how long the login rests after so many tries without success.
pub async fn claim_attempt(store: &Store, email: &str, wait: fn(u32) -> Duration) -> Result<Attempt> {
    let mut tx = store.system().await?;
    let row = sqlx::query!(
        "SELECT login_id, password_hash, failed_count, locked_until FROM logins WHERE lower(email) = lower($1) FOR UPDATE",
        email
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(Attempt::Unknown) };
    let now = tx.now().await?;
    if row.locked_until.is_some_and(|until| until.to_jiff() > now) {
        return Ok(Attempt::Locked);
    }
    let Some(password_hash) = row.password_hash else { return Ok(Attempt::Unknown) };
    let count = row.failed_count.saturating_add(1);
    let until = now + wait(count.unsigned_abs());
    sqlx::query!(
        "UPDATE logins SET failed_count = $2, locked_until = $3 WHERE login_id = $1",
        row.login_id,
        count,
        until.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(Attempt::Compare { login_id: row.login_id, password_hash })
}

/// The password was right: the count begins anew.
pub async fn mark_signed_in(store: &Store, login_id: Uuid) -> Result<()> {
    let mut tx = store.system().await?;
    sqlx::query!("UPDATE logins SET failed_count = 0, locked_until = NULL WHERE login_id = $1", login_id)
        .execute(tx.conn())
        .await?;
    tx.commit().await
}

/// What stands around every page of a member.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The member's name.
    pub member: String,
    /// The tenant's name.
    pub organization: String,
    /// Incidents the member may see that need a person.
    pub needs_you: i64,
    /// Changes of the organization that wait for a second person.
    pub to_confirm: i64,
    /// Runs the member may see that wait for a yes.
    pub to_approve: i64,
    /// Whether all actions are stopped, here or everywhere.
    pub frozen: bool,
}

/// The seat of a login in the transaction's tenant.
pub async fn find_seat(tx: &mut TenantTx, login_id: Uuid) -> Result<Option<Seat>> {
    let tenant_id = tx.tenant_id();
    let seat = sqlx::query_as!(
        Seat,
        r#"SELECT m.name AS member, t.name AS organization,
             (SELECT count(*) FROM incidents i WHERE i.tenant_id = $1 AND i.state = 'escalated'
               AND NOT EXISTS (SELECT 1 FROM clients x WHERE x.tenant_id = $1 AND x.client_id = i.client_id AND x.archived_at IS NOT NULL)) AS "needs_you!",
             (SELECT count(*) FROM proposed_changes c WHERE c.tenant_id = $1 AND c.state = 'proposed') AS "to_confirm!",
             (SELECT count(*) FROM runs r WHERE r.tenant_id = $1 AND r.state = 'awaiting_approval') AS "to_approve!",
             (EXISTS (SELECT 1 FROM platform_state WHERE frozen)
              OR EXISTS (SELECT 1 FROM guardrail_buckets b WHERE b.tenant_id = $1 AND b.scope_kind = 'tenant' AND b.frozen)) AS "frozen!"
           FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id
           WHERE m.tenant_id = $1 AND m.login_id = $2"#,
        tenant_id,
        login_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(seat)
}
