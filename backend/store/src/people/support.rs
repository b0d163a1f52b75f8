//! Table `support_grants`: when the platform's staff may look at an organization, because an owner said so.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Result, Store, TenantTx};

/// A grant.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its id.
    pub grant_id: Uuid,
    /// When it was given.
    pub granted_at: Timestamp,
    /// Who gave it.
    pub granted_by: String,
    /// What for.
    pub reason: String,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// When somebody ended it, and who.
    pub ended: Option<(Timestamp, String)>,
}

/// The grants of the organization, newest first.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Grant>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT grant_id, granted_at, granted_by, reason, ends_at, ended_at, ended_by FROM support_grants
         WHERE tenant_id = $1 ORDER BY granted_at DESC, grant_id LIMIT 20",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Grant {
            grant_id: row.grant_id,
            granted_at: row.granted_at.to_jiff(),
            granted_by: row.granted_by,
            reason: row.reason,
            ends_at: row.ends_at.to_jiff(),
            ended: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff).zip(row.ended_by),
        })
        .collect())
}

/// The grant that counts now, if there is one: the one that lasts longest.
pub async fn find_alive(tx: &mut TenantTx) -> Result<Option<(Uuid, Timestamp)>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        "SELECT grant_id, ends_at FROM support_grants WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $2
         ORDER BY ends_at DESC, grant_id LIMIT 1",
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.grant_id, row.ends_at.to_jiff())))
}

/// Whether this grant counts now.
pub async fn is_alive(tx: &mut TenantTx, grant_id: Uuid) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM support_grants WHERE tenant_id = $1 AND grant_id = $2 AND ended_at IS NULL
             AND ends_at > $3) AS "alive!""#,
        tenant_id,
        grant_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Lets the platform's staff look for `lasts`.
pub async fn insert(tx: &mut TenantTx, by: &str, reason: &str, lasts: Duration) -> Result<Uuid> {
    let (tenant_id, now, grant_id) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    sqlx::query!(
        "INSERT INTO support_grants (tenant_id, grant_id, granted_at, granted_by, reason, ends_at) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant_id,
        grant_id,
        now.to_sqlx() as _,
        by,
        reason,
        (now + lasts).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(grant_id)
}

/// A grant that somebody has just ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its id.
    pub grant_id: Uuid,
    /// What it was for.
    pub reason: String,
    /// When it would have ended by itself.
    pub ends_at: Timestamp,
}

/// Ends every grant that counts still; says which.
pub async fn end_all(tx: &mut TenantTx, by: &str) -> Result<Vec<Ended>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        "UPDATE support_grants SET ended_at = $2, ended_by = $3 WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $2
         RETURNING grant_id, reason, ends_at",
        tenant_id,
        now.to_sqlx() as _,
        by
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Ended { grant_id: r.grant_id, reason: r.reason, ends_at: r.ends_at.to_jiff() })
        .collect())
}

/// Notes a link for the platform's staff, which begins one session within `lasts`.
pub async fn insert_link(tx: &mut TenantTx, grant_id: Uuid, secret_hash: &[u8], lasts: Duration) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id, expires_at, uses_left) VALUES ($1, 'support', $2, $3, $4, 1)",
        tenant_id,
        secret_hash,
        grant_id,
        (now + lasts).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("support::insert_link", done.rows_affected())
}
