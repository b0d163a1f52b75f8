//! Table `host_inventory`: what a host last said it is, one row a host.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::live::Kind;
use crate::{Result, TenantTx};

/// What a host said it is.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// When.
    pub told_at: Timestamp,
    /// What, as it was sent.
    pub found: Value,
}

/// Keeps what the host says, in place of what it said before.
pub async fn replace(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid, found: &Value) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO host_inventory (tenant_id, client_id, host_id, told_at, found) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT ON CONSTRAINT host_inventory_pkey
         DO UPDATE SET client_id = EXCLUDED.client_id, told_at = EXCLUDED.told_at, found = EXCLUDED.found",
        tenant_id,
        client_id,
        host_id,
        now.to_sqlx() as _,
        found
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Host, client_id, host_id);
    Ok(())
}

/// What the host said last, if it ever did.
pub async fn find(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<Inventory>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT told_at, found FROM host_inventory WHERE tenant_id = $1 AND host_id = $2",
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Inventory { told_at: r.told_at.to_jiff(), found: r.found }))
}
