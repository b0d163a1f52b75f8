//! Who has an incident: the columns `owner…` of table `incidents`.

use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::live::Kind;
use crate::{Result, TenantTx};

/// An open incident, locked, with whoever has it.
#[derive(Clone, Debug)]
pub struct Open {
    /// Its client.
    pub client_id: Uuid,
    /// Who has it.
    pub owner: Option<String>,
    /// Their login.
    pub owner_login_id: Option<Uuid>,
}

/// The incident, if it is not closed.
pub async fn find_open(tx: &mut TenantTx, incident_id: Uuid) -> Result<Option<Open>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Open,
        "SELECT client_id, owner, owner_login_id FROM incidents WHERE tenant_id = $1 AND incident_id = $2 AND state <> 'closed' FOR UPDATE",
        tenant_id,
        incident_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The hosts of an incident's open alerts, in order.
pub async fn list_hosts(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT host_id FROM alerts WHERE tenant_id = $1 AND incident_id = $2 AND state = 'open' ORDER BY host_id LIMIT 50",
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// How somebody comes to have an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// They said that they look at it.
    Acknowledged,
    /// They took it on, and keep actions off its hosts.
    Taken,
}

fn owned(by: Option<&str>) -> Value {
    json!({ "owner": by })
}

/// Somebody has it from now on.
pub async fn insert(
    tx: &mut TenantTx,
    incident_id: Uuid,
    was: &Open,
    login_id: Uuid,
    name: &str,
    how: How,
) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE incidents SET owner_login_id = $3, owner = $4, taken_at = $5, version = version + 1 WHERE tenant_id = $1 AND incident_id = $2",
        tenant_id,
        incident_id,
        login_id,
        name,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Incident, was.client_id, incident_id);
    let (subject, before, after) = (("incident", incident_id), owned(was.owner.as_deref()), owned(Some(name)));
    let entry = match how {
        How::Acknowledged => Entry::changed("incident.acknowledged", subject, before, after),
        How::Taken => Entry::changed("incident.taken", subject, before, after),
    };
    audit::insert(tx, Some(was.client_id), entry).await
}

/// Nobody has it any more.
pub async fn delete(tx: &mut TenantTx, incident_id: Uuid, was: &Open) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "UPDATE incidents SET owner_login_id = NULL, owner = NULL, taken_at = NULL, version = version + 1 WHERE tenant_id = $1 AND incident_id = $2",
        tenant_id,
        incident_id
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Incident, was.client_id, incident_id);
    let (before, after) = (owned(was.owner.as_deref()), owned(None));
    let entry = Entry::changed("incident.given_back", ("incident", incident_id), before, after);
    audit::insert(tx, Some(was.client_id), entry).await
}
