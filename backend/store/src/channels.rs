//! Table `channels`: who is called about every incident of every client. There is always one: what nobody is told of heals
//! behind everybody's back.

use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Result, Store, SystemTx, TenantTx};

/// Who is called.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its id.
    pub channel_id: Uuid,
    /// The address.
    pub address: String,
    /// The name of the member who has it, if one does.
    pub member: Option<String>,
    /// Whether that member sees some clients only.
    pub sees_some: bool,
}

/// All who are called, by address.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Channel>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Channel,
        r#"SELECT c.channel_id, c.address, m.name AS "member?", (m.client_ids IS NOT NULL) AS "sees_some!"
           FROM channels c LEFT JOIN memberships m ON m.tenant_id = c.tenant_id AND lower(m.email) = lower(c.address)
           WHERE c.tenant_id = $1 AND c.kind = 'email' ORDER BY lower(c.address), c.channel_id LIMIT 1000"#,
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// An address that is called.
struct Called {
    channel_id: Uuid,
    address: String,
}

/// All who are called, locked until the end of the transaction: of two that are removed side by side one stays.
async fn list_locked(tx: &mut TenantTx) -> Result<Vec<Called>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Called,
        "SELECT channel_id, address FROM channels WHERE tenant_id = $1 AND kind = 'email' ORDER BY channel_id FOR UPDATE",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Calls an address from now on; its id. None: it is called already.
pub async fn insert(tx: &mut TenantTx, address: &str, why: &str) -> Result<Option<Uuid>> {
    let (tenant_id, id) = (tx.tenant_id(), Store::new_id());
    let made = sqlx::query_scalar!(
        "INSERT INTO channels (tenant_id, channel_id, kind, address) SELECT $1, $2, 'email', $3::text
         WHERE NOT EXISTS (SELECT 1 FROM channels c WHERE c.tenant_id = $1 AND c.kind = 'email' AND lower(c.address) = lower($3::text))
         ON CONFLICT DO NOTHING RETURNING channel_id",
        tenant_id,
        id,
        address
    )
    .fetch_optional(tx.conn())
    .await?;
    if made.is_some() {
        let entry = Entry::made("channel.added", ("channel", id), json!({ "address": address }));
        note(tx, entry, why).await?;
    }
    Ok(made)
}

/// What came of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The address is not called any more.
    Yes,
    /// Nobody would be.
    Last,
    /// There is no such one.
    NotThere,
}

/// Calls an address no more.
pub async fn delete(tx: &mut TenantTx, channel_id: Uuid) -> Result<Removed> {
    let there = list_locked(tx).await?;
    let Some(called) = there.iter().find(|called| called.channel_id == channel_id) else {
        return Ok(Removed::NotThere);
    };
    if there.len() == 1 {
        return Ok(Removed::Last);
    }
    take_out(tx, called, "").await?;
    Ok(Removed::Yes)
}

/// A member left, or sees some clients only from now on: their address is called no more, for `why`. If it was the only
/// one, that of whoever did it, `by`, is called instead; where they are nobody here or see some clients only, an owner's.
pub(crate) async fn delete_of_member(tx: &mut TenantTx, address: &str, why: &str, by: Option<Uuid>) -> Result<()> {
    let there = list_locked(tx).await?;
    let Some(called) = there.iter().find(|called| called.address.eq_ignore_ascii_case(address)) else {
        return Ok(());
    };
    if there.len() == 1 {
        let tenant_id = tx.tenant_id();
        let instead = sqlx::query_scalar!(
            "SELECT email FROM memberships WHERE tenant_id = $1 AND client_ids IS NULL AND (login_id = $2::uuid OR role = 'owner')
             ORDER BY (login_id = $2::uuid) IS NOT TRUE, login_id LIMIT 1",
            tenant_id,
            by
        )
        .fetch_optional(tx.conn())
        .await?;
        let Some(instead) = instead else { return Ok(()) };
        if insert(tx, &instead, "nobody would be called").await?.is_none() {
            return Ok(());
        }
    }
    take_out(tx, called, why).await
}

async fn take_out(tx: &mut TenantTx, called: &Called, why: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("DELETE FROM channels WHERE tenant_id = $1 AND channel_id = $2", tenant_id, called.channel_id)
        .execute(tx.conn())
        .await?;
    let before = json!({ "address": called.address });
    note(tx, Entry::removed("channel.removed", ("channel", called.channel_id), before), why).await
}

async fn note(tx: &mut TenantTx, entry: Entry<'_>, why: &str) -> Result<()> {
    let entry = if why.is_empty() { entry } else { entry.with(json!({ "why": why })) };
    audit::insert(tx, None, entry).await
}

/// A login has another address: each organization that called them by the old one calls them by the new one.
pub async fn move_of_login(tx: &mut SystemTx, login_id: Uuid, old: &str, new: &str) -> Result<()> {
    let now = tx.now().await?;
    let tenants = sqlx::query_scalar!(
        "SELECT m.tenant_id FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id WHERE m.login_id = $1 ORDER BY m.tenant_id",
        login_id
    )
    .fetch_all(tx.conn())
    .await?;
    for tenant_id in tenants {
        sqlx::query!(
            "SELECT maintenance.move_channel($1, $2, $3, $4, $5)",
            tenant_id,
            login_id,
            old,
            new,
            now.to_sqlx() as _
        )
        .fetch_one(tx.conn())
        .await?;
    }
    Ok(())
}
