//! Clients by id.

use uuid::Uuid;

use crate::fleet::Client;
use crate::{Result, TenantTx};

/// The clients after one, by id.
pub async fn list(tx: &mut TenantTx, after: Option<Uuid>, limit: i64) -> Result<Vec<Client>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Client,
        "SELECT client_id, name, time_zone FROM clients WHERE tenant_id = $1 AND client_id > $2 ORDER BY client_id LIMIT $3",
        tenant_id,
        after.unwrap_or(Uuid::nil()),
        limit
    )
    .fetch_all(tx.conn())
    .await?)
}
