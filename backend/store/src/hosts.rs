//! Table `hosts`: managed machines.

use domain::remediate::guardrails::BucketKind;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::error::exactly_one;
use crate::live::Kind;
use crate::remediate::{guardrails, runs};
use crate::{Result, Store, TenantTx, host_links};

/// A new host.
#[derive(Debug)]
pub struct NewHost<'a> {
    /// Its client.
    pub client_id: Uuid,
    /// Its site.
    pub site_id: Option<Uuid>,
    /// Its name, unique in the client.
    pub name: &'a str,
    /// Its tags, an object of texts.
    pub tags: &'a Value,
    /// Its key's public half, 32 bytes.
    pub public_key: &'a [u8],
}

/// Makes a trusted host.
pub async fn insert(tx: &mut TenantTx, host: &NewHost<'_>) -> Result<Uuid> {
    let (tenant_id, host_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO hosts (tenant_id, client_id, host_id, site_id, name, tags, public_key, state, enrolled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'trusted', $8)",
        tenant_id,
        host.client_id,
        host_id,
        host.site_id,
        host.name,
        host.tags,
        host.public_key,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Host, host.client_id, host_id);
    Ok(host_id)
}

/// A host as its link needs it.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its client.
    pub client_id: Uuid,
    /// Its client's name.
    pub client: String,
    /// Its name.
    pub name: String,
    /// Its tags, an object of texts.
    pub tags: Value,
    /// Its key's public half, 32 bytes.
    pub public_key: Vec<u8>,
    /// `trusted`, `quarantined` or `retired`.
    pub state: String,
    /// The highest fence the host itself has sent in a `Start` or `Result`, since a person last attested it.
    pub seen_fence: i64,
    /// A person has said that it is the same machine after a quarantine.
    pub attested: bool,
    /// Grows with each change of its checks.
    pub config_version: i64,
    /// The version of the dispatch key that it holds, by its own word.
    pub dispatch_version: i32,
}

