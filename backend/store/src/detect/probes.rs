//! Table `probes`: what the server asks over the network, when it is due, and who is at it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::detect::{Check, Kind};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::{Queue, Result, Store, StoreError, TenantTx};

/// A check of the server's, with a host that it may select.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The check.
    pub check_id: Uuid,
    /// Its definition, complete.
    pub check: Check,
    /// The host.
    pub host_id: Uuid,
    /// Its client.
    pub client_id: Uuid,
    /// Its client's name.
    pub client: String,
    /// Its name.
    pub host: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

fn words() -> Vec<String> {
    Kind::PROBED.iter().map(|kind| kind.word().to_owned()).collect()
}

fn check(check_id: Uuid, definition: Value) -> Result<Check> {
    let check = serde_json::from_value::<Check>(definition).ok().and_then(|check| check.complete().ok());
    check.ok_or(StoreError::Corrupt { table: "checks", column: "definition", id: check_id })
}

fn tags(tags: Value) -> BTreeMap<String, String> {
    serde_json::from_value(tags).unwrap_or_default()
}

/// Pairs of a check and the host that its selector names which have no row yet; whether the rest of the selector fits
/// is not asked.
pub async fn list_missing(tx: &mut TenantTx) -> Result<Vec<Pair>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT k.check_id, k.definition, h.host_id, h.client_id, c.name AS client, h.name AS host, h.tags
         FROM checks k
         JOIN hosts h ON h.tenant_id = k.tenant_id AND h.name = k.definition->'selector'->>'host' AND h.state <> 'retired'
         JOIN clients c ON c.tenant_id = h.tenant_id AND c.client_id = h.client_id
         LEFT JOIN probes p ON p.tenant_id = k.tenant_id AND p.host_id = h.host_id AND p.check_id = k.check_id
         WHERE k.tenant_id = $1 AND k.kind = ANY($2) AND k.archived_at IS NULL AND p.check_id IS NULL LIMIT 1000",
        tenant_id,
        &words()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|r| {
            let check = check(r.check_id, r.definition)?;
            let (check_id, host_id, client_id) = (r.check_id, r.host_id, r.client_id);
            Ok(Pair { check_id, check, host_id, client_id, client: r.client, host: r.host, tags: tags(r.tags) })
        })
        .collect()
}

