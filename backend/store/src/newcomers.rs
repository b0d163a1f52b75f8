//! Hosts that wait for a person's word: those that came by a token for many, and machines that are a host already and ask
//! with another key (table `host_claims`).

use domain::remediate::guardrails::BucketKind;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::live::Kind;
use crate::remediate::{guardrails, runs};
use crate::{Result, TenantTx, credentials, host_links, hosts};

/// Why a newcomer is not trusted.
pub const REASON: &str = "it came by a token for many hosts and nobody has accepted it yet";

/// The host came by a token for many: it gets nothing to do until a person accepts it.
pub async fn mark_waiting(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid, token_id: Uuid) -> Result<()> {
    let tenant_id = tx.tenant_id();
    hosts::mark_quarantined(tx, host_id, REASON).await?;
    sqlx::query!("UPDATE hosts SET token_id = $3 WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id, token_id)
        .execute(tx.conn())
        .await?;
    let (was, is) = (json!({ "state": "trusted" }), json!({ "state": "quarantined", "reason": REASON }));
    let entry = Entry::changed("host.waits", ("host", host_id), was, is);
    audit::insert(tx, Some(client_id), entry.with(json!({ "token": token_id }))).await
}

/// Remembers what the machine calls itself.
pub async fn mark_machine(tx: &mut TenantTx, host_id: Uuid, machine: &[u8]) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("UPDATE hosts SET machine = $3 WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id, machine)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A host that may be the one that asks.
#[derive(Clone, Debug)]
pub struct Same {
    /// The host.
    pub host_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its key's public half.
    pub public_key: Vec<u8>,
}

/// The host of a client that this machine is, by its key or by what it calls itself; by the key first.
pub async fn find_same(
    tx: &mut TenantTx,
    client_id: Uuid,
    public_key: &[u8],
    machine: Option<&[u8]>,
) -> Result<Option<Same>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Same,
        "SELECT host_id, name, public_key FROM hosts WHERE tenant_id = $1 AND client_id = $2 AND state <> 'retired'
           AND (public_key = $3 OR machine = $4) ORDER BY public_key = $3 DESC, enrolled_at LIMIT 1",
        tenant_id,
        client_id,
        public_key,
        machine
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// What a machine asks with.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The client.
    pub client_id: Uuid,
    /// The host that it is.
    pub host_id: Uuid,
    /// The key it has now.
    pub public_key: &'a [u8],
    /// SHA-256 of it.
    pub key_id: &'a [u8],
    /// What it calls itself.
    pub hostname: &'a str,
    /// Where it asks from.
    pub address: Option<&'a str>,
}

/// What the audit says of a claim: SHA-256 of its key's public half, what the machine calls itself, and where it is.
fn told(key_id: &[u8], hostname: &str, address: Option<&str>) -> Value {
    json!({ "key_id": hex::encode(key_id), "hostname": hostname, "address": address })
}

/// The machine waits for a person's word; the newest asking counts. One that asks again with the key it waits with is no news.
pub async fn insert_claim(tx: &mut TenantTx, claim: &Claim<'_>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let waits = sqlx::query!(
        "SELECT key_id, hostname, address FROM host_claims WHERE tenant_id = $1 AND host_id = $2 FOR UPDATE",
        tenant_id,
        claim.host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO host_claims (tenant_id, client_id, host_id, public_key, key_id, hostname, address, asked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant_id, host_id) DO UPDATE SET public_key = excluded.public_key, key_id = excluded.key_id, hostname = excluded.hostname,
           address = excluded.address, asked_at = excluded.asked_at WHERE host_claims.tenant_id = $1",
        tenant_id,
        claim.client_id,
        claim.host_id,
        claim.public_key,
        claim.key_id,
        claim.hostname,
        claim.address,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Host, claim.client_id, claim.host_id);
    let (subject, after) = (("host", claim.host_id), told(claim.key_id, claim.hostname, claim.address));
    let entry = match waits {
        Some(waits) if waits.key_id == claim.key_id => return Ok(()),
        Some(waits) => {
            let before = told(&waits.key_id, &waits.hostname, waits.address.as_deref());
            Entry::changed("host.claimed", subject, before, after)
        }
        None => Entry::made("host.claimed", subject, after),
    };
    audit::insert(tx, Some(claim.client_id), entry).await
}

/// A claim that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The key it has now.
    pub public_key: Vec<u8>,
    /// What it calls itself.
    pub hostname: String,
    /// Where it asked from.
    pub address: Option<String>,
    /// When.
    pub asked_at: Timestamp,
}

/// What waits for a word on a host.
pub async fn find_claim(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<Waiting>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT public_key, hostname, address, asked_at FROM host_claims WHERE tenant_id = $1 AND host_id = $2",
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Waiting {
        public_key: r.public_key,
        hostname: r.hostname,
        address: r.address,
        asked_at: r.asked_at.to_jiff(),
    }))
}

