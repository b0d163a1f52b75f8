//! Table `tenant_keys`: the keys that sign a tenant's playbook versions.

use jiff_sqlx::ToSqlx;
use uuid::Uuid;

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
    /// The private half, sealed with the master key; none where the key is the tenant's own.
    pub sealed: Option<Vec<u8>>,
}

/// Adds a key.
pub async fn insert(tx: &mut TenantTx, key: &TenantKey) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO tenant_keys (tenant_id, key_id, version, public_key, sealed, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant_id,
        key.key_id,
        key.version,
        key.public_key,
        key.sealed.as_deref(),
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
        "SELECT key_id, version, public_key, sealed FROM tenant_keys
         WHERE tenant_id = $1 AND retired_at IS NULL ORDER BY version DESC",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}
