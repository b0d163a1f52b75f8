//! The kill switch: `guardrail_buckets.frozen` of the organization, a client or a host. It has no end but a person.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::runs::Running;
use super::stops::Place;
use crate::audit::Entry;
use crate::{Result, TenantTx};

/// Stops all actions of a place at once: nothing is admitted, what has no permit is taken back, and agents begin no
/// further step. Answers what still runs its step; `None`: it was stopped already.
pub async fn insert(tx: &mut TenantTx, place: Place, why: &str, by: &str) -> Result<Option<Vec<Running>>> {
    let key = place.lock(tx).await?;
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE guardrail_buckets SET frozen = true, frozen_by = $4, frozen_why = $5, frozen_at = $6
         WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND NOT frozen",
        tenant_id,
        place.kind().word(),
        key,
        by,
        why,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let running = place.forbid(tx, "all actions were stopped").await?;
    let (was, is) = (json!({ "frozen": false }), json!({ "frozen": true }));
    let entry = Entry::changed("freeze.set", place.subject(tenant_id), was, is);
    place.note(tx, entry.with(json!({ "why": why, "running": running.len() }))).await?;
    Ok(Some(running))
}

/// Stops all actions of an organization that the operator suspended, if nobody has.
pub async fn hold_suspended(tx: &mut TenantTx) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let state = sqlx::query_scalar!("SELECT state FROM tenants WHERE tenant_id = $1", tenant_id)
        .fetch_optional(tx.conn())
        .await?;
    if state.as_deref() == Some("suspended") {
        insert(tx, Place::Tenant, "the organization is suspended", "the operator of the platform").await?;
    }
    Ok(())
}

/// Lets a place act again; what was held is decided anew. False: it was not stopped, or it is a client that is
/// archived or an organization whose deletion has begun.
pub async fn release(tx: &mut TenantTx, place: Place) -> Result<bool> {
    let key = place.lock(tx).await?;
    let tenant_id = tx.tenant_id();
    let was = find_why(tx, place, &key).await?;
    let done = sqlx::query!(
        "UPDATE guardrail_buckets SET frozen = false, frozen_by = NULL, frozen_why = NULL, frozen_at = NULL
         WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND frozen
           AND NOT EXISTS (SELECT 1 FROM clients c WHERE c.tenant_id = $1 AND $2 = 'client' AND c.client_id::text = $3 AND c.archived_at IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.tenant_id = $1 AND $2 = 'tenant' AND d.kind = 'tenant' AND d.begun_at IS NOT NULL)",
        tenant_id,
        place.kind().word(),
        key
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    place.allow(tx).await?;
    let was = json!({ "frozen": true, "why": was });
    let entry = Entry::changed("freeze.released", place.subject(tenant_id), was, json!({ "frozen": false }));
    place.note(tx, entry).await?;
    Ok(true)
}

/// Why a place is stopped, where it is and somebody said it.
async fn find_why(tx: &mut TenantTx, place: Place, key: &str) -> Result<Option<String>> {
    let tenant_id = tx.tenant_id();
    let why = sqlx::query_scalar!(
        "SELECT frozen_why FROM guardrail_buckets WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND frozen",
        tenant_id,
        place.kind().word(),
        key
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(why.flatten())
}

/// A place that is stopped.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// The stopped client, or that of the stopped host; none: the organization.
    pub client_id: Option<Uuid>,
    /// The stopped host.
    pub host_id: Option<Uuid>,
    /// Who; none: not a person of the organization.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// Since when.
    pub at: Option<Timestamp>,
}

/// What is stopped now, the organization first; of clients and hosts those that the scope sees.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Frozen>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT b.frozen_by, b.frozen_why, b.frozen_at, h.host_id AS "host_id?",
             coalesce(c.client_id, h.client_id) AS client_id
           FROM guardrail_buckets b
             LEFT JOIN clients c ON c.tenant_id = $1 AND b.scope_kind = 'client' AND c.client_id::text = b.scope_key
             LEFT JOIN hosts h ON h.tenant_id = $1 AND b.scope_kind = 'host' AND h.host_id::text = b.scope_key
           WHERE b.tenant_id = $1 AND b.frozen AND b.scope_kind IN ('tenant', 'client', 'host') AND b.scope_key <> '*'
             AND (b.scope_kind = 'tenant' OR c.client_id IS NOT NULL OR h.host_id IS NOT NULL)
           ORDER BY b.rank, b.scope_key LIMIT 1000"#,
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Frozen {
            client_id: row.client_id,
            host_id: row.host_id,
            by: row.frozen_by,
            why: row.frozen_why,
            at: row.frozen_at.map(|at| at.to_jiff()),
        })
        .collect())
}
