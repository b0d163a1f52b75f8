//! What stops actions on a scope until people or time end it: hands off (`hands_off`), interlocks (`interlocks`), planned
//! maintenance (`maintenance`) and the kill switch (`freezes`). Who forbids, or stops forbidding, locks the scope's bucket
//! first: each admission is wholly before or wholly after it.

use domain::remediate::decide::{Stop, StopKind};
use domain::remediate::guardrails::BucketKind;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::guardrails;
use super::runs::{self, Running, Withdraw};
use crate::audit::{self, Entry};
use crate::{Result, StoreError, TenantTx, host_links};

/// Where actions are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The whole organization.
    Tenant,
    /// One client.
    Client(Uuid),
    /// One host of a client.
    Host {
        /// Whose it is.
        client_id: Uuid,
        /// Which.
        host_id: Uuid,
    },
}

impl Place {
    /// The kind of its bucket.
    pub fn kind(self) -> BucketKind {
        match self {
            Place::Tenant => BucketKind::Tenant,
            Place::Client(_) => BucketKind::Client,
            Place::Host { .. } => BucketKind::Host,
        }
    }

    /// The key of its bucket.
    pub fn key(self, tenant_id: Uuid) -> String {
        match self {
            Place::Tenant => tenant_id,
            Place::Client(client_id) => client_id,
            Place::Host { host_id, .. } => host_id,
        }
        .to_string()
    }

    /// Whose jobs a stop here takes back.
    pub fn jobs(self) -> Withdraw {
        match self {
            Place::Tenant => Withdraw::default(),
            Place::Client(client_id) => Withdraw { client_id: Some(client_id), ..Withdraw::default() },
            Place::Host { host_id, .. } => Withdraw::of_host(host_id),
        }
    }

    /// Locks the bucket, made where no run has met it yet.
    pub(super) async fn lock(self, tx: &mut TenantTx) -> Result<String> {
        let key = self.key(tx.tenant_id());
        guardrails::lock_one(tx, self.kind(), &key).await?;
        Ok(key)
    }

    /// What entries of the audit say it is.
    pub(super) fn subject(self, tenant_id: Uuid) -> (&'static str, Uuid) {
        match self {
            Place::Tenant => ("tenant", tenant_id),
            Place::Client(client_id) => ("client", client_id),
            Place::Host { host_id, .. } => ("host", host_id),
        }
    }

    /// Writes the audit entry of what was done here.
    pub(super) async fn note(self, tx: &mut TenantTx, entry: Entry<'_>) -> Result<()> {
        let client_id = match self {
            Place::Tenant => None,
            Place::Client(client_id) | Place::Host { client_id, .. } => Some(client_id),
        };
        audit::insert(tx, client_id, entry).await
    }

    /// Takes back what has no permit yet, tells the agents, and answers what was permitted before and still runs.
    pub(super) async fn forbid(self, tx: &mut TenantTx, why: &str) -> Result<Vec<Running>> {
        let jobs = self.jobs();
        runs::withdraw_unpermitted(tx, &jobs, why).await?;
        host_links::wake_all(tx, jobs.client_id, jobs.host_id).await?;
        runs::list_running(tx, &jobs).await
    }

    /// What was held here is decided anew, and the agents are told.
    pub(super) async fn allow(self, tx: &mut TenantTx) -> Result<()> {
        let jobs = self.jobs();
        host_links::wake_all(tx, jobs.client_id, jobs.host_id).await?;
        runs::make_held_due(tx, jobs.host_id).await.map(drop)
    }
}

