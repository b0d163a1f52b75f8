//! Table `hands_off`: people keep actions off a host or a client for some hours; messages go on.

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::runs::Running;
use super::stops::Place;
use crate::audit::Entry;
use crate::{Queue, Result, Store, TenantTx};

/// Whose host or client hands off is about; the whole organization has the kill switch instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
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

impl Whose {
    fn place(self) -> Place {
        match self {
            Whose::Client(client_id) => Place::Client(client_id),
            Whose::Host { client_id, host_id } => Place::Host { client_id, host_id },
        }
    }

    fn client_id(self) -> Uuid {
        match self {
            Whose::Client(client_id) | Whose::Host { client_id, .. } => client_id,
        }
    }
}

/// Says hands off: locks the bucket, writes, withdraws the jobs that have no permit yet. Answers what was permitted
/// before and still runs.
pub async fn insert(tx: &mut TenantTx, whose: Whose, hours: u8, reason: &str, by: &str) -> Result<Vec<Running>> {
    let place = whose.place();
    let key = place.lock(tx).await?;
    let (tenant_id, id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let ends_at = now + SignedDuration::from_hours(i64::from(hours));
    sqlx::query!(
        "INSERT INTO hands_off (tenant_id, client_id, hands_off_id, scope_kind, scope_key, reason, started_by, started_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant_id,
        whose.client_id(),
        id,
        place.kind().word(),
        key,
        reason,
        by,
        now.to_sqlx() as _,
        ends_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let running = place.forbid(tx, "hands off").await?;
    let off = json!({ "until": ends_at.to_string(), "reason": reason });
    let entry = Entry::made("hands_off.start", place.subject(tenant_id), off);
    place.note(tx, entry.with(json!({ "hours": hours }))).await?;
    tx.due(Queue::Remediate, ends_at);
    Ok(running)
}

/// Ends hands off there before its time; what it held is due at once. Answers how many stretches ended.
pub async fn release(tx: &mut TenantTx, whose: Whose, by: &str) -> Result<u64> {
    let place = whose.place();
    let key = place.lock(tx).await?;
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let ended = sqlx::query!(
        "UPDATE hands_off SET ended_at = $4, ended_by = $5
         WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND ended_at IS NULL AND ends_at > $4
         RETURNING reason, started_by, ends_at",
        tenant_id,
        place.kind().word(),
        key,
        now.to_sqlx() as _,
        by
    )
    .fetch_all(tx.conn())
    .await?;
    place.allow(tx).await?;
    let told: Vec<_> = ended
        .iter()
        .map(|r| json!({ "until": r.ends_at.to_jiff().to_string(), "reason": r.reason, "by": r.started_by }))
        .collect();
    let entry = Entry::removed("hands_off.release", place.subject(tenant_id), json!({ "stretches": told }));
    place.note(tx, entry).await?;
    Ok(ended.len() as u64)
}
