//! What a configuration file makes anew. Each row's later life has its home in the file of its table, or in
//! [`crate::configuration`].

use std::time::Duration;

use domain::access::Role;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::classify::mappings;
use crate::error::exactly_one;
use crate::{Result, Store, TenantTx, tokens};

/// Gives a login its seat.
pub async fn insert_membership(tx: &mut TenantTx, login_id: Uuid, name: &str, email: &str, role: Role) -> Result<()> {
    insert_limited_membership(tx, login_id, name, email, role, None).await
}

/// Gives a login its seat with the clients it sees; none: all. Whoever had one before does not get back the tokens of then.
pub async fn insert_limited_membership(
    tx: &mut TenantTx,
    login_id: Uuid,
    name: &str,
    email: &str,
    role: Role,
    client_ids: Option<&[Uuid]>,
) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO memberships (tenant_id, login_id, name, email, role, client_ids) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant_id,
        login_id,
        name,
        email,
        role.word(),
        client_ids
    )
    .execute(tx.conn())
    .await?;
    tokens::revoke_of_login(tx, login_id, "a seat that began anew").await?;
    Ok(())
}

/// Adds an e-mail address that is told of every incident.
pub async fn insert_channel(tx: &mut TenantTx, address: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO channels (tenant_id, channel_id, kind, address) VALUES ($1, $2, 'email', $3)",
        tenant_id,
        Store::new_id(),
        address
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds a client.
pub async fn insert_client(tx: &mut TenantTx, name: &str, time_zone: &str) -> Result<Uuid> {
    let (tenant_id, client_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO clients (tenant_id, client_id, name, time_zone, created_at) VALUES ($1, $2, $3, $4, $5)",
        tenant_id,
        client_id,
        name,
        time_zone,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(client_id)
}

/// Adds a site of a client.
pub async fn insert_site(tx: &mut TenantTx, client_id: Uuid, name: &str) -> Result<Uuid> {
    let (tenant_id, site_id) = (tx.tenant_id(), Store::new_id());
    sqlx::query!(
        "INSERT INTO sites (tenant_id, client_id, site_id, name) VALUES ($1, $2, $3, $4)",
        tenant_id,
        client_id,
        site_id,
        name
    )
    .execute(tx.conn())
    .await?;
    Ok(site_id)
}

/// A host that is to enrol.
#[derive(Debug)]
pub struct HostPlan<'a> {
    /// Its client.
    pub client_id: Uuid,
    /// Its site.
    pub site_id: Option<Uuid>,
    /// The name it will have.
    pub name: &'a str,
    /// Its tags, an object of texts.
    pub tags: Value,
    /// SHA-256 of the enrolment token.
    pub token_hash: [u8; 32],
    /// How long the token lives.
    pub lives: Duration,
}

/// Plans a host, with a token that can be spent once.
pub async fn insert_host_plan(tx: &mut TenantTx, plan: &HostPlan<'_>) -> Result<Uuid> {
    let (tenant_id, enrolment_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let expires_at = now + plan.lives;
    sqlx::query!(
        "INSERT INTO enrolments (tenant_id, client_id, enrolment_id, site_id, host_name, tags, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tenant_id,
        plan.client_id,
        enrolment_id,
        plan.site_id,
        plan.name,
        plan.tags,
        now.to_sqlx() as _,
        expires_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id, expires_at, uses_left)
         VALUES ($1, 'enrolment_token', $2, $3, $4, 1)",
        tenant_id,
        &plan.token_hash[..],
        enrolment_id,
        expires_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(enrolment_id)
}

/// Adds a check.
pub async fn insert_check(tx: &mut TenantTx, name: &str, kind: &str, definition: Value) -> Result<Uuid> {
    let (tenant_id, check_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO checks (tenant_id, check_id, name, kind, definition, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant_id,
        check_id,
        name,
        kind,
        definition,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(check_id)
}

/// A signed playbook version.
#[derive(Debug)]
pub struct SignedVersion<'a> {
    /// The playbook's name.
    pub name: &'a str,
    /// Canonical JSON.
    pub content: &'a str,
    /// SHA-256 of the content.
    pub digest: [u8; 32],
    /// By `key_id`, hex.
    pub signature: &'a str,
    /// Who signed.
    pub key_id: Uuid,
}

/// Publishes a version, a playbook's first or its next, and makes it the one that the name means.
pub async fn insert_playbook_version(tx: &mut TenantTx, version: &SignedVersion<'_>) -> Result<Uuid> {
    let (tenant_id, now, actor) = (tx.tenant_id(), tx.now().await?, tx.actor().to_owned());
    let newest = sqlx::query!(
        "SELECT p.playbook_id, v.version FROM playbooks p
         JOIN playbook_versions v ON v.tenant_id = p.tenant_id AND v.playbook_id = p.playbook_id
         WHERE p.tenant_id = $1 AND p.name = $2 ORDER BY v.version DESC LIMIT 1",
        tenant_id,
        version.name
    )
    .fetch_optional(tx.conn())
    .await?;
    let number = newest.as_ref().map_or(1, |newest| newest.version + 1);
    let playbook_id = newest.map_or_else(Store::new_id, |newest| newest.playbook_id);
    if number == 1 {
        sqlx::query!(
            "INSERT INTO playbooks (tenant_id, playbook_id, name) VALUES ($1, $2, $3)",
            tenant_id,
            playbook_id,
            version.name
        )
        .execute(tx.conn())
        .await?;
    }
    sqlx::query!(
        "INSERT INTO playbook_versions (tenant_id, digest, playbook_id, version, content, signature, key_id, published_at, published_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant_id,
        &version.digest[..],
        playbook_id,
        number,
        version.content,
        version.signature,
        version.key_id,
        now.to_sqlx() as _,
        actor
    )
    .execute(tx.conn())
    .await?;
    if number > 1 {
        mark_current(tx, version.name, number).await?;
    }
    Ok(playbook_id)
}

/// A published version of a playbook is the one that its name means from now on.
pub async fn mark_current(tx: &mut TenantTx, name: &str, version: i32) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE playbooks SET current_version = $3 WHERE tenant_id = $1 AND name = $2",
        tenant_id,
        name,
        version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("seeding::mark_current", done.rows_affected())
}

/// Adds a mapping with its first version.
pub async fn insert_mapping(tx: &mut TenantTx, name: &str, mode: &str, definition: Value) -> Result<Uuid> {
    let (tenant_id, mapping_id) = (tx.tenant_id(), Store::new_id());
    sqlx::query!(
        "INSERT INTO mappings (tenant_id, mapping_id, name, version) VALUES ($1, $2, $3, 1)",
        tenant_id,
        mapping_id,
        name
    )
    .execute(tx.conn())
    .await?;
    mappings::insert_version(tx, mapping_id, 1, mode, &definition).await?;
    Ok(mapping_id)
}
