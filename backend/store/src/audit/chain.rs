//! Table `audit_chain`: each entry's place and hash, INSERT only. Entries become visible in another order than they were
//! written in, so what is linked is what can be seen *now* and is not linked yet, oldest first.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use keys::chain::file::SignedHead;
use keys::chain::{Entry, GENESIS, Head, hash};
use keys::{Digest, SigningKey};
use serde_json::json;
use uuid::Uuid;

use crate::people::letters;
use crate::{Queue, Result, StoreError, TenantTx};

/// The end of a chain.
#[derive(Debug, Clone)]
pub struct End {
    /// How many entries it has.
    pub seq: i64,
    /// The last one's hash.
    pub hash: Digest,
    /// When that was linked.
    pub linked_at: Timestamp,
    /// The last row of a batch is signed, and so is whatever is read between two batches.
    pub signed: Option<Signed>,
}

/// A signature over a chain's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Over the [`Head`].
    pub signature: String,
    /// By whom: 32 bytes.
    pub public_key: Vec<u8>,
}

impl End {
    /// What is signed of it.
    pub fn head(&self, tenant_id: Uuid) -> Head {
        let at_us = self.linked_at.as_microsecond();
        Head { tenant_id, seq: self.seq, hash: self.hash.to_string(), at_us }
    }
}

/// Makes this transaction the one that links this tenant's entries. The lock gives order; the keys of the table see to it
/// that there is one chain even without.
async fn lock(tx: &mut TenantTx) -> Result<()> {
    let name = format!("audit chain of {}", tx.tenant_id());
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name).execute(tx.conn()).await?;
    Ok(())
}

/// The end of the chain; none: nothing is linked.
pub async fn find_end(tx: &mut TenantTx) -> Result<Option<End>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT seq, audit_id, hash, linked_at, signature, public_key FROM audit_chain WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1",
        tenant_id
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|r| {
        Ok(End {
            seq: r.seq,
            hash: digest_of(&r.hash, r.audit_id)?,
            linked_at: r.linked_at.to_jiff(),
            signed: r.signature.zip(r.public_key).map(|(signature, public_key)| Signed { signature, public_key }),
        })
    })
    .transpose()
}

fn digest_of(bytes: &[u8], audit_id: Uuid) -> Result<Digest> {
    let bytes =
        bytes.try_into().map_err(|_| StoreError::Corrupt { table: "audit_chain", column: "hash", id: audit_id })?;
    Ok(Digest(bytes))
}

/// Links up to `limit` of the entries that were written at `since` or later and are not linked, oldest first, and signs the
/// last. Answers when each of them was written.
pub async fn link(tx: &mut TenantTx, key: &SigningKey, since: Timestamp, limit: i64) -> Result<Vec<Timestamp>> {
    lock(tx).await?;
    let tenant_id = tx.tenant_id();
    let (mut seq, mut prev) = find_end(tx).await?.map_or((0, GENESIS), |end| (end.seq, end.hash));
    let rows = sqlx::query!(
        r#"SELECT e.client_id AS "client_id?", e.audit_id AS "audit_id!", e.at AS "at!", e.actor AS "actor!", e.action AS "action!",
             e.subject_kind AS "subject_kind!", e.subject_id AS "subject_id!", e.detail AS "detail!", e.source, e.request_id,
             e.before, e.after FROM (
           SELECT a.client_id, a.audit_id, a.at, a.actor, a.action, a.subject_kind, a.subject_id, a.detail, a.source, a.request_id, a.before, a.after
           FROM audit a WHERE a.tenant_id = $1 AND a.at >= $2
             AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.tenant_id = a.tenant_id AND c.audit_id = a.audit_id)
           UNION ALL
           SELECT NULL, t.audit_id, t.at, t.actor, t.action, t.subject_kind, t.subject_id, t.detail, t.source, t.request_id, t.before, t.after
           FROM tenant_audit t WHERE t.tenant_id = $1 AND t.at >= $2
             AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.tenant_id = t.tenant_id AND c.audit_id = t.audit_id)) e
           ORDER BY e.at, e.audit_id LIMIT $3"#,
        tenant_id,
        since.to_sqlx() as _,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    let now = tx.now().await?;
    let (count, mut written) = (rows.len(), Vec::with_capacity(rows.len()));
    for (i, r) in rows.into_iter().enumerate() {
        let (audit_id, at) = (r.audit_id, r.at.to_jiff());
        seq += 1;
        let entry = Entry {
            tenant_id,
            seq,
            prev: prev.to_string(),
            audit_id,
            client_id: r.client_id,
            at_us: at.as_microsecond(),
            actor: r.actor,
            source: r.source,
            request_id: r.request_id,
            action: r.action,
            subject_kind: r.subject_kind,
            subject_id: r.subject_id,
            detail: r.detail,
            before: r.before,
            after: r.after,
        };
        let corrupt = |_| StoreError::Corrupt { table: "audit", column: "detail", id: audit_id };
        prev = hash(&entry.text().map_err(corrupt)?);
        let (mut signature, mut public_key) = (None, None);
        if i + 1 == count {
            let head = Head { tenant_id, seq, hash: prev.to_string(), at_us: now.as_microsecond() };
            signature = Some(head.sign(key).map_err(corrupt)?);
            public_key = Some(key.public().to_bytes().to_vec());
        }
        sqlx::query!(
            "INSERT INTO audit_chain (tenant_id, seq, audit_id, hash, linked_at, signature, public_key) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            tenant_id,
            seq,
            audit_id,
            prev.as_bytes().as_slice(),
            now.to_sqlx() as _,
            signature,
            public_key
        )
        .execute(tx.conn())
        .await?;
        written.push(at);
    }
    Ok(written)
}

