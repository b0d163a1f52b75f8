//! Entries as people search them.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// Which entries are looked for; what is none is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose actor contains this, whatever its case; or the member with this name does.
    pub actor: Option<String>,
    /// Whose action begins with this.
    pub action: Option<String>,
    /// About this thing.
    pub subject_id: Option<Uuid>,
    /// Telling of this client.
    pub client_id: Option<Uuid>,
    /// Written at this instant or later.
    pub from_at: Option<Timestamp>,
    /// Written before this instant.
    pub to_at: Option<Timestamp>,
}

/// A place in the list, which begins with the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub audit_id: Uuid,
}

/// One entry.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct Row {
    pub audit_id: Uuid,
    pub at: Timestamp,
    pub actor: String,
    /// The member's name, where the actor is or was one.
    pub actor_name: Option<String>,
    pub source: Option<String>,
    pub request_id: Option<Uuid>,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub client_id: Option<Uuid>,
    /// The client's name.
    pub client: Option<String>,
    pub detail: Value,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Its place in the chain, once it is linked.
    pub seq: Option<i64>,
    /// Its hash.
    pub hash: Option<Vec<u8>>,
}

/// The entries of the filter after a place, newest first. One page of each table is read, then the newer half
/// of both; names are read once, not for each entry anew.
pub async fn list(tx: &mut TenantTx, filter: &Filter, after: Option<Place>, limit: i64) -> Result<Vec<Row>> {
    let tenant_id = tx.tenant_id();
    let place = after.unwrap_or(Place { at: Timestamp::MAX, audit_id: Uuid::max() });
    let rows = sqlx::query!(
        r#"WITH named AS MATERIALIZED (
             SELECT 'member ' || m.login_id AS actor, m.name FROM memberships m WHERE m.tenant_id = $1
             UNION ALL SELECT 'service ' || v.seat_id, v.name FROM service_seats v WHERE v.tenant_id = $1),
           k AS MATERIALIZED (SELECT k.client_id, k.name FROM clients k WHERE k.tenant_id = $1)
           SELECT e.audit_id AS "audit_id!", e.at AS "at!", e.actor AS "actor!", n.name AS "actor_name?", e.source, e.request_id,
             e.action AS "action!", e.subject_kind AS "subject_kind!", e.subject_id AS "subject_id!", e.client_id, k.name AS "client?",
             e.detail AS "detail!", e.before, e.after, c.seq AS "seq?", c.hash AS "hash?"
           FROM (SELECT * FROM (
             (SELECT a.tenant_id, a.audit_id, a.at, a.actor, a.source, a.request_id, a.action, a.subject_kind, a.subject_id, a.client_id,
                a.detail, a.before, a.after
              FROM audit a WHERE a.tenant_id = $1 AND (a.at, a.audit_id) < ($2, $3) AND a.at >= $4 AND a.at < $5
                AND ($6::text IS NULL OR position(lower($6) IN lower(a.actor)) > 0 OR right(a.actor, 43) = ANY (ARRAY(
                  SELECT 'member ' || m.login_id FROM memberships m WHERE m.tenant_id = $1 AND position(lower($6) IN lower(m.name)) > 0))
                  OR right(a.actor, 44) = ANY (ARRAY(
                  SELECT 'service ' || v.seat_id FROM service_seats v WHERE v.tenant_id = $1 AND position(lower($6) IN lower(v.name)) > 0)))
                AND ($7::text IS NULL OR starts_with(a.action, $7)) AND ($8::uuid IS NULL OR a.subject_id = $8) AND ($9::uuid IS NULL OR a.client_id = $9)
              ORDER BY a.at DESC, a.audit_id DESC LIMIT $10)
             UNION ALL
             (SELECT t.tenant_id, t.audit_id, t.at, t.actor, t.source, t.request_id, t.action, t.subject_kind, t.subject_id, NULL::uuid,
                t.detail, t.before, t.after
              FROM tenant_audit t WHERE t.tenant_id = $1 AND (t.at, t.audit_id) < ($2, $3) AND t.at >= $4 AND t.at < $5
                AND ($6::text IS NULL OR position(lower($6) IN lower(t.actor)) > 0 OR right(t.actor, 43) = ANY (ARRAY(
                  SELECT 'member ' || m.login_id FROM memberships m WHERE m.tenant_id = $1 AND position(lower($6) IN lower(m.name)) > 0))
                  OR right(t.actor, 44) = ANY (ARRAY(
                  SELECT 'service ' || v.seat_id FROM service_seats v WHERE v.tenant_id = $1 AND position(lower($6) IN lower(v.name)) > 0)))
                AND ($7::text IS NULL OR starts_with(t.action, $7)) AND ($8::uuid IS NULL OR t.subject_id = $8) AND $9::uuid IS NULL
              ORDER BY t.at DESC, t.audit_id DESC LIMIT $10)) both_tables
             ORDER BY at DESC, audit_id DESC LIMIT $10) e
           LEFT JOIN audit_chain c ON c.tenant_id = $1 AND c.audit_id = e.audit_id
           LEFT JOIN k ON k.client_id = e.client_id
           LEFT JOIN named n ON n.actor = right(e.actor, length(n.actor))
           ORDER BY e.at DESC, e.audit_id DESC"#,
        tenant_id,
        place.at.to_sqlx() as _,
        place.audit_id,
        filter.from_at.unwrap_or(Timestamp::UNIX_EPOCH).to_sqlx() as _,
        filter.to_at.unwrap_or(Timestamp::MAX).to_sqlx() as _,
        filter.actor.as_deref(),
        filter.action.as_deref(),
        filter.subject_id,
        filter.client_id,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    let row = rows.into_iter().map(|r| Row {
        audit_id: r.audit_id,
        at: r.at.to_jiff(),
        actor: r.actor,
        actor_name: r.actor_name,
        source: r.source,
        request_id: r.request_id,
        action: r.action,
        subject_kind: r.subject_kind,
        subject_id: r.subject_id,
        client_id: r.client_id,
        client: r.client,
        detail: r.detail,
        before: r.before,
        after: r.after,
        seq: r.seq,
        hash: r.hash,
    });
    Ok(row.collect())
}

/// How many entries written at `since` or later and before `until` are not linked.
pub async fn count_unlinked(tx: &mut TenantTx, since: Timestamp, until: Timestamp) -> Result<i64> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        // Each entry is linked once at most, so those that are linked are counted by their ids.
        r#"SELECT (SELECT count(*) FROM audit a WHERE a.tenant_id = $1 AND a.at >= $2 AND a.at < $3)
             + (SELECT count(*) FROM tenant_audit t WHERE t.tenant_id = $1 AND t.at >= $2 AND t.at < $3)
             - (SELECT count(*) FROM audit_chain c WHERE c.tenant_id = $1 AND c.audit_id = ANY (ARRAY(
                 SELECT a.audit_id FROM audit a WHERE a.tenant_id = $1 AND a.at >= $2 AND a.at < $3
                 UNION ALL SELECT t.audit_id FROM tenant_audit t WHERE t.tenant_id = $1 AND t.at >= $2 AND t.at < $3))) AS "n!""#,
        tenant_id,
        since.to_sqlx() as _,
        until.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}
