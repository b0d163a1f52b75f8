//! Table `checks`.

use domain::detect::Check;
use uuid::Uuid;

use crate::{Result, StoreError, TenantTx};

/// Whether a check in use has this name.
pub async fn is_taken(tx: &mut TenantTx, name: &str) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM checks WHERE tenant_id = $1 AND name = $2 AND archived_at IS NULL) AS "taken!""#,
        tenant_id,
        name
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Every check in use, complete, with its id.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<(Uuid, Check)>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT check_id, definition FROM checks WHERE tenant_id = $1 AND archived_at IS NULL ORDER BY name",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|r| {
            let check = serde_json::from_value::<Check>(r.definition).ok().and_then(|c| c.complete().ok());
            let corrupt = StoreError::Corrupt { table: "checks", column: "definition", id: r.check_id };
            Ok((r.check_id, check.ok_or(corrupt)?))
        })
        .collect()
}
