//! The list of hosts, and one host.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, TenantTx, nodes};

/// One host, with how its checks stand.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub host_id: Uuid,
    /// Its client's id.
    pub client_id: Uuid,
    /// Where it stands.
    pub site_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// Its client's name.
    pub client: String,
    /// `trusted`, `quarantined` or `retired`.
    pub state: String,
    /// Why it is quarantined.
    pub quarantine_reason: Option<String>,
    /// Whether it came by a token for many and nobody has accepted it yet.
    pub is_newcomer: bool,
    /// When it enrolled.
    pub enrolled_at: Timestamp,
    /// Its tags.
    pub tags: Value,
    /// Its agent's version.
    pub agent_version: Option<String>,
    /// When it was booted.
    pub booted_at: Option<Timestamp>,
    /// Its own limits, as its agent told them.
    pub own_limits: Option<Value>,
    /// Sentences of its agent.
    pub notes: Value,
    /// When the newest link began; none while the agent was never heard.
    pub linked_at: Option<Timestamp>,
    /// When the newest link ended: it closed, or its node was seen last.
    pub unlinked_at: Option<Timestamp>,
    /// Checks that are ok.
    pub ok: i64,
    /// Checks at warning.
    pub warning: i64,
    /// Checks at critical.
    pub critical: i64,
    /// Checks without data.
    pub no_data: i64,
}

/// Which hosts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// All of them.
    All,
    /// Those that wait to be accepted.
    Newcomers,
    /// A page of the list.
    Page {
        /// Of this client alone.
        client: Option<Uuid>,
        /// Those whose name contains it, in whatever case.
        name: Option<&'a str>,
        /// Those that come after this host.
        after: Option<Uuid>,
    },
    /// A client's.
    Client(Uuid),
    /// One.
    Host(Uuid),
}

/// The hosts that are not retired.
pub async fn list(tx: &mut TenantTx, of: Of<'_>, limit: i64) -> Result<Vec<Row>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let alive = now - nodes::DEAD_AFTER;
    let (mut host_id, mut client_id, mut wanted, mut behind) = (None, None, None, None);
    match of {
        Of::All | Of::Newcomers => {}
        Of::Client(client) => client_id = Some(client),
        Of::Host(host) => host_id = Some(host),
        Of::Page { client, name, after } => (client_id, wanted, behind) = (client, name, after),
    }
    let rows = sqlx::query!(
        // They are picked before anything of them is counted.
        r#"WITH h AS MATERIALIZED (
             SELECT h.*, c.name AS client, w.is_newcomer FROM hosts h JOIN clients c ON c.tenant_id = $1 AND c.client_id = h.client_id
             CROSS JOIN LATERAL (SELECT h.token_id IS NOT NULL AND h.accepted_at IS NULL AND h.state = 'quarantined' AS is_newcomer) w
             WHERE h.tenant_id = $1 AND h.state <> 'retired' AND ($2::uuid IS NULL OR h.host_id = $2) AND ($5::uuid IS NULL OR h.client_id = $5)
               AND ($6::text IS NULL OR strpos(lower(h.name), lower($6)) > 0)
               AND ($7::uuid IS NULL OR (c.name, h.name, h.host_id) > (
                 SELECT c.name, h.name, h.host_id FROM hosts h JOIN clients c ON c.tenant_id = $1 AND c.client_id = h.client_id WHERE h.tenant_id = $1 AND h.host_id = $7))
               AND (NOT $8 OR w.is_newcomer)
             ORDER BY c.name, h.name, h.host_id LIMIT $3)
           SELECT h.host_id, h.client_id, h.site_id, h.name, h.client, h.state, h.quarantine_reason, h.tags, h.enrolled_at,
             h.is_newcomer AS "is_newcomer!", h.agent_version, h.booted_at, h.own_limits, h.notes,
             CASE WHEN l.epoch > 0 THEN l.linked_at END AS "linked_at?",
             coalesce(l.unlinked_at, CASE WHEN n.seen_at > $4 THEN NULL ELSE greatest(n.seen_at, l.linked_at) END) AS "unlinked_at?",
             s.ok AS "ok!", s.warning AS "warning!", s.critical AS "critical!", s.no_data AS "no_data!"
           FROM h
           LEFT JOIN host_links l ON l.tenant_id = $1 AND l.host_id = h.host_id
           LEFT JOIN nodes n ON n.node_id = l.node_id
           CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE verdict = 'ok') AS ok, count(*) FILTER (WHERE verdict = 'warning') AS warning,
                    count(*) FILTER (WHERE verdict = 'critical') AS critical, count(*) FILTER (WHERE verdict = 'no_data') AS no_data
             FROM check_states s WHERE s.tenant_id = $1 AND s.host_id = h.host_id) s
           ORDER BY h.client, h.name, h.host_id"#,
        tenant_id,
        host_id,
        limit,
        alive.to_sqlx() as _,
        client_id,
        wanted,
        behind,
        of == Of::Newcomers
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Row {
            host_id: r.host_id,
            client_id: r.client_id,
            site_id: r.site_id,
            name: r.name,
            client: r.client,
            state: r.state,
            quarantine_reason: r.quarantine_reason,
            is_newcomer: r.is_newcomer,
            enrolled_at: r.enrolled_at.to_jiff(),
            tags: r.tags,
            agent_version: r.agent_version,
            booted_at: r.booted_at.map(|at| at.to_jiff()),
            own_limits: r.own_limits,
            notes: r.notes,
            linked_at: r.linked_at.map(|at| at.to_jiff()),
            unlinked_at: r.unlinked_at.map(|at| at.to_jiff()),
            ok: r.ok,
            warning: r.warning,
            critical: r.critical,
            no_data: r.no_data,
        })
        .collect())
}

