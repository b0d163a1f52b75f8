//! Tables `host_now`, `host_metrics` and its rollups. Metrics may lose their last minute: their transactions do not wait
//! for the disk.

use domain::metrics::{Due, LAYOUT, Rollup, Samples, Span, Step};
use jiff::{SignedDuration, Timestamp, ToSpan};
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::live::Kind;
use crate::{Result, TenantTx};

/// The newest report of a host.
#[derive(Debug, Clone)]
pub struct Now {
    /// When it was read, on the database's clock.
    pub at: Timestamp,
    /// Its figures (`domain::metrics::Sample`), in the layout of its time.
    pub samples: Vec<Option<f32>>,
    /// What has names: cores, memory, mounts, interfaces, services.
    pub extra: Value,
}

/// One point of a chart.
#[derive(Debug, Clone)]
pub struct Point {
    /// The beginning of its time.
    pub at: Timestamp,
    /// Its means.
    pub samples: Vec<Option<f32>>,
}

/// Stores the newest report, unless a newer one is there.
pub async fn save_now(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid, now: &Now) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO host_now (tenant_id, client_id, host_id, at, layout, samples, extra) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, host_id) DO UPDATE SET at = excluded.at, layout = excluded.layout, samples = excluded.samples, extra = excluded.extra
           WHERE host_now.at < excluded.at",
        tenant_id,
        client_id,
        host_id,
        now.at.to_sqlx() as _,
        LAYOUT,
        now.samples.as_slice() as _,
        now.extra
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Figures, client_id, host_id);
    Ok(())
}

/// Stores what is due: a minute's row, then the windows that it ends.
pub async fn save_due(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid, due: &Due) -> Result<()> {
    if let Some((at, samples)) = &due.minute {
        insert_minute(tx, client_id, host_id, *at, samples).await?;
    }
    for (rollup, from) in &due.rollups {
        let until = from.saturating_add(rollup.secs().seconds()).unwrap_or(Timestamp::MAX);
        match rollup {
            Rollup::FiveMinutes => roll_minutes_up(tx, client_id, host_id, *from, until).await?,
            Rollup::Hour => roll_hours_up(tx, client_id, host_id, *from, until).await?,
        }
    }
    Ok(())
}

/// A minute that two links of the host saw is the first one's.
async fn insert_minute(
    tx: &mut TenantTx,
    client_id: Uuid,
    host_id: Uuid,
    at: Timestamp,
    samples: &Samples,
) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO host_metrics (tenant_id, client_id, host_id, at, layout, samples) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, host_id, at) DO NOTHING",
        tenant_id,
        client_id,
        host_id,
        at.to_sqlx() as _,
        LAYOUT,
        samples.as_slice() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Means of what `$from` holds of one host, as one row of `$into`; doing it again changes nothing.
macro_rules! roll_up {
    ($tx:expr, $into:literal, $from:literal, $client_id:expr, $host_id:expr, $since:expr, $until:expr) => {{
        let tenant_id = $tx.tenant_id();
        sqlx::query!(
            "INSERT INTO " + $into + " (tenant_id, client_id, host_id, at, layout, samples)
         SELECT tenant_id, $2, $3, $4, $6, array_agg(mean ORDER BY place) FROM (
           SELECT m.tenant_id, u.place, avg(u.sample)::real AS mean FROM " + $from + " m, unnest(m.samples) WITH ORDINALITY AS u(sample, place)
           WHERE m.tenant_id = $1 AND m.host_id = $3 AND m.at >= $4 AND m.at < $5 AND m.layout = $6 GROUP BY m.tenant_id, u.place) means
         GROUP BY tenant_id
         ON CONFLICT (tenant_id, host_id, at) DO UPDATE SET layout = excluded.layout, samples = excluded.samples",
            tenant_id,
            $client_id,
            $host_id,
            $since.to_sqlx() as _,
            $until.to_sqlx() as _,
            LAYOUT
        )
        .execute($tx.conn())
        .await?;
    }};
}

async fn roll_minutes_up(
    tx: &mut TenantTx,
    client_id: Uuid,
    host_id: Uuid,
    from: Timestamp,
    until: Timestamp,
) -> Result<()> {
    roll_up!(tx, "host_metrics_5m", "host_metrics", client_id, host_id, from, until);
    Ok(())
}

async fn roll_hours_up(
    tx: &mut TenantTx,
    client_id: Uuid,
    host_id: Uuid,
    from: Timestamp,
    until: Timestamp,
) -> Result<()> {
    roll_up!(tx, "host_metrics_1h", "host_metrics_5m", client_id, host_id, from, until);
    Ok(())
}

/// The newest report of a host, if it ever reported in the layout of today.
pub async fn find_now(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<Now>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"SELECT at, samples AS "samples: Vec<Option<f32>>", extra FROM host_now
           WHERE tenant_id = $1 AND host_id = $2 AND layout = $3"#,
        tenant_id,
        host_id,
        LAYOUT
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Now { at: r.at.to_jiff(), samples: r.samples, extra: r.extra }))
}

/// The past of a host, oldest first, and how much of it there is to show.
pub async fn list(tx: &mut TenantTx, host_id: Uuid) -> Result<(Span, Vec<Point>)> {
    let now = tx.now().await?;
    // Days that have not begun have tables already, which are left out; a host's clock may be ahead of ours.
    let until = now + SignedDuration::from_hours(24);
    let five_minutes = Step::Of(Rollup::FiveMinutes);
    let day = list_between(tx, host_id, five_minutes, (now - Span::Day.length(), until)).await?;
    let age = |at: Timestamp| now.duration_since(at).unsigned_abs();
    let span = Span::of(day.first().map(|point| age(point.at)).unwrap_or_default());
    let points = match span {
        Span::Hour => list_between(tx, host_id, Step::Minute, (now - span.length(), until)).await?,
        Span::SixHours | Span::Day => day,
    };
    Ok((span, points))
}

/// The rows of one step of a host, `from` included and `to` not, oldest first; 2,000 at most.
macro_rules! rows_between {
    ($tx:expr, $table:literal, $host_id:expr, $within:expr) => {{
        let tenant_id = $tx.tenant_id();
        let rows = sqlx::query!(
            r#"SELECT at, samples AS "samples: Vec<Option<f32>>" FROM "#
                + $table
                + r#"
         WHERE tenant_id = $1 AND host_id = $2 AND at >= $3 AND at < $4 AND layout = $5 ORDER BY at LIMIT 2000"#,
            tenant_id,
            $host_id,
            $within.0.to_sqlx() as _,
            $within.1.to_sqlx() as _,
            LAYOUT
        )
        .fetch_all($tx.conn())
        .await?;
        rows.into_iter().map(|r| Point { at: r.at.to_jiff(), samples: r.samples }).collect()
    }};
}

/// A host's past at one step, `within.0` included and `within.1` not, oldest first.
pub async fn list_between(
    tx: &mut TenantTx,
    host_id: Uuid,
    step: Step,
    within: (Timestamp, Timestamp),
) -> Result<Vec<Point>> {
    Ok(match step {
        Step::Minute => rows_between!(tx, "host_metrics", host_id, within),
        Step::Of(Rollup::FiveMinutes) => rows_between!(tx, "host_metrics_5m", host_id, within),
        Step::Of(Rollup::Hour) => rows_between!(tx, "host_metrics_1h", host_id, within),
    })
}
