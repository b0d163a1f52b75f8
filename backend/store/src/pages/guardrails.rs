//! What is stopped in an organization, and what bounds the damage at a client, as the page of guardrails shows it.

use domain::remediate::breaker::{Scope, State};
use domain::remediate::damage;
use domain::remediate::guardrails::BucketKind;
use jiff::Timestamp;
use uuid::Uuid;

use crate::remediate::guardrails::{self, group_bucket};
use crate::remediate::{damage::list_bad, groups};
use crate::{Result, StoreError, TenantTx};

/// A breaker that is not closed, with the names of what it stops.
#[derive(Debug, Clone)]
pub struct Breaker {
    /// Over what.
    pub scope: Scope,
    /// Its key within the scope.
    pub key: String,
    /// Open or half open.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// How often its canary went badly.
    pub reopened: u32,
    /// Whose client, where it is of one.
    pub client_id: Option<Uuid>,
    /// Its name.
    pub client: Option<String>,
    /// The host, where it is of one.
    pub host: Option<String>,
    /// The playbook, where it is of a version.
    pub playbook: Option<String>,
}

/// Those that are not closed and that the member may know of, the oldest first; `most` at most.
pub async fn list_breakers(tx: &mut TenantTx, most: i64) -> Result<Vec<Breaker>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT b.scope_kind, b.scope_key, b.state, b.changed_at, b.reopened_count, c.client_id AS "client_id?", c.name AS "client?",
             h.name AS "host?", p.name AS "playbook?"
           FROM breakers b
             LEFT JOIN hosts h ON h.tenant_id = $1 AND b.scope_kind = 'host' AND h.host_id::text = b.scope_key
             LEFT JOIN clients c ON c.tenant_id = $1
               AND c.client_id::text = CASE b.scope_kind WHEN 'client_playbook_version' THEN split_part(b.scope_key, '/', 1) ELSE h.client_id::text END
             LEFT JOIN playbook_versions v ON v.tenant_id = $1 AND encode(v.digest, 'hex') = CASE b.scope_kind
               WHEN 'client_playbook_version' THEN split_part(b.scope_key, '/', 2) WHEN 'playbook_version' THEN b.scope_key END
             LEFT JOIN playbooks p ON p.tenant_id = $1 AND p.playbook_id = v.playbook_id
           WHERE b.tenant_id = $1 AND b.state <> 'closed' AND (b.scope_kind = 'playbook_version' OR c.client_id IS NOT NULL)
           ORDER BY b.changed_at, b.scope_kind, b.scope_key LIMIT $2"#,
        tenant_id,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let corrupt = |column| StoreError::Corrupt { table: "breakers", column, id: tenant_id };
            Ok(Breaker {
                scope: Scope::parse(&row.scope_kind).ok_or_else(|| corrupt("scope_kind"))?,
                state: State::parse(&row.state).ok_or_else(|| corrupt("state"))?,
                key: row.scope_key,
                since: row.changed_at.to_jiff(),
                reopened: row.reopened_count.unsigned_abs(),
                client_id: row.client_id,
                client: row.client,
                host: row.host,
                playbook: row.playbook,
            })
        })
        .collect()
}

/// What is unproven at a client and what went badly there; of no version, so without its wave.
pub async fn find_damage(tx: &mut TenantTx, client_id: Uuid) -> Result<damage::Facts> {
    let tenant_id = tx.tenant_id();
    let unproven = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM runs WHERE tenant_id = $1 AND client_id = $2 AND ended_at IS NULL
             AND state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing')"#,
        tenant_id,
        client_id
    )
    .fetch_one(tx.conn())
    .await?;
    let set = guardrails::find(tx, BucketKind::Client, &client_id.to_string()).await?.set.damage;
    let bad = list_bad(tx, client_id).await?;
    Ok(damage::Facts { unproven: u32::try_from(unproven).unwrap_or(u32::MAX), bad, set, ..damage::Facts::default() })
}

/// How much would be stopped: what a person reads before they do it.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// Hosts that are not retired.
    pub hosts: i64,
    /// Runs that wait to be admitted, or were and have no permit.
    pub waiting: i64,
    /// Runs that have their permit.
    pub running: i64,
}

/// Of one client, or of all that the member sees.
pub async fn find_reach(tx: &mut TenantTx, client_id: Option<Uuid>) -> Result<Reach> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Reach,
        r#"SELECT (SELECT count(*) FROM hosts WHERE tenant_id = $1 AND state <> 'retired' AND ($2::uuid IS NULL OR client_id = $2)) AS "hosts!",
             (SELECT count(*) FROM runs WHERE tenant_id = $1 AND ended_at IS NULL AND state IN ('planned', 'held', 'admitted')
               AND ($2::uuid IS NULL OR client_id = $2)) AS "waiting!",
             (SELECT count(*) FROM jobs WHERE tenant_id = $1 AND state = 'permitted' AND ($2::uuid IS NULL OR client_id = $2)) AS "running!""#,
        tenant_id,
        client_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// A client with the number of its hosts.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub client_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its hosts that are not retired.
    pub hosts: i64,
    /// Its runs that are held now.
    pub held: i64,
}

/// The clients that are not archived, by name; `most` at most.
pub async fn list_clients(tx: &mut TenantTx, most: i64) -> Result<Vec<Client>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Client,
        r#"SELECT c.client_id, c.name,
             (SELECT count(*) FROM hosts h WHERE h.tenant_id = $1 AND h.client_id = c.client_id AND h.state <> 'retired') AS "hosts!",
             (SELECT count(*) FROM runs r WHERE r.tenant_id = $1 AND r.client_id = c.client_id AND r.state = 'held') AS "held!"
           FROM clients c WHERE c.tenant_id = $1 AND c.archived_at IS NULL ORDER BY c.name, c.client_id LIMIT $2"#,
        tenant_id,
        most
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The windows of the organization, or of a client: its fixes, those of its service groups, and its undos.
pub async fn list_windows(tx: &mut TenantTx, client_id: Option<Uuid>) -> Result<Vec<super::limits::Bucket>> {
    let (kind, key) = match client_id {
        Some(client_id) => (BucketKind::Client, client_id),
        None => (BucketKind::Tenant, tx.tenant_id()),
    };
    let mut buckets = vec![super::limits::find(tx, kind, key.to_string()).await?];
    if let Some(client_id) = client_id {
        for group_id in groups::list_over(tx, client_id, None).await? {
            let (kind, key) = group_bucket(group_id);
            buckets.push(super::limits::find(tx, kind, key).await?);
        }
        buckets.push(super::limits::find(tx, BucketKind::Undo, client_id.to_string()).await?);
    }
    Ok(buckets)
}
