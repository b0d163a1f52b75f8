//! The list of incidents.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// One incident, with the host of its first alert and its newest run.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub incident_id: Uuid,
    /// Its title.
    pub title: String,
    /// `open`, `escalated` or `closed`.
    pub state: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// `fixed`, `recovered` or `by_person`, once closed.
    pub outcome: Option<String>,
    /// Why a person was asked.
    pub escalation_reason: Option<String>,
    /// The client's name.
    pub client: String,
    /// The host of its first alert.
    pub host: Option<(Uuid, String)>,
    /// The newest run's state.
    pub run_state: Option<String>,
    /// Why the newest run is held.
    pub hold_reason: Option<String>,
    /// The newest run's playbook.
    pub playbook: Option<String>,
    /// Who has it.
    pub owner: Option<String>,
}

/// A row as it is stored.
struct Stored {
    incident_id: Uuid,
    title: String,
    state: String,
    opened_at: jiff_sqlx::Timestamp,
    closed_at: Option<jiff_sqlx::Timestamp>,
    outcome: Option<String>,
    escalation_reason: Option<String>,
    client: String,
    host_id: Option<Uuid>,
    host: Option<String>,
    run_state: Option<String>,
    hold_reason: Option<String>,
    playbook: Option<String>,
    owner: Option<String>,
}

impl From<Stored> for Row {
    fn from(r: Stored) -> Row {
        Row {
            incident_id: r.incident_id,
            title: r.title,
            state: r.state,
            opened_at: r.opened_at.to_jiff(),
            closed_at: r.closed_at.map(|at| at.to_jiff()),
            outcome: r.outcome,
            escalation_reason: r.escalation_reason,
            client: r.client,
            host: r.host_id.zip(r.host),
            run_state: r.run_state,
            hold_reason: r.hold_reason,
            playbook: r.playbook,
            owner: r.owner,
        }
    }
}

/// Which incidents are looked for; what is none is not asked.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only open ones, or only closed ones.
    pub is_open: Option<bool>,
    /// Of the open ones those that stand so: `needs_you`, `held`, `watching` or `healing`.
    pub standing: Option<&'static str>,
    /// Of the closed ones those with this outcome.
    pub outcome: Option<&'static str>,
    /// Of this client.
    pub client_id: Option<Uuid>,
    /// With an alert on a host whose name contains this, whatever its case.
    pub host: Option<String>,
    /// With an alert of a check of this kind.
    pub kind: Option<String>,
    /// Opened at this instant or later.
    pub from_at: Option<Timestamp>,
    /// Opened before this instant.
    pub to_at: Option<Timestamp>,
}

/// A place in the list: open ones come first, then the newest, and of one instant the greater id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whether it is open.
    pub is_open: bool,
    /// When it opened.
    pub opened_at: Timestamp,
    /// Its id.
    pub incident_id: Uuid,
}

impl Filter {
    /// The last place there can be.
    fn end(&self) -> Place {
        Place { is_open: self.is_open == Some(true), opened_at: Timestamp::UNIX_EPOCH, incident_id: Uuid::nil() }
    }

    /// Beyond the first place there can be.
    fn start(&self) -> Place {
        Place { is_open: self.is_open != Some(false), opened_at: Timestamp::MAX, incident_id: Uuid::max() }
    }
}

/// A statement on the incidents that a filter finds from a place on: what it selects from `incidents i`, and what follows.
macro_rules! on_found {
    ($query:ident!($(as $row:ident,)? $tx:expr, $filter:expr, $before:expr, $limit:expr, $begin:literal, $end:literal)) => {{
        let (filter, before, end): (&Filter, Place, Place) = ($filter, $before, $filter.end());
        sqlx::$query!(
            $($row,)?
            $begin + r#"
           WHERE i.tenant_id = $1
             AND (i.state <> 'closed', i.opened_at, i.incident_id) < ($2, $3, $4) AND (i.state <> 'closed', i.opened_at, i.incident_id) > ($5, $6, $7)
             AND i.opened_at >= $8 AND i.opened_at < $9 AND ($10::uuid IS NULL OR i.client_id = $10) AND ($11::text IS NULL OR i.outcome = $11)
             AND ($12::text IS NULL OR i.incident_id IN (SELECT x.incident_id FROM alerts x WHERE x.tenant_id = $1 AND x.host_id = ANY (ARRAY(
               SELECT h.host_id FROM hosts h WHERE h.tenant_id = $1 AND position(lower($12) IN lower(h.name)) > 0))))
             AND ($13::text IS NULL OR EXISTS (SELECT 1 FROM alerts x WHERE x.tenant_id = $1 AND x.incident_id = i.incident_id AND x.check_id = ANY (ARRAY(
               SELECT z.check_id FROM checks z WHERE z.tenant_id = $1 AND z.kind = $13))))
             AND ($14::text IS NULL OR $14 = (SELECT CASE
               WHEN r.state = 'held' THEN 'held' WHEN i.state = 'escalated' OR r.state IN ('awaiting_approval', 'unknown') THEN 'needs_you'
               WHEN r.state = 'observed' THEN 'watching' ELSE 'healing' END
               FROM (SELECT (SELECT r.state FROM runs r WHERE r.tenant_id = $1 AND r.incident_id = i.incident_id
                             ORDER BY r.planned_at DESC, r.rung DESC LIMIT 1) AS state) r))
           "# + $end,
            $tx.tenant_id(),
            before.is_open,
            before.opened_at.to_sqlx() as _,
            before.incident_id,
            end.is_open,
            end.opened_at.to_sqlx() as _,
            end.incident_id,
            filter.from_at.unwrap_or(Timestamp::UNIX_EPOCH).to_sqlx() as _,
            filter.to_at.unwrap_or(Timestamp::MAX).to_sqlx() as _,
            filter.client_id,
            filter.outcome,
            filter.host.as_deref(),
            filter.kind.as_deref(),
            filter.standing,
            $limit
        )
    }};
}

