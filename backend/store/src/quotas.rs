//! Table `plans` and `usage_days`: what an organization may add, and what it uses.

use domain::quota::{Counted, Plan};
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx};

fn number(n: Option<i32>) -> Option<u32> {
    n.map(|n| u32::try_from(n).unwrap_or(0))
}

/// The organization's plan; one that is not there has no limits.
pub async fn find_plan(tx: &mut TenantTx) -> Result<Plan> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"SELECT t.plan, p.max_hosts AS "max_hosts?", p.max_checks AS "max_checks?", p.max_members AS "max_members?", p.keep_days AS "keep_days?",
             p.max_reports AS "max_reports?"
           FROM tenants t LEFT JOIN plans p ON p.plan = t.plan WHERE t.tenant_id = $1"#,
        tenant_id
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Plan {
        name: row.plan,
        max_hosts: number(row.max_hosts),
        max_checks: number(row.max_checks),
        max_members: number(row.max_members),
        keep_days: number(row.keep_days),
        max_reports: number(row.max_reports),
    })
}

/// How many there are.
pub async fn count(tx: &mut TenantTx, of: Counted) -> Result<u32> {
    let tenant_id = tx.tenant_id();
    let n = sqlx::query_scalar!(
        r#"SELECT CASE $2::text
             WHEN 'hosts' THEN (SELECT count(*) FROM hosts h JOIN clients c ON c.tenant_id = h.tenant_id AND c.client_id = h.client_id
               WHERE h.tenant_id = $1 AND h.state <> 'retired' AND c.archived_at IS NULL)
             WHEN 'checks' THEN (SELECT count(*) FROM checks k WHERE k.tenant_id = $1 AND k.archived_at IS NULL)
             ELSE (SELECT count(*) FROM memberships m WHERE m.tenant_id = $1)
               + (SELECT count(*) FROM service_seats v WHERE v.tenant_id = $1)
               + (SELECT count(*) FROM invitations i WHERE i.tenant_id = $1 AND i.state = 'open' AND i.expires_at > $3) END AS "n!""#,
        tenant_id,
        of.label(),
        tx.now().await?.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(u32::try_from(n).unwrap_or(u32::MAX))
}

/// How many hosts of a client count, once it is looked after.
pub async fn count_hosts_of(tx: &mut TenantTx, client_id: Uuid) -> Result<u32> {
    let tenant_id = tx.tenant_id();
    let n = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM hosts WHERE tenant_id = $1 AND client_id = $2 AND state <> 'retired'"#,
        tenant_id,
        client_id
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Locks the organization's row: whoever counts what there is and adds one more comes after everybody who is at it. Seats are
/// locked before it, whatever else is counted after it.
pub async fn lock(tx: &mut TenantTx) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("SELECT tenant_id FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE", tenant_id)
        .fetch_one(tx.conn())
        .await?;
    Ok(())
}

/// Whether the plan has room for `more`; else the sentence that says why not. Who asks at the same time waits, so that two
/// do not take the same last place. It is asked before something is added, and before nothing else.
pub async fn find_room(tx: &mut TenantTx, of: Counted, more: u32) -> Result<Result<(), String>> {
    if find_plan(tx).await?.limit(of).is_none() {
        return Ok(Ok(()));
    }
    lock(tx).await?;
    let plan = find_plan(tx).await?;
    let used = count(tx, of).await?;
    Ok(plan.has_room(of, used, more))
}

/// Notes how many hosts each client has today, if it is more than what was noted.
pub async fn note_today(tx: &mut TenantTx) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    sqlx::query!(
        "INSERT INTO usage_days (tenant_id, client_id, day, hosts)
         SELECT $1, h.client_id, $2, count(*)::int FROM hosts h
           JOIN clients c ON c.tenant_id = h.tenant_id AND c.client_id = h.client_id AND c.archived_at IS NULL
         WHERE h.tenant_id = $1 AND h.state <> 'retired' GROUP BY h.client_id
         ON CONFLICT (tenant_id, client_id, day) DO UPDATE SET hosts = excluded.hosts WHERE usage_days.hosts < excluded.hosts",
        tenant_id,
        today.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a client used in a month.
#[derive(Clone, Debug)]
pub struct Month {
    /// The month's first day.
    pub month: Date,
    /// The client.
    pub client_id: Uuid,
    /// Its name.
    pub client: String,
    /// The sum of the days' most hosts.
    pub host_days: u32,
    /// The most hosts of any day.
    pub most: u32,
}

/// What each client used from `from` on, the newest month first, at most 10,000 lines.
pub async fn list_months(tx: &mut TenantTx, from: Date) -> Result<Vec<Month>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT date_trunc('month', u.day::timestamp)::date AS "month!: jiff_sqlx::Date", u.client_id, c.name AS client, sum(u.hosts) AS "days!", max(u.hosts) AS "most!"
           FROM usage_days u JOIN clients c ON c.tenant_id = u.tenant_id AND c.client_id = u.client_id
           WHERE u.tenant_id = $1 AND u.day >= $2 GROUP BY 1, u.client_id, c.name ORDER BY 1 DESC, c.name, u.client_id LIMIT 10000"#,
        tenant_id,
        from.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Month {
            month: r.month.to_jiff(),
            client_id: r.client_id,
            client: r.client,
            host_days: u32::try_from(r.days).unwrap_or(u32::MAX),
            most: u32::try_from(r.most).unwrap_or(0),
        })
        .collect())
}
