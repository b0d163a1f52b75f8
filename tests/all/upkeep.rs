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
