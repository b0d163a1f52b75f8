//! The board: what one reads in the morning.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx, nodes};

/// An incident that a person has to look at, or to answer.
#[derive(Clone, Debug)]
pub struct Need {
    /// Its id.
    pub incident_id: Uuid,
    /// Its title.
    pub title: String,
    /// `warning` or `critical`.
    pub severity: String,
    /// The client's name.
    pub client: String,
    /// The host of its first alert.
    pub host: Option<String>,
    /// Since when a person is needed; for one that only asks, since it opened.
    pub since: Timestamp,
    /// Why, once somebody was called.
    pub reason: Option<String>,
    /// Whether a run of it waits for a yes.
    pub asks: bool,
    /// Whom its newest mail to call somebody goes to.
    pub told: Option<String>,
    /// Who has it, and since when.
    pub owner: Option<(String, Timestamp)>,
    /// `queued`, `sent` or `failed`: what became of that mail.
    pub told_state: Option<String>,
    /// When that was.
    pub told_at: Option<Timestamp>,
}

/// What needs a person: critical ones first, the oldest first in each.
pub async fn list_needs(tx: &mut TenantTx, most: i64) -> Result<Vec<Need>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"WITH open AS MATERIALIZED (
             SELECT i.incident_id, i.client_id, i.title, i.severity, i.state, i.opened_at, i.escalated_at, i.escalation_reason, i.owner, i.taken_at,
               i.incident_id IN (SELECT r.incident_id FROM runs r WHERE r.tenant_id = $1 AND r.state = 'awaiting_approval') AS asks
             FROM incidents i WHERE i.tenant_id = $1 AND i.state <> 'closed')
           SELECT i.incident_id, i.title, i.severity, i.client, h.name AS "host?", i.since AS "since!",
             i.escalation_reason, i.owner, i.taken_at, i.asks AS "asks!", o.address AS "told?", o.state AS "told_state?", coalesce(o.ended_at, o.created_at) AS "told_at?"
           FROM (SELECT i.*, c.name AS client, coalesce(i.escalated_at, i.opened_at) AS since FROM open i
                 JOIN clients c ON c.tenant_id = $1 AND c.client_id = i.client_id AND c.archived_at IS NULL
                 WHERE i.state = 'escalated' OR i.asks
                 ORDER BY (i.severity = 'critical') DESC, since, i.incident_id LIMIT $2) i
           LEFT JOIN LATERAL (SELECT a.host_id FROM alerts a WHERE a.tenant_id = $1 AND a.incident_id = i.incident_id
                              ORDER BY a.opened_at, a.alert_id LIMIT 1) a ON true
           LEFT JOIN hosts h ON h.tenant_id = $1 AND h.host_id = a.host_id
           LEFT JOIN LATERAL (SELECT o.address, o.state, o.ended_at, o.created_at FROM outbox o
                              WHERE o.tenant_id = $1 AND o.incident_id = i.incident_id AND o.kind <> 'fixed' AND o.state <> 'withdrawn'
                              ORDER BY o.created_at DESC, o.outbox_id LIMIT 1) o ON true
           ORDER BY (i.severity = 'critical') DESC, i.since, i.incident_id"#,
        tenant_id,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Need {
            incident_id: r.incident_id,
            title: r.title,
            severity: r.severity,
            client: r.client,
            host: r.host,
            since: r.since.to_jiff(),
            reason: r.escalation_reason,
            asks: r.asks,
            owner: r.owner.zip(r.taken_at.map(|at| at.to_jiff())),
            told: r.told,
            told_state: r.told_state,
            told_at: r.told_at.map(|at| at.to_jiff()),
        })
        .collect())
}

/// A run that did not run: held now, or nobody said yes to it.
#[derive(Clone, Debug)]
pub struct Unrun {
    /// Its incident.
    pub incident_id: Uuid,
    /// The playbook's name.
    pub playbook: String,
    /// The host's name.
    pub host: String,
    /// The client's name.
    pub client: String,
    /// `held` or `expired`.
    pub state: String,
    /// Why, in the words of what stopped it.
    pub reason: Option<String>,
    /// When it was planned or, for one that lapsed, when that was.
    pub at: Timestamp,
    /// Until when it is held, if that is known.
    pub until: Option<Timestamp>,
}

