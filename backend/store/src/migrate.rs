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
    Ok(())
}

/// Makes the daily partitions from yesterday to 14 days ahead.
pub async fn ensure_days(store: &Store) -> Result<()> {
    let mut tx = store.system().await?;
    let today: Date = tx.now().await?.to_zoned(jiff::tz::TimeZone::UTC).date();
    for table in ["host_metrics", "run_output"] {
        for offset in -1..=14i64 {
            let day = today.saturating_add(offset.days());
            sqlx::query!("SELECT maintenance.ensure_day($1, $2, $3)", table, day.to_sqlx() as _, today.to_sqlx() as _)
                .execute(tx.conn())
                .await?;
        }
    }
    tx.commit().await
}