/// It is the same machine: the host has the new key from now on, the old one opens nothing any more, its fences count
/// anew. Exactly the key that was shown; false: another one asks meanwhile, or none does.
/// Locks: the host's bucket, held runs, link, host.
pub async fn accept_claim(
    tx: &mut TenantTx,
    client_id: Uuid,
    host_id: Uuid,
    public_key: &[u8],
    by: &str,
) -> Result<bool> {
    guardrails::lock_one(tx, BucketKind::Host, &host_id.to_string()).await?;
    runs::make_held_due(tx, Some(host_id)).await?;
    host_links::wake(tx, host_id).await?;
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let was = sqlx::query!(
        r#"UPDATE hosts h SET state = 'trusted', quarantine_reason = NULL, quarantined_at = NULL, seen_fence = 0, attested_at = $4,
             accepted_at = coalesce(h.accepted_at, $4), public_key = $3
           FROM (SELECT host_id, state, public_key FROM hosts WHERE tenant_id = $1 AND host_id = $2 FOR UPDATE) o
           WHERE h.tenant_id = $1 AND h.host_id = o.host_id AND h.state <> 'retired'
             AND EXISTS (SELECT 1 FROM host_claims c WHERE c.tenant_id = $1 AND c.host_id = $2 AND c.public_key = $3)
           RETURNING o.state AS "state!", o.public_key AS "public_key!""#,
        tenant_id,
        host_id,
        public_key,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(was) = was else { return Ok(false) };
    let key_id = sqlx::query_scalar!(
        "DELETE FROM host_claims WHERE tenant_id = $1 AND host_id = $2 RETURNING key_id",
        tenant_id,
        host_id
    )
    .fetch_one(tx.conn())
    .await?;
    credentials::revoke_host_keys(tx, host_id).await?;
    credentials::insert_host_key(tx, &key_id, host_id).await?;
    tx.changes(Kind::Host, client_id, host_id);
    let before = json!({ "state": was.state, "key_id": keys::digest(&was.public_key).to_string() });
    let after = json!({ "state": "trusted", "key_id": hex::encode(&key_id) });
    let entry = Entry::changed("host.enrolled_again", ("host", host_id), before, after);
    audit::insert(tx, Some(client_id), entry.with(json!({ "by": by }))).await?;
    Ok(true)
}

/// It is another machine: it may ask again with an identity of its own. False: nothing asked.
pub async fn refuse_claim(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let gone = sqlx::query!(
        "DELETE FROM host_claims WHERE tenant_id = $1 AND host_id = $2 RETURNING key_id, hostname, address",
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(gone) = gone else { return Ok(false) };
    tx.changes(Kind::Host, client_id, host_id);
    let before = told(&gone.key_id, &gone.hostname, gone.address.as_deref());
    audit::insert(tx, Some(client_id), Entry::removed("host.claim_refused", ("host", host_id), before)).await?;
    Ok(true)
}

/// Whether the host is a newcomer that nobody has answered.
pub async fn is_waiting(tx: &mut TenantTx, host_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM hosts WHERE tenant_id = $1 AND host_id = $2 AND token_id IS NOT NULL AND accepted_at IS NULL
             AND state = 'quarantined') AS "waits!""#,
        tenant_id,
        host_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// A newcomer is trusted from now on. False: it does not wait.
pub async fn accept(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid, by: &str) -> Result<bool> {
    if !is_waiting(tx, host_id).await? || !hosts::mark_attested(tx, client_id, host_id, by).await? {
        return Ok(false);
    }
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE hosts SET accepted_at = $3 WHERE tenant_id = $1 AND host_id = $2 AND token_id IS NOT NULL AND accepted_at IS NULL",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A newcomer is sent away: its key opens nothing any more, and its name is free again. False: it does not wait.
pub async fn refuse(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid) -> Result<bool> {
    host_links::wake(tx, host_id).await?;
    let tenant_id = tx.tenant_id();
    let name = sqlx::query_scalar!(
        r#"UPDATE hosts h SET state = 'retired', quarantine_reason = NULL, quarantined_at = NULL, name = left(h.name, 150) || ' (refused ' || h.host_id || ')'
           FROM (SELECT host_id, name FROM hosts WHERE tenant_id = $1 AND host_id = $2 FOR UPDATE) o
           WHERE h.tenant_id = $1 AND h.host_id = o.host_id AND h.token_id IS NOT NULL AND h.accepted_at IS NULL AND h.state = 'quarantined'
           RETURNING o.name AS "name!""#,
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(name) = name else { return Ok(false) };
    credentials::revoke_host_keys(tx, host_id).await?;
    tx.changes(Kind::Host, client_id, host_id);
    let (was, is) = (json!({ "name": name, "state": "quarantined" }), json!({ "state": "retired" }));
    audit::insert(tx, Some(client_id), Entry::changed("host.refused", ("host", host_id), was, is)).await?;
    Ok(true)
}
