//! The list of clients, and what the page of one shows.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx, nodes};

/// Which clients are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that are looked after.
    Active,
    /// Those that are archived.
    Archived,
}

/// One client, with how it stands.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub client_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its sites.
    pub sites: i64,
    /// Its hosts that are not retired.
    pub hosts: i64,
    /// Those of them whose agent is not heard.
    pub silent: i64,
    /// Open incidents that are critical.
    pub critical: i64,
    /// Open incidents that are warnings.
    pub warning: i64,
    /// Open incidents that a person was called to.
    pub needs_you: i64,
    /// Whether all actions are stopped there.
    pub is_stopped: bool,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
}

/// The clients, worst first; `most` at most. Everything is counted once, not for each client anew.
pub async fn list(tx: &mut TenantTx, which: Which, most: i64) -> Result<Vec<Row>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let alive = now - nodes::DEAD_AFTER;
    let rows = sqlx::query!(
        r#"WITH i AS MATERIALIZED (
             SELECT i.client_id, count(*) FILTER (WHERE i.severity = 'critical') AS critical, count(*) FILTER (WHERE i.severity = 'warning') AS warning,
                    count(*) FILTER (WHERE i.state = 'escalated') AS needs_you
             FROM incidents i WHERE i.tenant_id = $1 AND i.state <> 'closed' GROUP BY i.client_id),
           h AS MATERIALIZED (
             SELECT h.client_id, count(*) AS hosts, count(*) FILTER (WHERE NOT is_heard(l.epoch, l.unlinked_at, n.seen_at, $2)) AS silent
             FROM hosts h
             LEFT JOIN host_links l ON l.tenant_id = $1 AND l.host_id = h.host_id
             LEFT JOIN nodes n ON n.node_id = l.node_id
             WHERE h.tenant_id = $1 AND h.state <> 'retired' GROUP BY h.client_id),
           s AS MATERIALIZED (SELECT s.client_id, count(*) AS sites FROM sites s WHERE s.tenant_id = $1 GROUP BY s.client_id),
           b AS MATERIALIZED (
             SELECT b.scope_key, b.frozen FROM guardrail_buckets b WHERE b.tenant_id = $1 AND b.scope_kind = 'client')
           SELECT c.client_id, c.name, c.archived_at, coalesce(i.critical, 0) AS "critical!", coalesce(i.warning, 0) AS "warning!",
             coalesce(i.needs_you, 0) AS "needs_you!", coalesce(h.hosts, 0) AS "hosts!", coalesce(h.silent, 0) AS "silent!",
             coalesce(s.sites, 0) AS "sites!", coalesce(b.frozen, false) AS "is_stopped!"
           FROM clients c
           LEFT JOIN i ON i.client_id = c.client_id
           LEFT JOIN h ON h.client_id = c.client_id
           LEFT JOIN s ON s.client_id = c.client_id
           LEFT JOIN b ON b.scope_key = c.client_id::text
           WHERE c.tenant_id = $1 AND (c.archived_at IS NOT NULL) = $3
           ORDER BY (i.needs_you > 0 AND i.critical > 0) IS TRUE DESC, coalesce(i.needs_you, 0) DESC, coalesce(i.critical, 0) DESC, coalesce(i.warning, 0) DESC,
             coalesce(h.silent, 0) DESC, lower(c.name), c.client_id
           LIMIT $4"#,
        tenant_id,
        alive.to_sqlx() as _,
        which == Which::Archived,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Row {
            client_id: r.client_id,
            name: r.name,
            sites: r.sites,
            hosts: r.hosts,
            silent: r.silent,
            critical: r.critical,
            warning: r.warning,
            needs_you: r.needs_you,
            is_stopped: r.is_stopped,
            archived_at: r.archived_at.map(|at| at.to_jiff()),
        })
        .collect())
}

/// How many clients are archived.
pub async fn count_archived(tx: &mut TenantTx) -> Result<i64> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM clients WHERE tenant_id = $1 AND archived_at IS NOT NULL"#,
        tenant_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// How the hosts of a client stand with one check.
#[derive(Clone, Debug)]
pub struct CheckTally {
    /// The check.
    pub check_id: Uuid,
    /// Hosts, or targets of them, that are ok.
    pub ok: i64,
    /// At warning.
    pub warning: i64,
    /// At critical.
    pub critical: i64,
    /// Without data.
    pub no_data: i64,
}

/// By check, of a client's hosts that are not retired.
pub async fn list_check_tallies(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<CheckTally>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        CheckTally,
        r#"SELECT s.check_id, count(*) FILTER (WHERE s.verdict = 'ok') AS "ok!", count(*) FILTER (WHERE s.verdict = 'warning') AS "warning!",
             count(*) FILTER (WHERE s.verdict = 'critical') AS "critical!", count(*) FILTER (WHERE s.verdict = 'no_data') AS "no_data!"
           FROM hosts h JOIN check_states s ON s.tenant_id = $1 AND s.host_id = h.host_id AND s.client_id = $2
           WHERE h.tenant_id = $1 AND h.client_id = $2 AND h.state <> 'retired' GROUP BY s.check_id"#,
        tenant_id,
        client_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What opened at a client in a stretch of time, by how it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// All of them.
    pub opened: i64,
    /// Closed as fixed.
    pub fixed: i64,
    /// Ok again before anything ran.
    pub recovered: i64,
    /// A person was called to them.
    pub called: i64,
    /// Still open.
    pub open: i64,
}

/// Of what opened at a client after `since`.
pub async fn find_ended(tx: &mut TenantTx, client_id: Uuid, since: Timestamp) -> Result<Ended> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Ended,
        r#"SELECT count(*) AS "opened!", count(*) FILTER (WHERE outcome = 'fixed') AS "fixed!",
             count(*) FILTER (WHERE outcome = 'recovered' AND escalated_at IS NULL) AS "recovered!",
             count(*) FILTER (WHERE escalated_at IS NOT NULL) AS "called!", count(*) FILTER (WHERE state <> 'closed') AS "open!"
           FROM incidents WHERE tenant_id = $1 AND client_id = $2 AND opened_at >= $3"#,
        tenant_id,
        client_id,
        since.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}
