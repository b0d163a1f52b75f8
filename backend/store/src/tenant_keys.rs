//! Tables `tenant_keys`, the keys that sign a tenant's playbook versions, and `sealing_keys`, which their private halves are
//! sealed with.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::sealing::Place;
use crate::{Result, TenantTx};

/// A key that is in use.
#[derive(Debug)]
pub struct TenantKey {
    /// Its id.
    pub key_id: Uuid,
    /// Counts from 1.
    pub version: i32,
    /// The public half, 32 bytes.
    pub public_key: Vec<u8>,
    /// The private half, sealed; none where the key is the tenant's own.
    pub sealed: Option<Vec<u8>>,
    /// The version of the sealing key that it is sealed with; none: with the master key, as before there were sealing keys.
    pub sealing_version: Option<i32>,
}

/// A key that a tenant's secrets are sealed with.
#[derive(Debug)]
pub struct SealingKey {
    /// Counts from 1.
    pub version: i32,
    /// Sealed with the master key.
    pub sealed: Vec<u8>,
}

/// The sealing key of a version; none said: the newest.
pub async fn find_sealing(tx: &mut TenantTx, version: Option<i32>) -> Result<Option<SealingKey>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        SealingKey,
        "SELECT version, sealed FROM sealing_keys WHERE tenant_id = $1 AND ($2::int IS NULL OR version = $2)
         ORDER BY version DESC LIMIT 1",
        tenant_id,
        version
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The version of the newest sealing key and since when it is there; nothing: nothing was sealed yet.
pub async fn find_sealing_since(tx: &mut TenantTx) -> Result<Option<(i32, Timestamp)>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT version, created_at FROM sealing_keys WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1",
        tenant_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.version, row.created_at.to_jiff())))
}

/// Adds a sealing key.
pub async fn insert_sealing(tx: &mut TenantTx, key: &SealingKey) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO sealing_keys (tenant_id, version, sealed, created_at) VALUES ($1, $2, $3, $4)",
        tenant_id,
        key.version,
        key.sealed,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Destroys the sealing keys before a version: nothing is sealed with them any more.
pub(crate) async fn delete_sealing_before(tx: &mut TenantTx, version: i32) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("DELETE FROM sealing_keys WHERE tenant_id = $1 AND version < $2", tenant_id, version)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A private half, sealed.
#[derive(Debug)]
pub(crate) struct SealedKey {
    /// The key's id.
    pub key_id: Uuid,
    /// Its version.
    pub version: i32,
    /// The private half.
    pub sealed: Vec<u8>,
    /// The version of the sealing key.
    pub sealing_version: Option<i32>,
}

/// Where a private half stands; `row`: the key's id, as text.
pub(crate) fn place<'a>(row: &'a str, key: &SealedKey) -> Place<'a> {
    let (version, id) = (key.version, key.key_id);
    Place { bound: "tenant_keys.sealed", table: "tenant_keys", column: "sealed", row, version, id }
}

/// Every private half that the server holds, of retired keys too.
pub(crate) async fn list_sealed(tx: &mut TenantTx) -> Result<Vec<SealedKey>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        SealedKey,
        r#"SELECT key_id, version, sealed AS "sealed!", sealing_version FROM tenant_keys
           WHERE tenant_id = $1 AND sealed IS NOT NULL ORDER BY version"#,
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Puts a private half in place that is sealed anew.
pub async fn update_sealed(tx: &mut TenantTx, key_id: Uuid, sealed: &[u8], sealing_version: i32) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE tenant_keys SET sealed = $3, sealing_version = $4 WHERE tenant_id = $1 AND key_id = $2",
        tenant_id,
        key_id,
        sealed,
        sealing_version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("tenant_keys::update_sealed", done.rows_affected())
}

/// Adds a key.
pub async fn insert(tx: &mut TenantTx, key: &TenantKey) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO tenant_keys (tenant_id, key_id, version, public_key, sealed, sealing_version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant_id,
        key.key_id,
        key.version,
        key.public_key,
        key.sealed.as_deref(),
        key.sealing_version,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The keys in use, newest first: an agent pins all their public halves.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<TenantKey>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        TenantKey,
        "SELECT key_id, version, public_key, sealed, sealing_version FROM tenant_keys
         WHERE tenant_id = $1 AND retired_at IS NULL ORDER BY version DESC",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}
