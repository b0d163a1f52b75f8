//! How days and nights went: what was healed without a person (by the rule of [`super::healed`]), whom we woke, and where we
//! were blind for a while. Days are those of a time zone; a night is from 22:00 to 06:00 and has the date of its morning.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// One day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Which.
    pub date: Date,
    /// Incidents that opened then and were healed without a person.
    pub healed: i64,
    /// Those that needed a person.
    pub called: i64,
    /// Incidents of the night before this morning that a person was mailed about, within the night.
    pub pages_sent: i64,
    /// Incidents of that night that were healed without a person.
    pub pages_avoided: i64,
}

/// The days after `since` on which something happened, oldest first; archived clients are left out.
pub async fn list_days(tx: &mut TenantTx, since: Timestamp, zone: &str) -> Result<Vec<Day>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"WITH opened AS (
             SELECT i.opened_at AT TIME ZONE $3 AS at,
               (i.outcome = 'fixed' AND i.escalated_at IS NULL
                 AND i.incident_id NOT IN (SELECT m.incident_id FROM remediations m WHERE m.tenant_id = $1 AND m.relapsed_at IS NOT NULL)
                 AND i.incident_id NOT IN (SELECT r.incident_id FROM approvals a JOIN runs r ON r.tenant_id = $1 AND r.run_id = a.run_id
                                           WHERE a.tenant_id = $1 AND a.answered_at >= $2)) IS TRUE AS healed
             FROM incidents i
             JOIN clients c ON c.tenant_id = $1 AND c.client_id = i.client_id AND c.archived_at IS NULL
             WHERE i.tenant_id = $1 AND i.opened_at >= $2 AND (i.escalated_at IS NOT NULL OR i.outcome <> 'recovered')),
           woken AS (
             SELECT o.incident_id, min(o.ended_at) AT TIME ZONE $3 AS at FROM outbox o
             WHERE o.tenant_id = $1 AND o.state = 'sent' AND o.kind <> 'fixed' AND o.ended_at >= $2 GROUP BY o.incident_id),
           counted AS (
             SELECT at::date AS day, healed::int AS healed, (NOT healed)::int AS called, 0 AS sent, 0 AS avoided FROM opened
             UNION ALL SELECT (at + interval '2 hours')::date, 0, 0, 0, 1 FROM opened WHERE healed AND date_part('hour', at + interval '2 hours') < 8
             UNION ALL SELECT (at + interval '2 hours')::date, 0, 0, 1, 0 FROM woken WHERE date_part('hour', at + interval '2 hours') < 8)
           SELECT to_char(day, 'YYYY-MM-DD') AS "day!", sum(healed) AS "healed!", sum(called) AS "called!", sum(sent) AS "sent!", sum(avoided) AS "avoided!"
           FROM counted GROUP BY day ORDER BY day LIMIT 100"#,
        tenant_id,
        since.to_sqlx() as _,
        zone
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|r| {
            let date = r.day.parse().ok()?;
            Some(Day { date, healed: r.healed, called: r.called, pages_sent: r.sent, pages_avoided: r.avoided })
        })
        .collect())
}

/// A stretch of silence that is over.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The host.
    pub host_id: Uuid,
    /// Its name.
    pub host: String,
    /// Since when it was not heard.
    pub from: Timestamp,
    /// When it was heard again.
    pub to: Timestamp,
}

/// The stretches of silence that ended after `since`, the newest first: what a heartbeat check found and is well again.
pub async fn list_closed_gaps(tx: &mut TenantTx, since: Timestamp, most: i64) -> Result<Vec<Gap>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT a.host_id, h.name AS host, a.opened_at, a.closed_at AS "closed_at!"
           FROM alerts a
           JOIN checks k ON k.tenant_id = $1 AND k.check_id = a.check_id AND k.kind = 'heartbeat'
           JOIN hosts h ON h.tenant_id = $1 AND h.host_id = a.host_id AND h.state <> 'retired'
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = h.client_id AND c.archived_at IS NULL
           WHERE a.tenant_id = $1 AND a.state = 'closed' AND a.closed_at > $2
           ORDER BY a.closed_at DESC, a.alert_id LIMIT $3"#,
        tenant_id,
        since.to_sqlx() as _,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Gap { host_id: r.host_id, host: r.host, from: r.opened_at.to_jiff(), to: r.closed_at.to_jiff() })
        .collect())
}