/// The stops over a host now, its client's and the organization's included; the freezes are read with the buckets.
pub async fn list_over(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid) -> Result<Vec<Stop>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        r#"SELECT 'hands_off' AS "kind!", scope_kind AS "scope_kind!", reason AS "reason!", started_by AS "by!", ends_at AS "ends_at!"
           FROM hands_off WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $4
             AND ((scope_kind = 'host' AND scope_key = $2) OR (scope_kind = 'client' AND scope_key = $3))
         UNION ALL SELECT 'interlock', scope_kind, reason, set_by, ends_at
           FROM interlocks WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $4
             AND ((scope_kind = 'host' AND scope_key = $2) OR (scope_kind = 'client' AND scope_key = $3) OR scope_kind = 'tenant')
         UNION ALL SELECT 'maintenance', w.scope_kind, w.name, 'its plan', w.ends_at
           FROM maintenance_windows w WHERE w.tenant_id = $1 AND w.active AND w.starts_at <= $4 AND w.ends_at > $4
             AND (w.scope_kind = 'tenant' OR (w.scope_key = $3
               AND (w.host_name IS NULL OR w.host_name = (SELECT name FROM hosts WHERE tenant_id = $1 AND host_id = $5))))
         ORDER BY 5"#,
        tenant_id,
        host_id.to_string(),
        client_id.to_string(),
        now.to_sqlx() as _,
        host_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let corrupt = |column| StoreError::Corrupt { table: "interlocks", column, id: host_id };
            Ok(Stop {
                kind: kind(&row.kind),
                scope: BucketKind::parse(&row.scope_kind).ok_or_else(|| corrupt("scope_kind"))?,
                reason: row.reason,
                by: row.by,
                ends_at: row.ends_at.to_jiff(),
            })
        })
        .collect()
}

fn kind(word: &str) -> StopKind {
    match word {
        "hands_off" => StopKind::HandsOff,
        "maintenance" => StopKind::Maintenance,
        _ => StopKind::Interlock,
    }
}

/// A stop with its place, for people.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The interlock's id; hands off are ended by their place.
    pub id: Uuid,
    /// Which.
    pub kind: StopKind,
    /// Whose client; none: the organization's.
    pub client_id: Option<Uuid>,
    /// Its name.
    pub client: Option<String>,
    /// Which host; none: the client's.
    pub host_id: Option<Uuid>,
    /// Its name.
    pub host: Option<String>,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
}

/// Every stop that has an end and stands now, the one that ends first before the others; `most` at most.
pub async fn list(tx: &mut TenantTx, most: i64) -> Result<Vec<Standing>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        r#"SELECT s.id AS "id!", s.kind AS "kind!", s.reason AS "reason!", s.set_by AS "by!", s.since AS "since!", s.ends_at AS "ends_at!",
             c.client_id AS "client_id?", c.name AS "client?", h.host_id AS "host_id?", h.name AS "host?"
           FROM (SELECT hands_off_id AS id, 'hands_off' AS kind, scope_kind, scope_key, reason, started_by AS set_by, started_at AS since, ends_at
                   FROM hands_off WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $2
                 UNION ALL SELECT interlock_id, 'interlock', scope_kind, scope_key, reason, set_by, set_at, ends_at
                   FROM interlocks WHERE tenant_id = $1 AND ended_at IS NULL AND ends_at > $2
                 UNION ALL SELECT w.window_id, 'maintenance', CASE WHEN h.host_id IS NULL THEN w.scope_kind ELSE 'host' END,
                     coalesce(h.host_id::text, w.scope_key), w.name, 'its plan', w.starts_at, w.ends_at
                   FROM maintenance_windows w LEFT JOIN hosts h ON h.tenant_id = $1 AND w.scope_kind = 'host' AND h.client_id = w.scope_key::uuid AND h.name = w.host_name
                   WHERE w.tenant_id = $1 AND w.active AND w.starts_at <= $2 AND w.ends_at > $2 AND (w.scope_kind <> 'host' OR h.host_id IS NOT NULL)) s
             LEFT JOIN hosts h ON h.tenant_id = $1 AND s.scope_kind = 'host' AND h.host_id = s.scope_key::uuid
             LEFT JOIN clients c ON c.tenant_id = $1 AND c.client_id = CASE s.scope_kind WHEN 'client' THEN s.scope_key::uuid ELSE h.client_id END
           WHERE s.scope_kind = 'tenant' OR c.client_id IS NOT NULL
           ORDER BY s.ends_at, s.id LIMIT $3"#,
        tenant_id,
        now.to_sqlx() as _,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Standing {
            id: row.id,
            kind: kind(&row.kind),
            client_id: row.client_id,
            client: row.client,
            host_id: row.host_id,
            host: row.host,
            reason: row.reason,
            by: row.by,
            since: row.since.to_jiff(),
            ends_at: row.ends_at.to_jiff(),
        })
        .collect())
}
