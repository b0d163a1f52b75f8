//! Table `contacts`: whom to ask at a client, and who of them is told of its incidents; every change with its audit row.

use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Result, Store, TenantTx};

/// What is known of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// Their address, once at a client.
    pub email: String,
    /// Their number.
    pub phone: Option<String>,
    /// Whether they get the mails of the client's incidents.
    pub is_told: bool,
}

/// Somebody at a client.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Whose.
    pub client_id: Uuid,
    /// The row.
    pub contact_id: Uuid,
    /// Who.
    pub person: Person,
}

/// The contacts of a client, or of every client, by name.
pub async fn list(tx: &mut TenantTx, client_id: Option<Uuid>) -> Result<Vec<Contact>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT client_id, contact_id, name, email, phone, is_told FROM contacts
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR client_id = $2) ORDER BY client_id, lower(name), email LIMIT 20000",
        tenant_id,
        client_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Contact {
            client_id: r.client_id,
            contact_id: r.contact_id,
            person: Person { name: r.name, email: r.email, phone: r.phone, is_told: r.is_told },
        })
        .collect())
}

/// Adds a contact.
pub async fn insert(tx: &mut TenantTx, client_id: Uuid, person: &Person) -> Result<Uuid> {
    let (tenant_id, contact_id) = (tx.tenant_id(), Store::new_id());
    sqlx::query!(
        "INSERT INTO contacts (tenant_id, client_id, contact_id, name, email, phone, is_told) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant_id,
        client_id,
        contact_id,
        person.name,
        person.email,
        person.phone,
        person.is_told
    )
    .execute(tx.conn())
    .await?;
    audit::insert(tx, Some(client_id), Entry::made("contact.added", ("contact", contact_id), told(person))).await?;
    Ok(contact_id)
}

/// Changes a contact. False: the client has no such contact.
pub async fn update(tx: &mut TenantTx, client_id: Uuid, contact_id: Uuid, person: &Person) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let before = sqlx::query!(
        "SELECT name, email, phone, is_told FROM contacts WHERE tenant_id = $1 AND client_id = $2 AND contact_id = $3 FOR UPDATE",
        tenant_id,
        client_id,
        contact_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(before) = before else { return Ok(false) };
    let before = Person { name: before.name, email: before.email, phone: before.phone, is_told: before.is_told };
    sqlx::query!(
        "UPDATE contacts SET name = $4, email = $5, phone = $6, is_told = $7 WHERE tenant_id = $1 AND client_id = $2 AND contact_id = $3",
        tenant_id,
        client_id,
        contact_id,
        person.name,
        person.email,
        person.phone,
        person.is_told
    )
    .execute(tx.conn())
    .await?;
    let entry = Entry::changed("contact.changed", ("contact", contact_id), told(&before), told(person));
    audit::insert(tx, Some(client_id), entry).await?;
    Ok(true)
}

/// Removes a contact. False: the client has no such contact.
pub async fn delete(tx: &mut TenantTx, client_id: Uuid, contact_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let gone = sqlx::query!(
        "DELETE FROM contacts WHERE tenant_id = $1 AND client_id = $2 AND contact_id = $3 RETURNING name, email, phone, is_told",
        tenant_id,
        client_id,
        contact_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(gone) = gone else { return Ok(false) };
    let gone = Person { name: gone.name, email: gone.email, phone: gone.phone, is_told: gone.is_told };
    audit::insert(tx, Some(client_id), Entry::removed("contact.removed", ("contact", contact_id), told(&gone))).await?;
    Ok(true)
}

fn told(person: &Person) -> serde_json::Value {
    json!({ "name": person.name, "email": person.email, "phone": person.phone, "is_told": person.is_told })
}