/// Runs that are held now, the oldest first, then those that lapsed after `since`, the newest first.
pub async fn list_unrun(tx: &mut TenantTx, since: Timestamp, most: i64) -> Result<Vec<Unrun>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT r.incident_id AS "incident_id!", p.name AS playbook, h.name AS host, c.name AS client, r.state AS "state!", r.reason, r.at AS "at!", r.until
           FROM (SELECT * FROM (
                   SELECT r.run_id, r.incident_id, r.playbook_id, r.host_id, r.client_id, r.state, r.hold_reason AS reason, r.planned_at AS at, r.hold_until AS until
                   FROM runs r WHERE r.tenant_id = $1 AND r.state = 'held' AND r.ended_at IS NULL ORDER BY r.planned_at, r.run_id LIMIT $3) held
                 UNION ALL SELECT * FROM (
                   SELECT r.run_id, r.incident_id, r.playbook_id, r.host_id, r.client_id, r.state, r.end_reason, r.ended_at, NULL::timestamptz
                   FROM runs r WHERE r.tenant_id = $1 AND r.state = 'expired' AND r.admitted_at IS NULL AND r.mode = 'approve' AND r.ended_at > $2
                   ORDER BY r.ended_at DESC, r.run_id LIMIT $3) lapsed) r
           JOIN playbooks p ON p.tenant_id = $1 AND p.playbook_id = r.playbook_id
           JOIN hosts h ON h.tenant_id = $1 AND h.host_id = r.host_id
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = r.client_id AND c.archived_at IS NULL
           ORDER BY (r.state = 'held') DESC, CASE WHEN r.state = 'held' THEN r.at END, r.at DESC, r.run_id LIMIT $3"#,
        tenant_id,
        since.to_sqlx() as _,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Unrun {
            incident_id: r.incident_id,
            playbook: r.playbook,
            host: r.host,
            client: r.client,
            state: r.state,
            reason: r.reason,
            at: r.at.to_jiff(),
            until: r.until.map(|at| at.to_jiff()),
        })
        .collect())
}

/// Whether we look at all, and whether people hear of it.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Hosts whose agent is linked now.
    pub linked: i64,
    /// Hosts whose agent was heard once and is not linked.
    pub silent: i64,
    /// Hosts whose agent was never heard.
    pub never: i64,
    /// When a mail was taken by the relay last.
    pub mailed_at: Option<Timestamp>,
    /// Mails that the relay did not take, after `since`.
    pub mails_failed: i64,
    /// Mails that wait.
    pub mails_queued: i64,
}

/// How we watch now; mails that failed are counted after `since`.
pub async fn find_watch(tx: &mut TenantTx, since: Timestamp) -> Result<Watch> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let alive = now - nodes::DEAD_AFTER;
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE is_heard(l.epoch, l.unlinked_at, n.seen_at, $2)) AS "linked!",
             count(*) FILTER (WHERE l.epoch > 0 AND NOT is_heard(l.epoch, l.unlinked_at, n.seen_at, $2)) AS "silent!",
             count(*) FILTER (WHERE coalesce(l.epoch, 0) = 0) AS "never!",
             (SELECT max(o.ended_at) FROM outbox o WHERE o.tenant_id = $1 AND o.state = 'sent') AS mailed_at,
             (SELECT count(*) FROM outbox o WHERE o.tenant_id = $1 AND o.state = 'failed' AND o.ended_at > $3) AS "mails_failed!",
             (SELECT count(*) FROM outbox o WHERE o.tenant_id = $1 AND o.state = 'queued') AS "mails_queued!"
           FROM hosts h
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = h.client_id AND c.archived_at IS NULL
           LEFT JOIN host_links l ON l.tenant_id = $1 AND l.host_id = h.host_id
           LEFT JOIN nodes n ON n.node_id = l.node_id
           WHERE h.tenant_id = $1 AND h.state <> 'retired'"#,
        tenant_id,
        alive.to_sqlx() as _,
        since.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Watch {
        linked: row.linked,
        silent: row.silent,
        never: row.never,
        mailed_at: row.mailed_at.map(|at| at.to_jiff()),
        mails_failed: row.mails_failed,
        mails_queued: row.mails_queued,
    })
}

/// A host whose agent was heard and is not linked.
#[derive(Clone, Debug)]
pub struct Silent {
    /// The host.
    pub host_id: Uuid,
    /// Its name.
    pub host: String,
    /// Since when.
    pub since: Timestamp,
}

/// The hosts that are silent, the longest first.
pub async fn list_silent(tx: &mut TenantTx, most: i64) -> Result<Vec<Silent>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let alive = now - nodes::DEAD_AFTER;
    let rows = sqlx::query!(
        r#"SELECT h.host_id, h.name, coalesce(l.unlinked_at, greatest(n.seen_at, l.linked_at)) AS "since!"
           FROM host_links l
           JOIN hosts h ON h.tenant_id = $1 AND h.host_id = l.host_id AND h.state <> 'retired'
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = h.client_id AND c.archived_at IS NULL
           LEFT JOIN nodes n ON n.node_id = l.node_id
           WHERE l.tenant_id = $1 AND l.epoch > 0 AND NOT is_heard(l.epoch, l.unlinked_at, n.seen_at, $2)
           ORDER BY 3, h.host_id LIMIT $3"#,
        tenant_id,
        alive.to_sqlx() as _,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| Silent { host_id: r.host_id, host: r.name, since: r.since.to_jiff() }).collect())
}