/// The incidents of the filter after a place, in the order of [`Place`]; from the beginning without one.
pub async fn list(tx: &mut TenantTx, filter: &Filter, after: Option<Place>, limit: i64) -> Result<Vec<Row>> {
    let before = after.unwrap_or_else(|| filter.start());
    let rows = on_found!(query_as!(
        as Stored,
        tx,
        filter,
        before,
        limit,
        r#"WITH c AS MATERIALIZED (SELECT c.client_id, c.name FROM clients c WHERE c.tenant_id = $1),
           p AS MATERIALIZED (SELECT p.playbook_id, p.name FROM playbooks p WHERE p.tenant_id = $1)
           SELECT i.incident_id, i.title, i.state, i.opened_at, i.closed_at, i.outcome, i.escalation_reason, c.name AS client,
             h.host_id AS "host_id?", h.name AS "host?", r.state AS "run_state?", r.hold_reason AS "hold_reason?", p.name AS "playbook?", i.owner
           FROM (SELECT i.* FROM incidents i"#,
        r#"ORDER BY (i.state <> 'closed') DESC, i.opened_at DESC, i.incident_id DESC LIMIT $15) i
           JOIN c ON c.client_id = i.client_id
           LEFT JOIN LATERAL (SELECT a.host_id FROM alerts a WHERE a.tenant_id = $1 AND a.incident_id = i.incident_id
                              ORDER BY a.opened_at, a.alert_id LIMIT 1) a ON true
           LEFT JOIN hosts h ON h.tenant_id = $1 AND h.host_id = a.host_id
           LEFT JOIN LATERAL (SELECT r.state, r.hold_reason, r.playbook_id FROM runs r WHERE r.tenant_id = $1 AND r.incident_id = i.incident_id
                              ORDER BY r.planned_at DESC, r.rung DESC LIMIT 1) r ON true
           LEFT JOIN p ON p.playbook_id = r.playbook_id
           ORDER BY (i.state <> 'closed') DESC, i.opened_at DESC, i.incident_id DESC"#
    ))
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// How many incidents the filter finds, up to `most`.
pub async fn count(tx: &mut TenantTx, filter: &Filter, most: i64) -> Result<i64> {
    let n = on_found!(query_scalar!(
        tx,
        filter,
        filter.start(),
        most,
        r#"SELECT count(*) AS "n!" FROM (SELECT 1 FROM incidents i"#,
        "LIMIT $15) found"
    ))
    .fetch_one(tx.conn())
    .await?;
    Ok(n)
}

/// The newest incidents of one host, open ones first.
pub async fn list_of_host(tx: &mut TenantTx, host_id: Uuid, limit: i64) -> Result<Vec<Row>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        Stored,
        r#"SELECT i.incident_id, i.title, i.state, i.opened_at, i.closed_at, i.outcome, i.escalation_reason, c.name AS client,
             h.host_id AS "host_id?", h.name AS "host?", r.state AS "run_state?", r.hold_reason AS "hold_reason?", p.name AS "playbook?", i.owner
           FROM incidents i
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = i.client_id
           LEFT JOIN LATERAL (SELECT a.host_id FROM alerts a WHERE a.tenant_id = $1 AND a.incident_id = i.incident_id
                              ORDER BY a.opened_at, a.alert_id LIMIT 1) a ON true
           LEFT JOIN hosts h ON h.tenant_id = $1 AND h.host_id = a.host_id
           LEFT JOIN LATERAL (SELECT r.state, r.hold_reason, r.playbook_id FROM runs r WHERE r.tenant_id = $1 AND r.incident_id = i.incident_id
                              ORDER BY r.planned_at DESC, r.rung DESC LIMIT 1) r ON true
           LEFT JOIN playbooks p ON p.tenant_id = $1 AND p.playbook_id = r.playbook_id
           WHERE i.tenant_id = $1
             AND EXISTS (SELECT 1 FROM alerts x WHERE x.tenant_id = $1 AND x.host_id = $2 AND x.incident_id = i.incident_id)
           ORDER BY (i.state = 'closed'), i.opened_at DESC, i.incident_id LIMIT $3"#,
        tenant_id,
        host_id,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// The kinds of checks there are.
pub async fn list_kinds(tx: &mut TenantTx) -> Result<Vec<String>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!("SELECT DISTINCT kind FROM checks WHERE tenant_id = $1 ORDER BY kind", tenant_id)
        .fetch_all(tx.conn())
        .await?)
}
