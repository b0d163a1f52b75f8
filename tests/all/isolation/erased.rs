//! A client and an organization are deleted: in every table of the catalog their rows go, and nobody else's.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use store::clock::Moved;
use store::{Clock, deletions};
use uuid::Uuid;

use super::rows::{self, Table};
use super::tenant;
use crate::support::{TestDb, connect};

/// What stays of an organization.
const KEPT: [&str; 6] = ["audit", "audit_chain", "audit_heads", "deletions", "tenant_audit", "tenants"];

/// The rows of each table as PostgreSQL writes them, of one tenant and perhaps one client of it.
async fn stand(
    admin: &mut PgConnection,
    tables: &[Table],
    of: Uuid,
    client: Option<Uuid>,
) -> BTreeMap<String, Vec<String>> {
    let mut stand = BTreeMap::new();
    for table in tables.iter().filter(|table| !table.is_partition && (client.is_none() || table.of_client)) {
        let of_client = client.map(|client| format!(" AND client_id = '{client}'")).unwrap_or_default();
        let sql = format!("SELECT t::text FROM {} t WHERE tenant_id = '{of}'{of_client} ORDER BY 1", table.name);
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *admin).await.unwrap();
        stand.insert(table.name.clone(), rows);
    }
    stand
}

async fn asked(admin: &mut PgConnection, tenant: Uuid, kind: &str, subject: Uuid) -> Uuid {
    let id = Uuid::from_u128(subject.as_u128() ^ 1);
    sqlx::query(
        "INSERT INTO deletions (tenant_id, deletion_id, kind, subject_id, name, asked_at, asked_by, due_at, begun_at)
         VALUES ($1, $2, $3, $4, 'x', clock_timestamp(), 'test', clock_timestamp(), clock_timestamp())",
    )
    .bind(tenant)
    .bind(id)
    .bind(kind)
    .bind(subject)
    .execute(admin)
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn what_is_deleted_goes_from_every_table_and_nothing_of_others_does_also_after_a_crash_in_the_middle() {
    let db = TestDb::new().await;
    let clock = Moved::default();
    let store = db.store(Clock::Moved(clock.clone()));
    store::migrate::ensure_days(&store).await.unwrap();
    let ours = tenant(&db, &store, "ours").await;
    let theirs = tenant(&db, &store, "theirs").await;
    let mut admin = db.admin().await;
    let tables = rows::fill(&mut admin, &ours, &theirs).await;
    // What fill wrote into `deletions` is no deletion that has begun.
    sqlx::query("UPDATE deletions SET begun_at = NULL, called_off_at = asked_at").execute(&mut admin).await.unwrap();
    let neighbours = stand(&mut admin, &tables, theirs.id, None).await;
    assert!(neighbours.values().all(|rows| !rows.is_empty()), "each table has a row of the neighbour");
    let [first, second] = ours.clients;
    let other_client = stand(&mut admin, &tables, ours.id, Some(second)).await;

    clock.advance(SignedDuration::from_mins(1));
    asked(&mut admin, ours.id, "client", first).await;
    clock.advance(SignedDuration::from_mins(1));
    assert!(deletions::erase_begun(&store).await.unwrap() > 20);
    for (table, rows) in stand(&mut admin, &tables, ours.id, Some(first)).await {
        assert_eq!(rows.is_empty(), table != "audit", "{table}: {rows:?}");
    }
    assert_eq!(stand(&mut admin, &tables, ours.id, Some(second)).await, other_client);
    assert_eq!(stand(&mut admin, &tables, theirs.id, None).await, neighbours);

    // The organization; the first rows go, and then nobody goes on.
    let id = asked(&mut admin, ours.id, "tenant", ours.id).await;
    let mut system = connect(&db.system_url()).await;
    for _ in 0..3 {
        let mut tx = system.begin().await.unwrap();
        let erase = "SELECT maintenance.erase($1, $2, 2, clock_timestamp())";
        let gone: i64 = sqlx::query_scalar(erase).bind(ours.id).bind(id).fetch_one(&mut *tx).await.unwrap();
        assert!((1..=4).contains(&gone), "{gone} rows went");
        tx.commit().await.unwrap();
    }
    clock.advance(SignedDuration::from_mins(1));
    assert!(deletions::erase_begun(&store).await.unwrap() > 20);
    for (table, rows) in stand(&mut admin, &tables, ours.id, None).await {
        let is_kept =
            KEPT.contains(&table.as_str()) || table == "tenant_wakeups" && rows.iter().all(|r| r.contains(",audit,"));
        assert_eq!(rows.is_empty(), !is_kept, "{table}: {rows:?}");
    }
    assert_eq!(stand(&mut admin, &tables, theirs.id, None).await, neighbours);

    clock.advance(SignedDuration::from_hours(24 * 401));
    deletions::erase_begun(&store).await.unwrap();
    assert!(stand(&mut admin, &tables, ours.id, None).await.values().all(Vec::is_empty));
    assert_eq!(stand(&mut admin, &tables, theirs.id, None).await, neighbours);
}

#[tokio::test]
async fn nothing_goes_that_has_not_begun_and_nobody_but_the_system_erases() {
    let db = TestDb::new().await;
    let store = db.store(Clock::Database);
    let ours = tenant(&db, &store, "ours").await;
    let mut admin = db.admin().await;
    let id = asked(&mut admin, ours.id, "tenant", ours.id).await;
    sqlx::query("UPDATE deletions SET begun_at = NULL").execute(&mut admin).await.unwrap();
    let mut system = connect(&db.system_url()).await;
    let erase = |tenant: Uuid| format!("SELECT maintenance.erase('{tenant}', '{id}', 100, clock_timestamp())");
    for tenant in [ours.id, Uuid::from_u128(1)] {
        let refused = sqlx::query(AssertSqlSafe(erase(tenant))).execute(&mut system).await.unwrap_err().to_string();
        assert!(refused.contains("no deletion that has begun"), "{refused}");
    }
    let mut login = connect(&db.login_url()).await;
    let mut tx = login.begin_with("BEGIN; SET LOCAL ROLE app_tenant").await.unwrap();
    let refused = sqlx::query(AssertSqlSafe(erase(ours.id))).execute(&mut *tx).await.unwrap_err().to_string();
    assert!(refused.contains("permission denied"), "{refused}");
}
