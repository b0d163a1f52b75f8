//! Tables `mappings` and `mapping_versions`. The first version of each is made by [`crate::seeding`].

use serde_json::Value;
use uuid::Uuid;

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
