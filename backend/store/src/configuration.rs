//! A tenant's configuration as a file tells it: what stands, and what a later file changes of it. What it makes anew is in
//! [`crate::seeding`]; mappings' versions are published in [`crate::classify::mappings`].

use domain::access::Role;
use domain::remediate::guardrails::{BucketKind, Numbers};
use serde_json::Value;
use uuid::Uuid;

use crate::changes::limit_key;
use crate::error::exactly_one;
use crate::remediate::guardrails;
use crate::{Queue, Result, StoreError, TenantTx};

/// The tenant itself.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// IANA name; clients that say none have this one.
    pub time_zone: String,
}

/// A member's seat.
#[derive(Clone, Debug)]
pub struct Member {
    /// The login.
    pub login_id: Uuid,
    /// The member's name.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// Their role.
    pub role: Role,
    /// The clients they see; none: all.
    pub client_ids: Option<Vec<Uuid>>,
}

/// A client's place.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its client.
    pub client_id: Uuid,
    /// Its id.
    pub site_id: Uuid,
    /// Its name.
    pub name: String,
}

/// Where a host's row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// It is enrolled: its host.
    Enrolled(Uuid),
    /// It is planned: its enrolment.
    Planned(Uuid),
}

/// A host, enrolled or planned.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its client.
    pub client_id: Uuid,
    /// Its row.
    pub machine: Machine,
    /// Its name.
    pub name: String,
    /// Its site.
    pub site_id: Option<Uuid>,
    /// Its tags, an object of texts.
    pub tags: Value,
}

/// A published version of a playbook.
#[derive(Clone, Debug)]
pub struct PlaybookVersion {
    /// Its playbook's name.
    pub name: String,
    /// Its number, from 1.
    pub version: i32,
    /// SHA-256 of `content`.
    pub digest: Vec<u8>,
    /// Canonical JSON.
    pub content: String,
}

/// The tenant of the transaction.
pub async fn find_tenant(tx: &mut TenantTx) -> Result<Option<Tenant>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(Tenant, "SELECT name, time_zone FROM tenants WHERE tenant_id = $1", tenant_id)
        .fetch_optional(tx.conn())
        .await?)
}

/// The tenant of the transaction, locked until its end.
pub async fn find_tenant_locked(tx: &mut TenantTx) -> Result<Option<Tenant>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(Tenant, "SELECT name, time_zone FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE", tenant_id)
        .fetch_optional(tx.conn())
        .await?)
}

/// The seats, by address.
pub async fn list_members(tx: &mut TenantTx) -> Result<Vec<Member>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT login_id, name, email, role, client_ids FROM memberships WHERE tenant_id = $1 ORDER BY email, login_id",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|r| {
            let corrupt = StoreError::Corrupt { table: "memberships", column: "role", id: r.login_id };
            let role = Role::parse(&r.role).ok_or(corrupt)?;
            Ok(Member { login_id: r.login_id, name: r.name, email: r.email, role, client_ids: r.client_ids })
        })
        .collect()
}

/// All sites, by name.
pub async fn list_sites(tx: &mut TenantTx) -> Result<Vec<Site>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Site,
        "SELECT client_id, site_id, name FROM sites WHERE tenant_id = $1 ORDER BY client_id, name",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// All hosts that are not retired, and those that are planned and have not enrolled, by name.
pub async fn list_hosts(tx: &mut TenantTx) -> Result<Vec<Host>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT client_id, host_id AS "host_id?", NULL::uuid AS "enrolment_id?", name AS "name!", site_id, tags AS "tags!"
             FROM hosts WHERE tenant_id = $1 AND state <> 'retired'
           UNION ALL (SELECT DISTINCT ON (e.client_id, e.host_name) e.client_id, NULL, e.enrolment_id, e.host_name, e.site_id, e.tags
             FROM enrolments e WHERE e.tenant_id = $1 AND e.spent_at IS NULL AND NOT EXISTS (SELECT 1 FROM hosts h
               WHERE h.tenant_id = e.tenant_id AND h.client_id = e.client_id AND h.name = e.host_name AND h.state <> 'retired')
             ORDER BY e.client_id, e.host_name, e.created_at DESC)
           ORDER BY 4"#,
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|r| {
            let machine = r.host_id.map(Machine::Enrolled).or(r.enrolment_id.map(Machine::Planned))?;
            Some(Host { client_id: r.client_id?, machine, name: r.name, site_id: r.site_id, tags: r.tags })
        })
        .collect())
}

