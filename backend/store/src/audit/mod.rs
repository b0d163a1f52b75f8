//! Tables `audit` and `tenant_audit`: who did what, from where, in which request; append only, and nothing deletes from
//! them. An entry is written in the transaction it tells of, and linked into the tenant's chain ([`chain`]) after it.

pub mod chain;
mod entries;
mod entry;
mod export;

pub use entries::{Filter, Place, Row, count_unlinked, list};
pub use entry::Entry;
pub use export::Export;

use jiff::{SignedDuration, Timestamp, Unit};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::live::Kind;
use crate::{Queue, Result, Store, TenantTx};

/// Writes an entry; the actor and where it comes from are the transaction's. Without a client it tells nothing of one.
pub async fn insert(tx: &mut TenantTx, client_id: Option<Uuid>, entry: Entry<'_>) -> Result<()> {
    let about = (client_id, entry.subject_id);
    write_rows(tx, &[about], entry).await
}

/// Writes entries that say the same of several things, each with its client.
pub async fn insert_each(tx: &mut TenantTx, subjects: &[(Uuid, Uuid)], entry: Entry<'_>) -> Result<()> {
    let subjects: Vec<_> = subjects.iter().map(|&(client_id, subject_id)| (Some(client_id), subject_id)).collect();
    write_rows(tx, &subjects, entry).await
}

/// Writes the entry about each thing, with its client or none; the two tables take what they hold.
async fn write_rows(tx: &mut TenantTx, subjects: &[(Option<Uuid>, Uuid)], entry: Entry<'_>) -> Result<()> {
    let (tenant_id, now, actor) = (tx.tenant_id(), tx.now().await?, tx.actor().to_owned());
    let (source, request_id) = origin(tx);
    let Entry { action, subject_kind, before, after, detail, .. } = entry;
    let (clients, of_clients): (Vec<Uuid>, Vec<Uuid>) =
        subjects.iter().filter_map(|&(client_id, subject_id)| Some((client_id?, subject_id))).unzip();
    let of_all: Vec<Uuid> =
        subjects.iter().filter(|(client_id, _)| client_id.is_none()).map(|&(_, subject_id)| subject_id).collect();
    if !of_clients.is_empty() {
        let ids: Vec<Uuid> = of_clients.iter().map(|_| Store::new_id()).collect();
        sqlx::query!(
            "INSERT INTO audit (tenant_id, client_id, audit_id, at, actor, action, subject_kind, subject_id, detail,
               source, request_id, before, after)
             SELECT $1, s.client_id, s.audit_id, $2, $3, $4, $5, s.subject_id, $6, $7, $8, $9, $10
             FROM unnest($11::uuid[], $12::uuid[], $13::uuid[]) AS s(client_id, audit_id, subject_id)",
            tenant_id,
            now.to_sqlx() as _,
            actor,
            action,
            subject_kind,
            detail,
            source,
            request_id,
            before,
            after,
            &clients,
            &ids,
            &of_clients
        )
        .execute(tx.conn())
        .await?;
    }
    if !of_all.is_empty() {
        let ids: Vec<Uuid> = of_all.iter().map(|_| Store::new_id()).collect();
        sqlx::query!(
            "INSERT INTO tenant_audit (tenant_id, audit_id, at, actor, action, subject_kind, subject_id, detail,
               source, request_id, before, after)
             SELECT $1, s.audit_id, $2, $3, $4, $5, s.subject_id, $6, $7, $8, $9, $10
             FROM unnest($11::uuid[], $12::uuid[]) AS s(audit_id, subject_id)",
            tenant_id,
            now.to_sqlx() as _,
            actor,
            action,
            subject_kind,
            detail,
            source,
            request_id,
            before,
            after,
            &ids,
            &of_all
        )
        .execute(tx.conn())
        .await?;
    }
    for &(client_id, _) in subjects {
        tx.changes(Kind::Guardrail, client_id, None);
    }
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