/// The host.
pub async fn find(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<Host>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Host,
        r#"SELECT h.client_id, c.name AS client, h.name, h.tags, h.public_key, h.state, h.seen_fence,
             h.attested_at IS NOT NULL AS "attested!", h.config_version, h.dispatch_version
           FROM hosts h JOIN clients c ON c.tenant_id = h.tenant_id AND c.client_id = h.client_id
           WHERE h.tenant_id = $1 AND h.host_id = $2"#,
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// What a host says of itself when it links.
#[derive(Debug)]
pub struct Said {
    /// The agent's version.
    pub agent_version: String,
    /// The boot.
    pub boot_id: Uuid,
    /// When it booted, on the database's clock.
    pub booted_at: Timestamp,
    /// Its own limits.
    pub own_limits: Value,
    /// Sentences a person should know.
    pub notes: Value,
}

/// Stores what the host says of itself; the boot's instant only when the boot is another one.
pub async fn mark_said(tx: &mut TenantTx, host_id: Uuid, said: &Said) -> Result<Timestamp> {
    let tenant_id = tx.tenant_id();
    let booted_at = sqlx::query_scalar!(
        r#"UPDATE hosts SET agent_version = $3, boot_id = $4, own_limits = $6, notes = $7,
             booted_at = CASE WHEN boot_id = $4 AND booted_at IS NOT NULL THEN booted_at ELSE $5 END
           WHERE tenant_id = $1 AND host_id = $2 RETURNING booted_at AS "booted_at!""#,
        tenant_id,
        host_id,
        said.agent_version,
        said.boot_id,
        said.booted_at.to_sqlx() as _,
        said.own_limits,
        said.notes
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(booted_at.to_jiff())
}

/// Remembers which version of the dispatch key the host holds.
pub async fn mark_dispatch_version(tx: &mut TenantTx, host_id: Uuid, version: u32) -> Result<()> {
    let (tenant_id, version) = (tx.tenant_id(), i32::try_from(version).unwrap_or(i32::MAX).max(1));
    let done = sqlx::query!(
        "UPDATE hosts SET dispatch_version = $3 WHERE tenant_id = $1 AND host_id = $2",
        tenant_id,
        host_id,
        version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("hosts::mark_dispatch_version", done.rows_affected())
}

/// How many hosts hold an older dispatch key than `version`.
pub async fn count_holding_before(tx: &mut TenantTx, version: i32) -> Result<i64> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM hosts WHERE tenant_id = $1 AND state <> 'retired' AND dispatch_version < $2"#,
        tenant_id,
        version
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Takes the trust from a trusted host; says whether it had any.
pub async fn mark_quarantined(tx: &mut TenantTx, host_id: Uuid, reason: &str) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let client = sqlx::query_scalar!(
        "UPDATE hosts SET state = 'quarantined', quarantine_reason = $3, quarantined_at = $4
         WHERE tenant_id = $1 AND host_id = $2 AND state = 'trusted' RETURNING client_id",
        tenant_id,
        host_id,
        reason,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(client_id) = client {
        tx.changes(Kind::Host, client_id, host_id);
    }
    Ok(client.is_some())
}

/// Ends a quarantine by a person's word: the host's fences count anew and its journal may be new. What is held for it
/// is looked at again, and its link is woken. False when it is not quarantined: roll back then.
/// Locks: the host's bucket, held runs, link, host.
pub async fn mark_attested(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid, by: &str) -> Result<bool> {
    guardrails::lock_one(tx, BucketKind::Host, &host_id.to_string()).await?;
    runs::make_held_due(tx, Some(host_id)).await?;
    host_links::wake(tx, host_id).await?;
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let before = sqlx::query!(
        "SELECT quarantine_reason, seen_fence FROM hosts
         WHERE tenant_id = $1 AND host_id = $2 AND state = 'quarantined' FOR UPDATE",
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(before) = before else { return Ok(false) };
    let done = sqlx::query!(
        "UPDATE hosts SET state = 'trusted', quarantine_reason = NULL, quarantined_at = NULL, seen_fence = 0, attested_at = $3
         WHERE tenant_id = $1 AND host_id = $2",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("hosts::mark_attested", done.rows_affected())?;
    let was = json!({ "state": "quarantined", "reason": before.quarantine_reason, "seen_fence": before.seen_fence });
    let is = json!({ "state": "trusted", "seen_fence": 0 });
    tx.changes(Kind::Host, client_id, host_id);
    let entry = Entry::changed("host.attested", ("host", host_id), was, is);
    audit::insert(tx, Some(client_id), entry.with(json!({ "by": by }))).await?;
    Ok(true)
}

/// Takes the next fence of a trusted host; locks the host's row, so leases of one host come one after the other.
pub async fn take_fence(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<i64>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"UPDATE hosts SET next_fence = next_fence + 1
           WHERE tenant_id = $1 AND host_id = $2 AND state = 'trusted' RETURNING next_fence - 1 AS "fence!""#,
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Remembers the highest fence the host itself has sent.
pub async fn mark_seen_fence(tx: &mut TenantTx, host_id: Uuid, fence: i64) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE hosts SET seen_fence = greatest(seen_fence, $3) WHERE tenant_id = $1 AND host_id = $2",
        tenant_id,
        host_id,
        fence
    )
    .execute(tx.conn())
    .await?;
    exactly_one("hosts::mark_seen_fence", done.rows_affected())
}

/// Why a host is quarantined, if it is.
pub async fn find_quarantine(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<String>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT state, quarantine_reason FROM hosts WHERE tenant_id = $1 AND host_id = $2",
        tenant_id,
        host_id
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.state != "trusted").then(|| row.quarantine_reason.unwrap_or(row.state)))
}

/// A host's client.
pub async fn find_client(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!("SELECT client_id FROM hosts WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id)
        .fetch_optional(tx.conn())
        .await?)
}
