//! Table `sites`: a client's places; every change with its audit row.

use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Result, TenantTx, seeding};

/// A place, with what stands there.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its id.
    pub site_id: Uuid,
    /// Its name.
    pub name: String,
    /// Hosts that are not retired, and planned ones that have not enrolled.
    pub hosts: i64,
}

/// A client's sites, by name.
pub async fn list(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<Site>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Site,
        r#"SELECT s.site_id, s.name,
             (SELECT count(*) FROM hosts h WHERE h.tenant_id = $1 AND h.client_id = s.client_id AND h.site_id = s.site_id AND h.state <> 'retired')
             + (SELECT count(*) FROM enrolments e WHERE e.tenant_id = $1 AND e.client_id = s.client_id AND e.site_id = s.site_id AND e.spent_at IS NULL) AS "hosts!"
           FROM sites s WHERE s.tenant_id = $1 AND s.client_id = $2 ORDER BY lower(s.name), s.site_id LIMIT 1000"#,
        tenant_id,
        client_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Adds a site.
pub async fn insert(tx: &mut TenantTx, client_id: Uuid, name: &str) -> Result<Uuid> {
    let site_id = seeding::insert_site(tx, client_id, name).await?;
    let entry = Entry::made("site.added", ("site", site_id), json!({ "name": name }));
    audit::insert(tx, Some(client_id), entry).await?;
    Ok(site_id)
}

/// Renames a site. False: the client has no such site.
pub async fn rename(tx: &mut TenantTx, client_id: Uuid, site_id: Uuid, name: &str) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let before = sqlx::query_scalar!(
        "SELECT name FROM sites WHERE tenant_id = $1 AND client_id = $2 AND site_id = $3 FOR UPDATE",
        tenant_id,
        client_id,
        site_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(before) = before else { return Ok(false) };
    sqlx::query!(
        "UPDATE sites SET name = $4 WHERE tenant_id = $1 AND client_id = $2 AND site_id = $3",
        tenant_id,
        client_id,
        site_id,
        name
    )
    .execute(tx.conn())
    .await?;
    let entry = Entry::changed("site.renamed", ("site", site_id), json!({ "name": before }), json!({ "name": name }));
    audit::insert(tx, Some(client_id), entry).await?;
    Ok(true)
}

/// Removes a site on which nothing stands or is planned; retired hosts forget it. False: something stands there, or the
/// client has no such site. A host that comes meanwhile is refused by its foreign key, or refuses this.
pub async fn delete(tx: &mut TenantTx, client_id: Uuid, site_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let name = sqlx::query_scalar!(
        "SELECT s.name FROM sites s WHERE s.tenant_id = $1 AND s.client_id = $2 AND s.site_id = $3
           AND NOT EXISTS (SELECT 1 FROM hosts h WHERE h.tenant_id = $1 AND h.client_id = $2 AND h.site_id = $3 AND h.state <> 'retired')
           AND NOT EXISTS (SELECT 1 FROM enrolments e WHERE e.tenant_id = $1 AND e.client_id = $2 AND e.site_id = $3 AND e.spent_at IS NULL)
         FOR UPDATE",
        tenant_id,
        client_id,
        site_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(name) = name else { return Ok(false) };
    sqlx::query!(
        "UPDATE hosts SET site_id = NULL WHERE tenant_id = $1 AND client_id = $2 AND site_id = $3 AND state = 'retired'",
        tenant_id,
        client_id,
        site_id
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM sites WHERE tenant_id = $1 AND client_id = $2 AND site_id = $3",
        tenant_id,
        client_id,
        site_id
    )
    .execute(tx.conn())
    .await?;
    let entry = Entry::removed("site.removed", ("site", site_id), json!({ "name": name }));
    audit::insert(tx, Some(client_id), entry).await?;
    Ok(true)
}