/// The day of an instant: days since 1970, UTC.
pub fn day(at: Timestamp) -> i32 {
    i32::try_from(at.as_second().div_euclid(DAY_SECS)).unwrap_or(0)
}

/// When an instant's day is over.
pub fn end_of_day(at: Timestamp) -> Timestamp {
    Timestamp::from_second((i64::from(day(at)) + 1) * DAY_SECS).unwrap_or(Timestamp::MAX)
}

/// Seconds of a day in UTC.
const DAY_SECS: i64 = 86_400;

/// Tells the owners how the chain ends, once for each day with entries, when the day is over: a mail that lies elsewhere
/// shows whether entries were left out later.
pub async fn tell_of_day(tx: &mut TenantTx) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let today = end_of_day(now).saturating_sub(SignedDuration::from_secs(DAY_SECS)).unwrap_or(Timestamp::MIN);
    let last = sqlx::query_scalar!(
        "SELECT linked_at FROM audit_chain WHERE tenant_id = $1 AND linked_at < $2 ORDER BY seq DESC LIMIT 1",
        tenant_id,
        today.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(last) = last else { return Ok(false) };
    let Some(end) = find_end(tx).await? else { return Ok(false) };
    let Some(Signed { signature, public_key }) = &end.signed else { return Ok(false) };
    let signed =
        SignedHead { head: end.head(tenant_id), public_key: hex::encode(public_key), signature: signature.clone() };
    let (seq, hash) = (end.seq, end.hash);
    let done = sqlx::query!(
        "INSERT INTO audit_heads (tenant_id, day, seq, told_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        tenant_id,
        day(last.to_jiff()),
        seq,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let name =
        sqlx::query_scalar!("SELECT name FROM tenants WHERE tenant_id = $1", tenant_id).fetch_one(tx.conn()).await?;
    let facts = json!({ "organization": name, "head": format!("{seq}:{hash}"), "key": signed.public_key,
        "signed": signed.said() });
    letters::insert_to_owners(tx, letters::Kind::AuditHead, &facts).await?;
    tx.due(Queue::Letters, now);
    Ok(true)
}

/// Tells the owners, once a day, that so many entries stand in no chain although they should; whether they were told now.
pub async fn tell_of_late(tx: &mut TenantTx, entries: i64) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "INSERT INTO audit_late_days (tenant_id, day, entries, told_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        tenant_id,
        day(now),
        entries,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let name =
        sqlx::query_scalar!("SELECT name FROM tenants WHERE tenant_id = $1", tenant_id).fetch_one(tx.conn()).await?;
    let facts = json!({ "what": "audit late", "organization": name, "entries": entries.to_string() });
    letters::insert_to_owners(tx, letters::Kind::AccountChanged, &facts).await?;
    tx.due(Queue::Letters, now);
    Ok(true)
}

/// A link with the entry it links; none: the entry is gone, which nobody may do.
#[derive(Debug, Clone)]
pub struct Linked {
    /// Its place.
    pub seq: i64,
    /// Its hash, as it is stored.
    pub hash: Digest,
    /// What it links; its text gives the hash.
    pub entry: Option<Entry>,
}

/// The links after `after` up to `last`, in order. `prev` is the hash at `after`.
pub async fn list(tx: &mut TenantTx, after: i64, last: i64, prev: Digest, limit: i64) -> Result<Vec<Linked>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT c.seq, c.hash, c.audit_id, a.client_id AS "client_id?", coalesce(a.at, t.at) AS at, coalesce(a.actor, t.actor) AS actor,
             coalesce(a.action, t.action) AS action, coalesce(a.subject_kind, t.subject_kind) AS subject_kind,
             coalesce(a.subject_id, t.subject_id) AS subject_id, coalesce(a.detail, t.detail) AS detail,
             coalesce(a.source, t.source) AS source, coalesce(a.request_id, t.request_id) AS request_id,
             coalesce(a.before, t.before) AS before, coalesce(a.after, t.after) AS after
           FROM audit_chain c
           LEFT JOIN audit a ON a.tenant_id = c.tenant_id AND a.audit_id = c.audit_id
           LEFT JOIN tenant_audit t ON t.tenant_id = c.tenant_id AND t.audit_id = c.audit_id
           WHERE c.tenant_id = $1 AND c.seq > $2 AND c.seq <= $3 ORDER BY c.seq LIMIT $4"#,
        tenant_id,
        after,
        last,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    let (mut prev, mut links) = (prev, Vec::with_capacity(rows.len()));
    for r in rows {
        let hash = digest_of(&r.hash, r.audit_id)?;
        let entry = match (r.at, r.actor, r.action, r.subject_kind, r.subject_id, r.detail) {
            (Some(at), Some(actor), Some(action), Some(subject_kind), Some(subject_id), Some(detail)) => Some(Entry {
                tenant_id,
                seq: r.seq,
                prev: prev.to_string(),
                audit_id: r.audit_id,
                client_id: r.client_id,
                at_us: at.to_jiff().as_microsecond(),
                actor,
                source: r.source,
                request_id: r.request_id,
                action,
                subject_kind,
                subject_id,
                detail,
                before: r.before,
                after: r.after,
            }),
            _ => None,
        };
        prev = hash;
        links.push(Linked { seq: r.seq, hash, entry });
    }
    Ok(links)
}
