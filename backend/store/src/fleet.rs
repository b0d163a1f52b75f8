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

/// The e-mail addresses that are told of incidents, at most 100.
pub async fn list_email_channels(tx: &mut TenantTx) -> Result<Vec<String>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT address FROM channels WHERE tenant_id = $1 AND kind = 'email' ORDER BY address LIMIT 100",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}
