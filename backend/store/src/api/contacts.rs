//! A client's contacts by id.

use uuid::Uuid;

use crate::contacts::{Contact, Person};
use crate::{Result, TenantTx};

/// The contacts of a client after one, by id.
pub async fn list(tx: &mut TenantTx, client_id: Uuid, after: Option<Uuid>, limit: i64) -> Result<Vec<Contact>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT client_id, contact_id, name, email, phone, is_told FROM contacts
         WHERE tenant_id = $1 AND client_id = $2 AND contact_id > $3 ORDER BY contact_id LIMIT $4",
        tenant_id,
        client_id,
        after.unwrap_or_default(),
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    let contact = rows.into_iter().map(|r| Contact {
        client_id: r.client_id,
        contact_id: r.contact_id,
        person: Person { name: r.name, email: r.email, phone: r.phone, is_told: r.is_told },
    });
    Ok(contact.collect())
}
