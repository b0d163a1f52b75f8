//! Makes and migrates the database; the only code that runs as the cluster's administrator or as `app_owner`.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};

use crate::{Result, Store};

/// The roles of a cluster; safe to run again.
pub const ROLES_SQL: &str = include_str!("../../../infra/postgres/roles.sql");

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// Why a database could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database refused a statement.
    #[error("the database could not be prepared")]
    Database(#[from] sqlx::Error),
    /// A migration failed or differs from what was applied.
    #[error("the migrations could not be applied")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// As an administrator (URL to database `postgres`): makes the roles, and `database` owned by `app_owner` unless it exists.
pub async fn prepare_cluster(admin_url: &str, database: &str) -> Result<(), MigrateError> {
    let options: PgConnectOptions = admin_url.parse()?;
    let mut conn = options.connect().await?;
    conn.execute(sqlx::raw_sql(ROLES_SQL)).await?;
    let exists =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1) AS "e!""#, database)
            .fetch_one(&mut conn)
            .await?;
    if !exists {
        let name = database.replace('"', "\"\"");
        let create = format!("CREATE DATABASE \"{name}\" OWNER app_owner");
        conn.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(create))).await?;
    }
    Ok(())
}

/// As `app_owner`: applies the migrations that are missing.
pub async fn migrate(owner_url: &str) -> Result<(), MigrateError> {
    let options: PgConnectOptions = owner_url.parse()?;
    let mut conn = options.connect().await?;
    MIGRATIONS.run(&mut conn).await?;
    conn.execute(sqlx::raw_sql("CALL grant_alike()")).await?;
    Ok(())
}

/// Tables that are kept by day (the hours by month), and for how many days if that is limited here.
const DAILY: [(&str, Option<i32>); 4] =
    [("host_metrics", Some(2)), ("host_metrics_5m", Some(14)), ("host_metrics_1h", Some(400)), ("run_output", None)];

/// Makes the partitions from yesterday to 14 days ahead.
pub async fn ensure_days(store: &Store) -> Result<()> {
    let mut tx = store.system().await?;
    let today: Date = tx.now().await?.to_zoned(jiff::tz::TimeZone::UTC).date();
    for (table, _) in DAILY {
        for offset in -1..=14i64 {
            let day = today.saturating_add(offset.days());
            sqlx::query!("SELECT maintenance.ensure_day($1, $2, $3)", table, day.to_sqlx() as _, today.to_sqlx() as _)
                .execute(tx.conn())
                .await?;
        }
    }
    tx.commit().await
}

/// Drops the partitions that are older than they are kept; each by itself, so that one that is in use waits for the
/// next pass alone. Says how many went.
pub async fn drop_days(store: &Store) -> Result<usize> {
    let (mut dropped, mut failed) = (0, None);
    for (table, keep) in DAILY {
        let mut tx = store.system().await?;
        let keep = match keep {
            Some(keep) => keep,
            // As long as the plan of anybody keeps it; a plan without a number keeps it for good.
            None => {
                let longest = sqlx::query_scalar!(
                    "SELECT CASE WHEN bool_and(p.keep_days IS NOT NULL) THEN max(p.keep_days) END FROM tenants t LEFT JOIN plans p ON p.plan = t.plan"
                )
                .fetch_one(tx.conn())
                .await?;
                let Some(longest) = longest else { continue };
                longest
            }
        };
        let today: Date = tx.now().await?.to_zoned(jiff::tz::TimeZone::UTC).date();
        let names = sqlx::query_scalar!(
            r#"SELECT relname::text AS "name!" FROM pg_class
               WHERE relispartition AND relkind = 'r' AND relnamespace = 'public'::regnamespace AND starts_with(relname, $1 || '_2')"#,
            table
        )
        .fetch_all(tx.conn())
        .await?;
        tx.commit().await?;
        for day in names.iter().filter_map(|name| first_day(name.strip_prefix(table)?.strip_prefix('_')?)) {
            let last = if table == "host_metrics_1h" { day.last_of_month() } else { day };
            if last >= today.saturating_sub(keep.days()) {
                continue;
            }
            match drop_day(store, table, day, keep, today).await {
                Ok(()) => dropped += 1,
                Err(error) => failed = Some(error),
            }
        }
    }
    failed.map_or(Ok(dropped), Err)
}

async fn drop_day(store: &Store, table: &str, day: Date, keep: i32, today: Date) -> Result<()> {
    let mut tx = store.system().await?;
    sqlx::query!("SELECT maintenance.drop_day($1, $2, $3, $4)", table, day.to_sqlx() as _, keep, today.to_sqlx() as _)
        .execute(tx.conn())
        .await?;
    tx.commit().await
}

/// The first day of a partition, from the end of its name: `20261124` or `202611`.
fn first_day(digits: &str) -> Option<Date> {
    let part = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i8>().ok();
    let day = match digits.len() {
        8 => part(6..8)?,
        6 => 1,
        _ => return None,
    };
    Date::new(digits.get(..4)?.parse().ok()?, part(4..6)?, day).ok()
}
