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

/// The version of a mapping that a run's remediation began with, and how the mapping stands today.
#[derive(Clone, Debug)]
pub struct OfRun {
    /// The definition of that version.
    pub definition: Value,
    /// The mapping's mode today; `None`: it is archived.
    pub mode_today: Option<String>,
}

/// The mapping of a run.
pub async fn find_of_run(tx: &mut TenantTx, run_id: Uuid) -> Result<Option<OfRun>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        OfRun,
        r#"SELECT v.definition, CASE WHEN m.archived_at IS NULL THEN t.mode END AS mode_today
           FROM runs r JOIN remediations e ON e.tenant_id = r.tenant_id AND e.remediation_id = r.remediation_id
             JOIN mapping_versions v ON v.tenant_id = e.tenant_id AND v.mapping_id = e.mapping_id AND v.version = e.mapping_version
             JOIN mappings m ON m.tenant_id = e.tenant_id AND m.mapping_id = e.mapping_id
             JOIN mapping_versions t ON t.tenant_id = m.tenant_id AND t.mapping_id = m.mapping_id AND t.version = m.version
           WHERE r.tenant_id = $1 AND r.run_id = $2"#,
        tenant_id,
        run_id
    )
    .fetch_optional(tx.conn())
    .await?)
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

/// The current version of a mapping that is not archived.
pub async fn find(tx: &mut TenantTx, mapping_id: Uuid) -> Result<Option<Version>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Version,
        "SELECT m.mapping_id, m.name, v.version, v.mode, v.definition
         FROM mappings m JOIN mapping_versions v ON v.tenant_id = m.tenant_id AND v.mapping_id = m.mapping_id AND v.version = m.version
         WHERE m.tenant_id = $1 AND m.mapping_id = $2 AND m.archived_at IS NULL",
        tenant_id,
        mapping_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Publishes the version after `before`; another one that came first is an error. Answers its number.
pub async fn publish(tx: &mut TenantTx, mapping_id: Uuid, before: i32, mode: &str, definition: &Value) -> Result<i32> {
    let (tenant_id, version) = (tx.tenant_id(), before + 1);
    let done = sqlx::query!(
        "UPDATE mappings SET version = $4 WHERE tenant_id = $1 AND mapping_id = $2 AND version = $3",
        tenant_id,
        mapping_id,
        before,
        version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("mappings::publish", done.rows_affected())?;
    insert_version(tx, mapping_id, version, mode, definition).await?;
    Ok(version)
}

/// One version of a mapping, as the actor of the transaction wrote it.
pub(crate) async fn insert_version(
    tx: &mut TenantTx,
    mapping_id: Uuid,
    version: i32,
    mode: &str,
    definition: &Value,
) -> Result<()> {
    let (tenant_id, now, actor) = (tx.tenant_id(), tx.now().await?, tx.actor().to_owned());
    sqlx::query!(
        "INSERT INTO mapping_versions (tenant_id, mapping_id, version, mode, definition, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant_id,
        mapping_id,
        version,
        mode,
        definition,
        now.to_sqlx() as _,
        actor
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
