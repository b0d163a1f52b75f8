//! Table `memberships`: the seats of an organization.

use domain::access::Role;
use uuid::Uuid;

use super::invitations;
use crate::error::exactly_one;
use crate::live::Kind;
use crate::{Result, StoreError, TenantTx, changes, channels};

/// A member's seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The login.
    pub login_id: Uuid,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The role.
    pub role: Role,
    /// The clients they may see; none: all.
    pub client_ids: Option<Vec<Uuid>>,
}

/// All seats, locked until the end of the transaction. Whoever changes one looks first whether their own is among them still,
/// so an organization never loses its last owner to two changes side by side.
pub async fn list_locked(tx: &mut TenantTx) -> Result<Vec<Seat>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT login_id, name, email, role, client_ids FROM memberships WHERE tenant_id = $1 ORDER BY login_id FOR UPDATE",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let corrupt = StoreError::Corrupt { table: "memberships", column: "role", id: row.login_id };
            Ok(Seat {
                login_id: row.login_id,
                name: row.name,
                email: row.email,
                role: Role::parse(&row.role).ok_or(corrupt)?,
                client_ids: row.client_ids,
            })
        })
        .collect()
}

/// Takes a seat away. What the member did stays theirs in the audit.
pub async fn delete(tx: &mut TenantTx, login_id: Uuid) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!("DELETE FROM memberships WHERE tenant_id = $1 AND login_id = $2", tenant_id, login_id)
        .execute(tx.conn())
        .await?;
    tx.changes(Kind::Guardrail, None, None);
    exactly_one("members::delete", done.rows_affected())
}

/// What becomes of the address of somebody who left, or sees some clients only from now on, among those who are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// It is called no more. If it was the only one, this member's is called instead, or an owner's.
    NoMore(Option<Uuid>),
    /// It is named for itself, whoever has it.
    Still,
}

/// A seat was changed to what it is `now`, or taken away: what its member began for others goes no further than their seat. Their
/// address among those who are called, their invitations, what they proposed and what they said yes to. All seats are locked.
pub async fn end_beyond(tx: &mut TenantTx, was: &Seat, now: Option<&Seat>, called: Called) -> Result<()> {
    let is_limited = now.is_some_and(|now| now.client_ids.is_some());
    let why = match now {
        None => Some("they are no member any more"),
        Some(_) if is_limited && was.client_ids.is_none() => Some("they see some clients only"),
        Some(_) => None,
    };
    if let (Some(why), Called::NoMore(instead)) = (why, called) {
        channels::delete_of_member(tx, &was.email, why, instead).await?;
    }
    let still = now.filter(|_| !is_limited).map(|now| now.role);
    invitations::revoke_of(tx, was.login_id, still).await?;
    changes::end_lost(tx, was.login_id).await
}

/// Sets whether every member must have a second factor.
pub async fn set_second_factor(tx: &mut TenantTx, required: bool) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!("UPDATE tenants SET requires_second_factor = $2 WHERE tenant_id = $1", tenant_id, required)
        .execute(tx.conn())
        .await?;
    exactly_one("members::set_second_factor", done.rows_affected())
}

/// Whether every member must have a second factor, locked until the end of the transaction.
pub async fn lock_second_factor(tx: &mut TenantTx) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT requires_second_factor FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE",
        tenant_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Whether every member must have a second factor.
pub async fn requires_second_factor(tx: &mut TenantTx) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!("SELECT requires_second_factor FROM tenants WHERE tenant_id = $1", tenant_id)
        .fetch_one(tx.conn())
        .await?)
}
