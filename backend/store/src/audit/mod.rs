//! Tables `audit` and `tenant_audit`: who did what, from where, in which request; append only, and nothing deletes from
//! them. An entry is written in the transaction it tells of, and linked into the tenant's chain ([`chain`]) after it.

pub mod chain;
mod entries;
mod export;

pub use entries::{Filter, Place, Row, count_unlinked, list};
pub use export::Export;

use jiff::{SignedDuration, Timestamp, Unit};
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::live::Kind;
use crate::{Queue, Result, Store, TenantTx};

/// What an entry tells.
struct Entry<'a> {
    /// What was done.
    action: &'a str,
    /// To what kind of thing.
    subject_kind: &'a str,
    /// More about it.
    detail: Value,
    /// How it was before and is after; either is none where there was or is nothing.
    change: Option<(Option<Value>, Option<Value>)>,
}

/// Writes an entry that tells about one client; the actor is the scope's.
pub async fn insert(
    tx: &mut TenantTx,
    client_id: Uuid,
    action: &str,
    subject_kind: &str,
    subject_id: Uuid,
    detail: Value,
) -> Result<()> {
    insert_each(tx, &[(client_id, subject_id)], action, subject_kind, detail).await
}

/// Writes entries that say the same of several things, each with its client.
pub async fn insert_each(
    tx: &mut TenantTx,
    subjects: &[(Uuid, Uuid)],
    action: &str,
    subject_kind: &str,
    detail: Value,
) -> Result<()> {
    write(tx, subjects, Entry { action, subject_kind, detail, change: None }).await
}

/// Writes an entry that tells nothing of one client.
pub async fn insert_tenant_wide(
    tx: &mut TenantTx,
    action: &str,
    subject_kind: &str,
    subject_id: Uuid,
    detail: Value,
) -> Result<()> {
    write_tenant_wide(tx, subject_id, Entry { action, subject_kind, detail, change: None }).await
}

/// Writes an entry of something that was `before` and is `after`; either is null where there was or is nothing. Without a
/// client it tells nothing of one.
pub async fn insert_change(
    tx: &mut TenantTx,
    client_id: Option<Uuid>,
    action: &str,
    (subject_kind, subject_id): (&str, Uuid),
    detail: Value,
    (before, after): (Value, Value),
) -> Result<()> {
    let change = Some([before, after].map(|side| (!side.is_null()).then_some(side)).into());
    let entry = Entry { action, subject_kind, detail, change };
    match client_id {
        Some(client_id) => write(tx, &[(client_id, subject_id)], entry).await,
        None => write_tenant_wide(tx, subject_id, entry).await,
    }
}

/// Writes an entry for each thing with its client; actor and origin are the transaction's.
async fn write(tx: &mut TenantTx, subjects: &[(Uuid, Uuid)], entry: Entry<'_>) -> Result<()> {
    let (tenant_id, now, actor) = (tx.tenant_id(), tx.now().await?, tx.actor().to_owned());
    let (source, request_id) = origin(tx);
    let (before, after) = entry.change.unwrap_or_default();
    let ids: Vec<Uuid> = subjects.iter().map(|_| Store::new_id()).collect();
    let (clients, subject_ids): (Vec<Uuid>, Vec<Uuid>) = subjects.iter().copied().unzip();
    sqlx::query!(
        "INSERT INTO audit (tenant_id, client_id, audit_id, at, actor, action, subject_kind, subject_id, detail,
           source, request_id, before, after)
         SELECT $1, s.client_id, s.audit_id, $2, $3, $4, $5, s.subject_id, $6, $7, $8, $9, $10
         FROM unnest($11::uuid[], $12::uuid[], $13::uuid[]) AS s(client_id, audit_id, subject_id)",
        tenant_id,
        now.to_sqlx() as _,
        actor,
        entry.action,
        entry.subject_kind,
        entry.detail,
        source,
        request_id,
        before,
        after,
        &clients,
        &ids,
        &subject_ids
    )
    .execute(tx.conn())
    .await?;
    for client_id in clients {
        tx.changes(Kind::Guardrail, client_id, None);
    }
    tx.due(Queue::Audit, link_at(now));
    Ok(())
}

/// Writes an entry that tells nothing of one client; actor and origin are the transaction's.
async fn write_tenant_wide(tx: &mut TenantTx, subject_id: Uuid, entry: Entry<'_>) -> Result<()> {
    let (tenant_id, id, now, actor) = (tx.tenant_id(), Store::new_id(), tx.now().await?, tx.actor().to_owned());
    let (source, request_id) = origin(tx);
    let (before, after) = entry.change.unwrap_or_default();
    sqlx::query!(
        "INSERT INTO tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail,
           source, request_id, before, after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        tenant_id,
        id,
        now.to_sqlx() as _,
        actor,
        entry.action,
        entry.subject_kind,
        subject_id,
        entry.detail,
        source,
        request_id,
        before,
        after
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Guardrail, None, None);
    tx.due(Queue::Audit, link_at(now));
    Ok(())
}

/// Where the transaction comes from, as the columns say it.
fn origin(tx: &TenantTx) -> (Option<String>, Option<Uuid>) {
    let origin = tx.origin();
    (origin.address.map(|address| address.to_canonical().to_string()), origin.request_id)
}

/// When an entry is linked: at the next full second but one, so that many entries share a wake-up and a signature, and the
/// transaction is over by then.
pub(crate) fn link_at(now: Timestamp) -> Timestamp {
    let later = now + SignedDuration::from_secs(1);
    later
        .round(Unit::Second)
        .map_or(later, |rounded| if rounded < later { rounded + SignedDuration::from_secs(1) } else { rounded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_second_share_a_wake_up_that_is_later_than_they_are() {
        let at = |ms| link_at(Timestamp::from_millisecond(ms).unwrap()).as_millisecond();
        assert_eq!(
            (at(10_000), at(10_001), at(10_400), at(10_600), at(11_000)),
            (11_000, 12_000, 12_000, 12_000, 12_000)
        );
    }
}
