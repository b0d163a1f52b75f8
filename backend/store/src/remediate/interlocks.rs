//! Table `interlocks`: a program (a backup, an update) holds a scope while it works, for a time it says beforehand.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::runs::Running;
use super::stops::Place;
use crate::audit::Entry;
use crate::{Queue, Result, Store, TenantTx};

/// An interlock that was just set.
#[derive(Debug, Clone)]
pub struct Set {
    /// Its id, to release it by.
    pub interlock_id: Uuid,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// What was permitted before it, and still runs.
    pub running: Vec<Running>,
}

/// Sets one: from the commit on nothing is admitted there, and what had no permit yet is held again.
pub async fn insert(tx: &mut TenantTx, place: Place, lasts: SignedDuration, reason: &str, by: &str) -> Result<Set> {
    let key = place.lock(tx).await?;
    let (tenant_id, interlock_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let ends_at = now + lasts;
    sqlx::query!(
        "INSERT INTO interlocks (tenant_id, interlock_id, scope_kind, scope_key, reason, ends_at, set_by, set_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tenant_id,
        interlock_id,
        place.kind().word(),
        key,
        reason,
        ends_at.to_sqlx() as _,
        by,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let running = place.forbid(tx, "an interlock").await?;
    let set = json!({ "until": ends_at.to_string(), "reason": reason, "by": by });
    place.note(tx, Entry::made("interlock.set", place.subject(tenant_id), set)).await?;
    tx.due(Queue::Remediate, ends_at);
    Ok(Set { interlock_id, ends_at, running })
}

/// Where an interlock holds that has not ended.
pub async fn find_place(tx: &mut TenantTx, interlock_id: Uuid) -> Result<Option<Place>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        r#"SELECT i.scope_kind, i.scope_key, h.client_id AS "client_id?" FROM interlocks i
           LEFT JOIN hosts h ON h.tenant_id = $1 AND i.scope_kind = 'host' AND h.host_id = i.scope_key::uuid
         WHERE i.tenant_id = $1 AND i.interlock_id = $2 AND i.ended_at IS NULL AND i.ends_at > $3"#,
        tenant_id,
        interlock_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.and_then(|row| match (row.scope_kind.as_str(), row.scope_key.parse(), row.client_id) {
        ("tenant", ..) => Some(Place::Tenant),
        ("client", Ok(client_id), _) => Some(Place::Client(client_id)),
        ("host", Ok(host_id), Some(client_id)) => Some(Place::Host { client_id, host_id }),
        _ => None,
    }))
}

/// Ends one before its time; what it held is decided anew. False: it had ended.
pub async fn release(tx: &mut TenantTx, interlock_id: Uuid, by: &str) -> Result<bool> {
    let Some(place) = find_place(tx, interlock_id).await? else { return Ok(false) };
    place.lock(tx).await?;
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let ended = sqlx::query!(
        "UPDATE interlocks SET ended_at = $3, ended_by = $4 WHERE tenant_id = $1 AND interlock_id = $2 AND ended_at IS NULL
         RETURNING reason, set_by, ends_at",
        tenant_id,
        interlock_id,
        now.to_sqlx() as _,
        by
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(ended) = ended else { return Ok(false) };
    place.allow(tx).await?;
    let was = json!({ "until": ended.ends_at.to_jiff().to_string(), "reason": ended.reason, "by": ended.set_by });
    let entry = Entry::removed("interlock.released", place.subject(tenant_id), was);
    place.note(tx, entry.with(json!({ "by": by }))).await?;
    Ok(true)
}
