//! A client's sites by id.

use uuid::Uuid;

use crate::sites::Site;
use crate::{Result, TenantTx};

/// The sites of a client after one, by id.
pub async fn list(tx: &mut TenantTx, client_id: Uuid, after: Option<Uuid>, limit: i64) -> Result<Vec<Site>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Site,
        r#"SELECT s.site_id, s.name,
             (SELECT count(*) FROM hosts h WHERE h.tenant_id = $1 AND h.client_id = s.client_id AND h.site_id = s.site_id AND h.state <> 'retired')
             + (SELECT count(*) FROM enrolments e WHERE e.tenant_id = $1 AND e.client_id = s.client_id AND e.site_id = s.site_id AND e.spent_at IS NULL) AS "hosts!"
           FROM sites s WHERE s.tenant_id = $1 AND s.client_id = $2 AND s.site_id > $3 ORDER BY s.site_id LIMIT $4"#,
        tenant_id,
        client_id,
        after.unwrap_or_default(),
        limit
    )
    .fetch_all(tx.conn())
    .await?)
}
