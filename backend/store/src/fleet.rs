//! Clients and channels, as they are read. The first ones are made by [`crate::seeding`].

use uuid::Uuid;

use crate::{Result, TenantTx};

/// A company the tenant looks after.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub client_id: Uuid,
    /// Its name.
    pub name: String,
    /// IANA name.
    pub time_zone: String,
}

/// The client, archived or not.
pub async fn find_client(tx: &mut TenantTx, client_id: Uuid) -> Result<Option<Client>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Client,
        "SELECT client_id, name, time_zone FROM clients WHERE tenant_id = $1 AND client_id = $2",
        tenant_id,
        client_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The clients that are not archived, by name, at most 10,000.
pub async fn list_clients(tx: &mut TenantTx) -> Result<Vec<Client>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Client,
        "SELECT client_id, name, time_zone FROM clients WHERE tenant_id = $1 AND archived_at IS NULL ORDER BY name LIMIT 10000",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The e-mail addresses that are told of a client's incidents, at most 200: the organization's own and those of its
/// contacts who are told. None of an archived client's.
pub async fn list_told(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<String>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT t.address AS "address!" FROM (
             SELECT c.address FROM channels c WHERE c.tenant_id = $1 AND c.kind = 'email'
             UNION SELECT k.email FROM contacts k WHERE k.tenant_id = $1 AND k.client_id = $2 AND k.is_told) t
           WHERE EXISTS (SELECT 1 FROM clients x WHERE x.tenant_id = $1 AND x.client_id = $2 AND x.archived_at IS NULL)
           ORDER BY 1 LIMIT 200"#,
        tenant_id,
        client_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The e-mail addresses that are told of every incident, at most 100.
pub async fn list_email_channels(tx: &mut TenantTx) -> Result<Vec<String>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT address FROM channels WHERE tenant_id = $1 AND kind = 'email' ORDER BY address LIMIT 100",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}
