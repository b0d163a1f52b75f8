//! Table `clients`: adding, changing, archiving and restoring one; every change with its audit row.

use domain::remediate::guardrails::BucketKind;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::error::exactly_one;
use crate::live::Kind;
use crate::remediate::guardrails;
use crate::remediate::{freezes, stops::Place};
use crate::{Result, TenantTx, configuration, seeding};

/// A company the tenant looks after, archived or not.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// IANA name.
    pub time_zone: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// By whom.
    pub archived_by: Option<String>,
    /// Whether all actions are stopped there.
    pub is_stopped: bool,
}

/// The client.
pub async fn find(tx: &mut TenantTx, client_id: Uuid) -> Result<Option<Client>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"SELECT c.name, c.time_zone, c.created_at, c.archived_at, c.archived_by, coalesce(b.frozen, false) AS "is_stopped!"
           FROM clients c LEFT JOIN guardrail_buckets b ON b.tenant_id = $1 AND b.scope_kind = 'client' AND b.scope_key = c.client_id::text
           WHERE c.tenant_id = $1 AND c.client_id = $2"#,
        tenant_id,
        client_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Client {
        name: r.name,
        time_zone: r.time_zone,
        created_at: r.created_at.to_jiff(),
        archived_at: r.archived_at.map(|at| at.to_jiff()),
        archived_by: r.archived_by,
        is_stopped: r.is_stopped,
    }))
}

/// Waits for whoever adds something to the client at the same time: of two, the second counts what the first has added.
pub async fn lock(tx: &mut TenantTx, client_id: Uuid) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "SELECT client_id FROM clients WHERE tenant_id = $1 AND client_id = $2 FOR NO KEY UPDATE",
        tenant_id,
        client_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(())
}

/// Whether a client of this name is there, whatever its case and whether it is archived; `but` is not looked at.
pub async fn is_taken(tx: &mut TenantTx, name: &str, but: Option<Uuid>) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM clients c WHERE c.tenant_id = $1 AND lower(c.name) = lower($2) AND c.client_id IS DISTINCT FROM $3) AS "taken!""#,
        tenant_id,
        name,
        but
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The names of the archived clients, at most 10,000: a file cannot mean them.
pub async fn list_archived_names(tx: &mut TenantTx) -> Result<Vec<String>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT name FROM clients WHERE tenant_id = $1 AND archived_at IS NOT NULL ORDER BY name LIMIT 10000",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Adds a client with its bucket.
pub async fn insert(tx: &mut TenantTx, name: &str, time_zone: &str) -> Result<Uuid> {
    let client_id = seeding::insert_client(tx, name, time_zone).await?;
    guardrails::ensure(tx, BucketKind::Client, &client_id.to_string()).await?;
    let entry = Entry::made("client.added", ("client", client_id), told(name, time_zone));
    audit::insert(tx, Some(client_id), entry).await?;
    Ok(client_id)
}

fn told(name: &str, time_zone: &str) -> Value {
    json!({ "name": name, "time_zone": time_zone })
}

/// Renames a client, or moves it to another time zone. Its hosts read their checks anew: a check may select by the name.
pub async fn update(tx: &mut TenantTx, client_id: Uuid, name: &str, time_zone: &str) -> Result<()> {
    let Some(old) = find(tx, client_id).await? else { return exactly_one("clients::update", 0) };
    if old.name != name {
        let hosts = list_host_ids(tx, client_id).await?;
        configuration::wake_hosts(tx, &hosts).await?;
    }
    let tenant_id = tx.tenant_id();
    let was = sqlx::query!(
        r#"UPDATE clients c SET name = $3, time_zone = $4
           FROM (SELECT client_id, name, time_zone FROM clients WHERE tenant_id = $1 AND client_id = $2 FOR NO KEY UPDATE) o
           WHERE c.tenant_id = $1 AND c.client_id = o.client_id RETURNING o.name AS "name!", o.time_zone AS "time_zone!""#,
        tenant_id,
        client_id,
        name,
        time_zone
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(was) = was else { return exactly_one("clients::update", 0) };
    tx.changes(Kind::Host, client_id, None);
    let (was, is) = (told(&was.name, &was.time_zone), told(name, time_zone));
    audit::insert(tx, Some(client_id), Entry::changed("client.changed", ("client", client_id), was, is)).await
}

async fn list_host_ids(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT host_id FROM hosts WHERE tenant_id = $1 AND client_id = $2 AND state <> 'retired'",
        tenant_id,
        client_id
    )
    .fetch_all(tx.conn())
    .await?)
}

fn archived(is_archived: bool) -> Value {
    json!({ "archived": is_archived })
}

/// Archives a client: all actions there are stopped first, under the lock that every admission takes; it waits for
/// nothing that runs. False: it is archived already.
pub async fn archive(tx: &mut TenantTx, client_id: Uuid, by: &str) -> Result<bool> {
    freezes::insert(tx, Place::Client(client_id), "the client was archived", by).await?;
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE clients SET archived_at = $3, archived_by = $4 WHERE tenant_id = $1 AND client_id = $2 AND archived_at IS NULL",
        tenant_id,
        client_id,
        now.to_sqlx() as _,
        by
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    tx.changes(Kind::Incident, client_id, None);
    let entry = Entry::changed("client.archived", ("client", client_id), archived(false), archived(true));
    audit::insert(tx, Some(client_id), entry).await?;
    Ok(true)
}

/// Restores an archived client. Its actions stay stopped until somebody lets them: what changed there meanwhile nobody
/// here knows. False: it is not archived, or it is being deleted.
pub async fn restore(tx: &mut TenantTx, client_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE clients SET archived_at = NULL, archived_by = NULL WHERE tenant_id = $1 AND client_id = $2 AND archived_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.tenant_id = $1 AND d.subject_id = $2 AND d.called_off_at IS NULL)",
        tenant_id,
        client_id
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    tx.changes(Kind::Incident, client_id, None);
    let entry = Entry::changed("client.restored", ("client", client_id), archived(true), archived(false));
    audit::insert(tx, Some(client_id), entry).await?;
    Ok(true)
}