/// Makes the row of a pair, due now; another node may have made it meanwhile.
pub async fn insert(tx: &mut TenantTx, pair: &Pair) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO probes (tenant_id, client_id, host_id, check_id, due_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT ON CONSTRAINT probes_pkey DO NOTHING",
        tenant_id,
        pair.client_id,
        pair.host_id,
        pair.check_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A probe that is due, leased.
#[derive(Debug, Clone)]
pub struct Due {
    /// What is asked, and of which host.
    pub pair: Pair,
    /// The check or the host is no more.
    pub is_over: bool,
    /// The host's boot, as far as it said.
    pub booted_at: Option<Timestamp>,
    /// The oldest open question that this look answers.
    pub request_id: Option<Uuid>,
    /// The lease.
    token: Uuid,
}

/// Leases what is due. A look that begins now answers the questions that are open now.
pub async fn claim_due(tx: &mut TenantTx, limit: i64, lease: Duration) -> Result<Vec<Due>> {
    let (tenant_id, now, token) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    let until = now + lease;
    let rows = sqlx::query!(
        r#"WITH picked AS MATERIALIZED (SELECT p.host_id, p.check_id FROM probes p WHERE p.tenant_id = $1 AND p.due_at <= $2
             AND (p.lease_expires_at IS NULL OR p.lease_expires_at <= $2) ORDER BY p.due_at LIMIT $3 FOR UPDATE SKIP LOCKED),
           leased AS (UPDATE probes p SET lease_token = $4, lease_expires_at = $5, lease_count = p.lease_count + 1 FROM picked k
             WHERE p.tenant_id = $1 AND p.host_id = k.host_id AND p.check_id = k.check_id RETURNING p.*)
           SELECT l.check_id, l.host_id, l.client_id, k.definition, c.name AS client, h.name AS host, h.tags,
             h.booted_at AS "booted_at?", (k.archived_at IS NOT NULL OR h.state = 'retired') AS "is_over!",
             (SELECT q.request_id FROM check_requests q WHERE q.tenant_id = $1 AND q.host_id = l.host_id
                AND q.check_id = l.check_id AND q.target = k.definition->>'target' AND q.answered_at IS NULL
                AND q.expires_at > $2 AND q.asked_at <= $2 ORDER BY q.asked_at LIMIT 1) AS "request_id?"
           FROM leased l JOIN checks k ON k.tenant_id = l.tenant_id AND k.check_id = l.check_id
             JOIN hosts h ON h.tenant_id = l.tenant_id AND h.host_id = l.host_id
             JOIN clients c ON c.tenant_id = h.tenant_id AND c.client_id = h.client_id"#,
        tenant_id,
        now.to_sqlx() as _,
        limit,
        token,
        until.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    if !rows.is_empty() {
        tx.due(Queue::Detect, until);
    }
    rows.into_iter()
        .map(|r| {
            let check = check(r.check_id, r.definition)?;
            let (check_id, host_id, client_id) = (r.check_id, r.host_id, r.client_id);
            let pair = Pair { check_id, check, host_id, client_id, client: r.client, host: r.host, tags: tags(r.tags) };
            let booted_at = r.booted_at.map(|at| at.to_jiff());
            Ok(Due { pair, is_over: r.is_over, booted_at, request_id: r.request_id, token })
        })
        .collect()
}

/// Whether a probe is due and nobody is at it.
pub async fn has_due(tx: &mut TenantTx) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM probes WHERE tenant_id = $1 AND due_at <= $2
             AND (lease_expires_at IS NULL OR lease_expires_at <= $2)) AS "due!""#,
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Gives the lease back and sets when to look again: at `next`, or before that when a question's time comes. False: the lease
/// is another's by now, and what this look saw is not to be stored.
pub async fn finish(tx: &mut TenantTx, due: &Due, next: Timestamp) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        r#"UPDATE probes SET lease_token = NULL, lease_expires_at = NULL, due_at = least($5::timestamptz, (SELECT min(greatest(q.asked_at, $6::timestamptz))
             FROM check_requests q WHERE q.tenant_id = $1 AND q.host_id = $2 AND q.check_id = $3 AND q.answered_at IS NULL AND q.expires_at > $6
               AND q.request_id IS DISTINCT FROM $7))
           WHERE tenant_id = $1 AND host_id = $2 AND check_id = $3 AND lease_token = $4 RETURNING due_at"#,
        tenant_id,
        due.pair.host_id,
        due.pair.check_id,
        due.token,
        next.to_sqlx() as _,
        now.to_sqlx() as _,
        due.request_id
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(row) = &row {
        tx.due(Queue::Detect, row.due_at.to_jiff());
    }
    Ok(row.is_some())
}

/// Takes out what is not to be looked at any more.
pub async fn delete(tx: &mut TenantTx, due: &Due) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "DELETE FROM probes WHERE tenant_id = $1 AND host_id = $2 AND check_id = $3 AND lease_token = $4",
        tenant_id,
        due.pair.host_id,
        due.pair.check_id,
        due.token
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes looks (host and check) due at `at`, or before; answers those that are the server's.
pub async fn hurry(tx: &mut TenantTx, looks: &[(Uuid, Uuid)], at: Timestamp) -> Result<BTreeSet<(Uuid, Uuid)>> {
    let tenant_id = tx.tenant_id();
    let (hosts, checks): (Vec<Uuid>, Vec<Uuid>) = looks.iter().copied().unzip();
    let rows = sqlx::query!(
        "UPDATE probes p SET due_at = least(p.due_at, $4) FROM (SELECT DISTINCT * FROM unnest($2::uuid[], $3::uuid[])) AS l(host_id, check_id)
         WHERE p.tenant_id = $1 AND p.host_id = l.host_id AND p.check_id = l.check_id RETURNING p.host_id, p.check_id",
        tenant_id,
        &hosts,
        &checks,
        at.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    if !rows.is_empty() {
        tx.due(Queue::Detect, at);
    }
    Ok(rows.into_iter().map(|row| (row.host_id, row.check_id)).collect())
}