/// Every published version of every playbook, by name; the one that the name means comes first.
pub async fn list_playbook_versions(tx: &mut TenantTx) -> Result<Vec<PlaybookVersion>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        PlaybookVersion,
        "SELECT p.name, v.version, v.digest, v.content
         FROM playbooks p JOIN playbook_versions v ON v.tenant_id = p.tenant_id AND v.playbook_id = p.playbook_id
         WHERE p.tenant_id = $1 ORDER BY p.name, (v.version = p.current_version) IS TRUE DESC, v.version DESC",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The numbers that somebody has set for all buckets of a kind.
pub async fn find_limit(tx: &mut TenantTx, kind: BucketKind) -> Result<Numbers> {
    let key = limit_key(tx.tenant_id(), kind);
    Ok(guardrails::find(tx, kind, &key).await?.set)
}

/// Renames the tenant, or moves it to another time zone.
pub async fn update_tenant(tx: &mut TenantTx, name: &str, time_zone: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done =
        sqlx::query!("UPDATE tenants SET name = $2, time_zone = $3 WHERE tenant_id = $1", tenant_id, name, time_zone)
            .execute(tx.conn())
            .await?;
    exactly_one("configuration::update_tenant", done.rows_affected())
}

/// Changes a seat.
pub async fn update_member(
    tx: &mut TenantTx,
    login_id: Uuid,
    name: &str,
    role: Role,
    client_ids: Option<&[Uuid]>,
) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE memberships SET name = $3, role = $4, client_ids = $5 WHERE tenant_id = $1 AND login_id = $2",
        tenant_id,
        login_id,
        name,
        role.word(),
        client_ids
    )
    .execute(tx.conn())
    .await?;
    exactly_one("configuration::update_member", done.rows_affected())
}

/// Moves a client to another time zone.
pub async fn update_client(tx: &mut TenantTx, client_id: Uuid, time_zone: &str) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE clients SET time_zone = $3 WHERE tenant_id = $1 AND client_id = $2",
        tenant_id,
        client_id,
        time_zone
    )
    .execute(tx.conn())
    .await?;
    exactly_one("configuration::update_client", done.rows_affected())
}

/// Changes a host's site and tags, enrolled or planned. Links are locked before hosts: [`wake_hosts`] comes first.
pub async fn update_host(tx: &mut TenantTx, machine: Machine, site_id: Option<Uuid>, tags: &Value) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = match machine {
        Machine::Enrolled(host_id) => {
            sqlx::query!(
                "UPDATE hosts SET site_id = $3, tags = $4 WHERE tenant_id = $1 AND host_id = $2",
                tenant_id,
                host_id,
                site_id,
                tags
            )
            .execute(tx.conn())
            .await?
        }
        Machine::Planned(enrolment_id) => {
            sqlx::query!(
                "UPDATE enrolments SET site_id = $3, tags = $4 WHERE tenant_id = $1 AND enrolment_id = $2",
                tenant_id,
                enrolment_id,
                site_id,
                tags
            )
            .execute(tx.conn())
            .await?
        }
    };
    exactly_one("configuration::update_host", done.rows_affected())
}

/// Gives an enrolled host other tags. Links are locked before hosts: [`wake_hosts`] comes first.
pub async fn set_tags(tx: &mut TenantTx, host_id: Uuid, tags: &Value) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done =
        sqlx::query!("UPDATE hosts SET tags = $3 WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id, tags)
            .execute(tx.conn())
            .await?;
    exactly_one("configuration::set_tags", done.rows_affected())
}

/// Writes a check's next version.
pub async fn update_check(tx: &mut TenantTx, check_id: Uuid, kind: &str, definition: &Value) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE checks SET kind = $3, definition = $4, version = version + 1 WHERE tenant_id = $1 AND check_id = $2",
        tenant_id,
        check_id,
        kind,
        definition
    )
    .execute(tx.conn())
    .await?;
    exactly_one("configuration::update_check", done.rows_affected())
}

/// The checks of these hosts are others from this commit on: those that are linked are told. Links are held before hosts
/// are written, as a new link does.
pub async fn wake_hosts(tx: &mut TenantTx, host_ids: &[Uuid]) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let nodes = sqlx::query!(
        "SELECT node_id, unlinked_at FROM host_links WHERE tenant_id = $1 AND host_id = ANY ($2) ORDER BY host_id FOR SHARE",
        tenant_id,
        host_ids
    )
    .fetch_all(tx.conn())
    .await?;
    for link in nodes.into_iter().filter(|link| link.unlinked_at.is_none()) {
        tx.due(Queue::Dispatch(link.node_id), now);
    }
    sqlx::query!(
        "UPDATE hosts h SET config_version = config_version + 1 FROM (SELECT host_id FROM hosts
           WHERE tenant_id = $1 AND host_id = ANY ($2) ORDER BY host_id FOR UPDATE) o
         WHERE h.tenant_id = $1 AND h.host_id = o.host_id",
        tenant_id,
        host_ids
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
