//! What the database itself must promise: read from its catalog, each rule shown to bite.

mod fixtures;
mod rules;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use store::Clock;

use crate::support::TestDb;
use fixtures::FIXTURES;
use rules::{COMMON, REFERENCE, RULES};

/// A migrated database with partitions, and a superuser's connection that knows the policies as they must be.
async fn catalog() -> (TestDb, PgConnection) {
    let db = TestDb::new().await;
    let store = db.store(Clock::Database);
    store::migrate::ensure_days(&store).await.expect("partitions are made");
    store.close().await;
    let mut conn = db.admin().await;
    sqlx::raw_sql(REFERENCE).execute(&mut conn).await.expect("the reference policies are made");
    (db, conn)
}

/// Each rule that something breaks, with what does.
async fn broken(conn: &mut PgConnection) -> Vec<(&'static str, Vec<String>)> {
    let written = include_str!("grants.txt").lines().filter(|l| !l.starts_with('#')).map(str::to_owned);
    // Whoever sees all clients may do what whoever sees some may.
    let alike = |line: String| [line.replace("app_tenant", "app_all_clients"), line];
    let meant: std::collections::BTreeSet<String> = written.flat_map(alike).collect();
    let meant: Vec<String> = meant.into_iter().collect();
    let mut broken = Vec::new();
    for rule in RULES {
        let sql = AssertSqlSafe(format!(
            "{COMMON} SELECT line FROM (SELECT $1::text[]) given, LATERAL ({}) faults(line)",
            rule.faults
        ));
        let faults: Vec<String> = sqlx::query_scalar(sql)
            .bind(&meant)
            .fetch_all(&mut *conn)
            .await
            .unwrap_or_else(|e| panic!("{}: {e}", rule.says));
        if !faults.is_empty() {
            broken.push((rule.says, faults));
        }
    }
    broken
}

#[tokio::test]
async fn the_database_keeps_every_rule_of_the_catalog() {
    let (_db, mut conn) = catalog().await;
    assert_eq!(broken(&mut conn).await, []);
}

#[tokio::test]
async fn each_rule_of_the_catalog_bites_and_no_other_does() {
    let (_db, mut conn) = catalog().await;
    for (says, breaking) in FIXTURES {
        let mut tx = conn.begin().await.expect("a transaction");
        let sql = format!("SET LOCAL ROLE app_owner; {breaking}; RESET ROLE");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap_or_else(|e| panic!("{breaking}: {e}"));
        let broken = broken(&mut tx).await;
        assert_eq!(broken.iter().map(|(says, _)| *says).collect::<Vec<_>>(), [*says], "{breaking}: {broken:?}");
        tx.rollback().await.expect("rolled back");
    }
}

#[test]
fn each_rule_of_the_catalog_has_a_fixture() {
    let without: Vec<_> = RULES.iter().map(|r| r.says).filter(|says| FIXTURES.iter().all(|(f, _)| f != says)).collect();
    assert_eq!(without, Vec::<&str>::new());
}