/// A fix that was verified.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Its incident.
    pub incident_id: Uuid,
    /// The incident's title.
    pub title: String,
    /// The client's name.
    pub client: String,
    /// The host's name.
    pub host: String,
    /// When it was found fixed.
    pub at: Timestamp,
    /// Since when it was bad.
    pub bad_since: Timestamp,
    /// Whether it came back within its watch.
    pub relapsed: bool,
    /// How many there are in all, this one included.
    pub all: i64,
}

/// What was fixed after `since`: what came back first, then the newest first.
pub async fn list_fixed(tx: &mut TenantTx, since: Timestamp, most: i64) -> Result<Vec<Fixed>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT m.incident_id, i.title, c.name AS client, h.name AS host, m.closed_at AS "at!", a.opened_at AS bad_since,
             m.relapsed_at IS NOT NULL AS "relapsed!", m.counted AS "all!"
           FROM (SELECT m.remediation_id, m.alert_id, m.incident_id, m.client_id, m.closed_at, m.relapsed_at, count(*) OVER () AS counted
                 FROM remediations m WHERE m.tenant_id = $1 AND m.outcome = 'fixed' AND m.closed_at > $2
                 ORDER BY m.relapsed_at IS NULL, m.closed_at DESC, m.remediation_id LIMIT $3) m
           JOIN alerts a ON a.tenant_id = $1 AND a.alert_id = m.alert_id
           JOIN hosts h ON h.tenant_id = $1 AND h.host_id = a.host_id
           JOIN incidents i ON i.tenant_id = $1 AND i.incident_id = m.incident_id
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = m.client_id
           ORDER BY m.relapsed_at IS NULL, m.closed_at DESC, m.remediation_id"#,
        tenant_id,
        since.to_sqlx() as _,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Fixed {
            incident_id: r.incident_id,
            title: r.title,
            client: r.client,
            host: r.host,
            at: r.at.to_jiff(),
            bad_since: r.bad_since.to_jiff(),
            relapsed: r.relapsed,
            all: r.all,
        })
        .collect())
}

/// A client, with how it stands.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub client_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its hosts that are not retired.
    pub hosts: i64,
    /// Open incidents that are critical.
    pub critical: i64,
    /// Open incidents that are warnings.
    pub warning: i64,
    /// Open incidents that a person was called to.
    pub needs_you: i64,
    /// Fixes verified after `since`.
    pub fixed: i64,
}

/// The clients that are not archived, worst first.
pub async fn list_clients(tx: &mut TenantTx, since: Timestamp, most: i64) -> Result<Vec<Client>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Client,
        r#"SELECT c.client_id, c.name, coalesce(h.hosts, 0) AS "hosts!",
             coalesce(i.critical, 0) AS "critical!", coalesce(i.warning, 0) AS "warning!", coalesce(i.needs_you, 0) AS "needs_you!",
             (SELECT count(*) FROM remediations m WHERE m.tenant_id = $1 AND m.client_id = c.client_id AND m.outcome = 'fixed' AND m.closed_at > $2) AS "fixed!"
           FROM clients c
           LEFT JOIN (
             SELECT i.client_id, count(*) FILTER (WHERE i.severity = 'critical') AS critical, count(*) FILTER (WHERE i.severity = 'warning') AS warning,
                    count(*) FILTER (WHERE i.state = 'escalated') AS needs_you
             FROM incidents i WHERE i.tenant_id = $1 AND i.state <> 'closed' GROUP BY i.client_id) i ON i.client_id = c.client_id
           LEFT JOIN (SELECT h.client_id, count(*) AS hosts FROM hosts h WHERE h.tenant_id = $1 AND h.state <> 'retired' GROUP BY h.client_id) h
             ON h.client_id = c.client_id
           WHERE c.tenant_id = $1 AND c.archived_at IS NULL
           ORDER BY (i.needs_you > 0 AND i.critical > 0) IS TRUE DESC, coalesce(i.needs_you, 0) DESC, coalesce(i.critical, 0) DESC, coalesce(i.warning, 0) DESC, c.name, c.client_id LIMIT $3"#,
        tenant_id,
        since.to_sqlx() as _,
        most
    )
    .fetch_all(tx.conn())
    .await?)
}
