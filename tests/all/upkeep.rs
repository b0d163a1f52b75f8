//! What a node does now and then.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use sqlx::Connection as _;
use store::clock::Moved;
use store::sessions::{self, Limits};
use store::{Clock, migrate};

use crate::support::TestDb;

#[tokio::test]
async fn sessions_that_have_ended_go_and_the_days_ahead_have_their_partitions() {
    let db = TestDb::new().await;
    let clock = Moved::default();
    let store = db.store(Clock::Moved(clock.clone()));
    migrate::ensure_days(&store).await.unwrap();
    let lasting = |hours: u64| {
        let time = Duration::from_secs(hours * 3600);
        Limits { idle: time, absolute: time }
    };
    assert!(sessions::insert(&store, b"short", None, &json!({}), lasting(1)).await.unwrap());
    assert!(sessions::insert(&store, b"long", None, &json!({}), lasting(24 * 30)).await.unwrap());
    let mut admin = db.admin().await;
    let days = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'run_output'::regclass";
    let before: i64 = sqlx::query_scalar(days).fetch_one(&mut admin).await.unwrap();

    clock.advance(SignedDuration::from_hours(24 * 3));
    server::upkeep::pass(&store).await;

    let left: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT session_hash FROM sessions").fetch_all(&mut admin).await.unwrap();
    assert_eq!(left, [b"long"]);
    let after: i64 = sqlx::query_scalar(days).fetch_one(&mut admin).await.unwrap();
    assert_eq!(after, before + 3, "a partition for each of the three days that have passed");
    store.close().await;
    admin.close().await.unwrap();
}

#[tokio::test]
async fn metrics_go_a_partition_at_a_time_when_they_were_kept_long_enough() {
    let db = TestDb::new().await;
    let clock = Moved::default();
    let store = db.store(Clock::Moved(clock.clone()));
    let mut admin = db.admin().await;
    server::upkeep::pass(&store).await;
    let count = async |admin: &mut sqlx::PgConnection, table: &str, column: &str| -> i64 {
        let sql = format!("SELECT count({column}) FROM pg_inherits WHERE inhparent = '{table}'::regclass");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(admin).await.unwrap()
    };
    assert_eq!(count(&mut admin, "host_metrics", "*").await, 16);

    // Yesterday, today and tomorrow are what is kept on the third day, beside the days ahead.
    clock.advance(SignedDuration::from_hours(24 * 10));
    server::upkeep::pass(&store).await;
    assert_eq!(count(&mut admin, "host_metrics", "*").await, 2 + 1 + 14);
    assert_eq!(count(&mut admin, "host_metrics_5m", "*").await, 16 + 10);
    clock.advance(SignedDuration::from_hours(24 * 500));
    // One that is in use stays until the next pass, and keeps no other.
    let mut reader = db.admin().await;
    let mut tx = reader.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM host_metrics_1h").execute(&mut *tx).await.unwrap();
    server::upkeep::pass(&store).await;
    let old = count(&mut admin, "host_metrics_1h", "*").await;
    assert_eq!(count(&mut admin, "host_metrics", "*").await, 1 + 1 + 14);
    tx.rollback().await.unwrap();
    server::upkeep::pass(&store).await;
    assert!(count(&mut admin, "host_metrics_1h", "*").await < old);
    assert!(count(&mut admin, "run_output", "*").await > 32, "output is not dropped by age");
    store.close().await;
}