/// How many hosts there are that are not retired, and how many of them are not heard now.
pub async fn count_heard(tx: &mut TenantTx) -> Result<(i64, i64)> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let alive = now - nodes::DEAD_AFTER;
    let row = sqlx::query!(
        r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE NOT is_heard(l.epoch, l.unlinked_at, n.seen_at, $2)) AS "silent!"
           FROM hosts h
           LEFT JOIN host_links l ON l.tenant_id = $1 AND l.host_id = h.host_id
           LEFT JOIN nodes n ON n.node_id = l.node_id
           WHERE h.tenant_id = $1 AND h.state <> 'retired'"#,
        tenant_id,
        alive.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.all, row.silent))
}

/// Hosts of a client that have the same tags and limits of their own.
#[derive(Clone, Debug)]
pub struct Limited {
    /// Their client's name.
    pub client: String,
    /// Their names.
    pub names: Vec<String>,
    /// Their tags.
    pub tags: Value,
    /// Their own limits as their agents told them, as JSON.
    pub own_limits: String,
}

/// The hosts that have told their own limits, `most` at most: of a client, or of all.
pub async fn list_limited(tx: &mut TenantTx, client_id: Option<Uuid>, most: i64) -> Result<Vec<Limited>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Limited,
        r#"SELECT l.client, l.tags, l.own_limits::text AS "own_limits!", array_agg(l.name) AS "names!"
           FROM (SELECT c.client_id, c.name AS client, h.name, h.tags, h.own_limits
                 FROM hosts h JOIN clients c ON c.tenant_id = $1 AND c.client_id = h.client_id AND (c.archived_at IS NULL OR c.client_id = $2)
                 WHERE h.tenant_id = $1 AND h.state <> 'retired' AND h.own_limits IS NOT NULL AND ($2::uuid IS NULL OR h.client_id = $2)
                 ORDER BY h.host_id LIMIT $3) l
           GROUP BY l.client_id, l.client, l.tags, l.own_limits"#,
        tenant_id,
        client_id,
        most
    )
    .fetch_all(tx.conn())
    .await?)
}

