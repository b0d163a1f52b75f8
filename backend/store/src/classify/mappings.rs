//! Tables `mappings` and `mapping_versions`. The first version of each is made by [`crate::seeding`].

use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Result, TenantTx};

/// One version of a mapping.
#[derive(Clone, Debug)]
pub struct Version {
    /// The mapping.
    pub mapping_id: Uuid,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: i32,
    /// `observe`, `approve` or `auto`.
    pub mode: String,
    /// Its definition.
    pub definition: Value,
}

/// The current version of each mapping that is not archived, at most 1,000 of them.
pub async fn list_active(tx: &mut TenantTx) -> Result<Vec<Version>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Version,
        "SELECT m.mapping_id, m.name, v.version, v.mode, v.definition
         FROM mappings m JOIN mapping_versions v ON v.tenant_id = m.tenant_id AND v.mapping_id = m.mapping_id AND v.version = m.version
         WHERE m.tenant_id = $1 AND m.archived_at IS NULL ORDER BY m.name LIMIT 1000",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// One version, current or not: what a run was planned by.
pub async fn find_version(tx: &mut TenantTx, mapping_id: Uuid, version: i32) -> Result<Option<Version>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Version,
        "SELECT m.mapping_id, m.name, v.version, v.mode, v.definition
         FROM mappings m JOIN mapping_versions v ON v.tenant_id = m.tenant_id AND v.mapping_id = m.mapping_id
         WHERE m.tenant_id = $1 AND m.mapping_id = $2 AND v.version = $3",
        tenant_id,
        mapping_id,
        version
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Adds the version after `version` and makes it current; fails if `version` is not the current one any more.
pub async fn insert_version(
    tx: &mut TenantTx,
    mapping_id: Uuid,
    version: i32,
    mode: &str,
    definition: Value,
) -> Result<i32> {
    let (tenant_id, now, actor, next) = (tx.tenant_id(), tx.now().await?, tx.actor().to_owned(), version + 1);
    let done = sqlx::query!(
        "UPDATE mappings SET version = $4 WHERE tenant_id = $1 AND mapping_id = $2 AND version = $3",
        tenant_id,
        mapping_id,
        version,
        next
    )
    .execute(tx.conn())
    .await?;
    exactly_one("mappings.insert_version", done.rows_affected())?;
    sqlx::query!(
        "INSERT INTO mapping_versions (tenant_id, mapping_id, version, mode, definition, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant_id,
        mapping_id,
        next,
        mode,
        definition,
        now.to_sqlx() as _,
        actor
    )
    .execute(tx.conn())
    .await?;
    Ok(next)
}