/// How many hosts there are.
pub async fn count(tx: &mut TenantTx) -> Result<i64> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM hosts WHERE tenant_id = $1 AND state <> 'retired'"#,
        tenant_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// How many hosts of a client are planned and have not enrolled.
pub async fn count_planned(tx: &mut TenantTx, client_id: Uuid) -> Result<i64> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT count(DISTINCT host_name) AS "n!" FROM enrolments
           WHERE tenant_id = $1 AND client_id = $2 AND spent_at IS NULL AND expires_at > $3"#,
        tenant_id,
        client_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}

/// A stretch of hands off.
#[derive(Clone, Debug)]
pub struct HandsOff {
    /// `host` or `client`.
    pub scope_kind: String,
    /// The host's or the client's id.
    pub scope_key: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub started_by: String,
    /// From.
    pub started_at: Timestamp,
    /// Until.
    pub ends_at: Timestamp,
    /// When it was ended before its time.
    pub ended_at: Option<Timestamp>,
    /// By whom.
    pub ended_by: Option<String>,
}

/// Every stretch of hands off, on hosts and clients, that lasted at `since` or began after it.
pub async fn list_hands_off(tx: &mut TenantTx, since: Timestamp) -> Result<Vec<HandsOff>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT scope_kind, scope_key, reason, started_by, started_at, ends_at, ended_at, ended_by FROM hands_off
         WHERE tenant_id = $1 AND coalesce(ended_at, ends_at) > $2 ORDER BY started_at LIMIT 1000",
        tenant_id,
        since.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| HandsOff {
            scope_kind: r.scope_kind,
            scope_key: r.scope_key,
            reason: r.reason,
            started_by: r.started_by,
            started_at: r.started_at.to_jiff(),
            ends_at: r.ends_at.to_jiff(),
            ended_at: r.ended_at.map(|at| at.to_jiff()),
            ended_by: r.ended_by,
        })
        .collect())
}

/// One check on one target of a host.
#[derive(Clone, Debug)]
pub struct CheckRow {
    /// The check, if it was made for this host on its page.
    pub made_here: Option<Uuid>,
    /// The check's name.
    pub check: String,
    /// The target.
    pub target: String,
    /// The check's definition.
    pub definition: Value,
    /// The verdict.
    pub verdict: String,
    /// Since when.
    pub verdict_at: Timestamp,
    /// What it may become when its hold time is over.
    pub pending_verdict: Option<String>,
    /// Why something that looks bad is excused.
    pub excused: Option<String>,
    /// What was read last.
    pub readings: Value,
    /// When.
    pub observed_at: Timestamp,
}

/// The checks of a host, worst first.
pub async fn list_checks(tx: &mut TenantTx, host_id: Uuid) -> Result<Vec<CheckRow>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT c.name, c.definition, s.target, s.verdict, s.verdict_at, s.pending_verdict, s.excused, s.readings, s.observed_at,
           CASE WHEN c.made_for_host = s.host_id THEN c.check_id END AS "made_here?"
         FROM check_states s JOIN checks c ON c.tenant_id = $1 AND c.check_id = s.check_id AND c.archived_at IS NULL
         WHERE s.tenant_id = $1 AND s.host_id = $2
         ORDER BY array_position(ARRAY['critical', 'warning', 'no_data', 'ok'], s.verdict), c.name, s.target LIMIT 500"#,
        tenant_id,
        host_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| CheckRow {
            made_here: r.made_here,
            check: r.name,
            target: r.target,
            definition: r.definition,
            verdict: r.verdict,
            verdict_at: r.verdict_at.to_jiff(),
            pending_verdict: r.pending_verdict,
            excused: r.excused,
            readings: r.readings,
            observed_at: r.observed_at.to_jiff(),
        })
        .collect())
}
