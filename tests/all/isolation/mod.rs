//! Two tenants with rows in every table: what one does never touches the other, and a limit to clients is kept.
//!
//! Every table of the catalog is walked, and with every privilege granted: the policies alone must hold.

mod dropped;
mod erased;
mod logins;
mod rows;

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use store::auth::{self, OperatorTx};
use store::{Clock, Queue, Store, TenantScope, seeding, wakeups};
use uuid::Uuid;

use crate::support::{TestDb, connect};
use rows::Table;

/// A tenant with two clients, and a technician who may see the first one only.
struct Tenant {
    id: Uuid,
    clients: [Uuid; 2],
    technician: Uuid,
}

async fn tenant(db: &TestDb, store: &Store, name: &str) -> Tenant {
    let mut operator = OperatorTx::begin(store, &db.owner_url()).await.unwrap();
    let id = operator.insert_tenant(name).await.unwrap();
    let email = format!("{name}@example.test");
    let technician = operator.insert_login(&email, "no password").await.unwrap();
    let mut tx = operator.into_tenant(id).await.unwrap();
    let mut clients = [Uuid::nil(); 2];
    for (client, of) in clients.iter_mut().zip(["Alder", "Birch"]) {
        *client = seeding::insert_client(&mut tx, of, "UTC").await.unwrap();
    }
    seeding::insert_membership(&mut tx, technician, "T.", &email, domain::access::Role::Technician).await.unwrap();
    tx.due(Queue::Classify, jiff::Timestamp::UNIX_EPOCH);
    tx.commit().await.unwrap();
    let mut admin = db.admin().await;
    sqlx::query("UPDATE memberships SET client_ids = ARRAY[$1] WHERE tenant_id = $2")
        .bind(clients[0])
        .bind(id)
        .execute(&mut admin)
        .await
        .unwrap();
    Tenant { id, clients, technician }
}

/// The technician's scope: the first client.
async fn limited(store: &Store, tenant: &Tenant) -> TenantScope {
    auth::by_login(store, tenant.technician).await.unwrap().expect("a seat").scope
}

/// A loop's scope: all clients of the tenant whose wake-up is oldest.
async fn claimed(store: &Store) -> TenantScope {
    match wakeups::claim(store, Queue::Classify, Duration::from_secs(60)).await.unwrap() {
        wakeups::Found::Due(claimed) => auth::by_claim(&claimed),
        nothing => panic!("{nothing:?}"),
    }
}

/// Who looks: how a transaction is opened, and the rows it may reach.
struct Viewer {
    who: &'static str,
    opening: String,
    /// Rows of tables that carry `client_id`.
    of_clients: fn(&rows::Whose) -> bool,
    /// Rows of tables that do not.
    of_tenants: fn(&rows::Whose) -> bool,
}

#[tokio::test]
async fn no_scope_sees_or_changes_a_row_of_another_tenant_or_client() {
    let db = TestDb::new().await;
    let store = db.store(Clock::Database);
    store::migrate::ensure_days(&store).await.unwrap();
    let ours = tenant(&db, &store, "ours").await;
    let all = claimed(&store).await;
    assert_eq!(all.tenant_id(), ours.id);
    let limited = limited(&store, &ours).await;
    let theirs = tenant(&db, &store, "theirs").await;
    store.close().await;
    let mut admin = db.admin().await;
    let tables = rows::fill(&mut admin, &ours, &theirs).await;
    assert!(tables.len() > 40, "only {} tables were walked", tables.len());

    let role = "BEGIN; SET LOCAL ROLE app_tenant";
    let our = format!(r#"SET LOCAL "app.tenant_id" = '{}'"#, ours.id);
    let viewers = [
        Viewer { who: "a loop", opening: all.opening(), of_clients: |w| w.ours, of_tenants: |w| w.ours },
        Viewer { who: "a limited member", opening: limited.opening(), of_clients: |w| w.first, of_tenants: |w| w.ours },
        Viewer { who: "nobody", opening: role.into(), of_clients: |_| false, of_tenants: |_| false },
        Viewer {
            who: "a tenant without a word on clients",
            opening: format!("{role}; {our}"),
            of_clients: |_| false,
            of_tenants: |w| w.ours,
        },
        Viewer {
            who: "all clients of no tenant",
            opening: "BEGIN; SET LOCAL ROLE app_all_clients".into(),
            of_clients: |_| false,
            of_tenants: |_| false,
        },
    ];
    let mut conn = connect(&db.login_url()).await;
    for viewer in &viewers {
        for table in &tables {
            walk(&mut conn, viewer, table, &theirs).await;
        }
    }
}

/// Reads, changes, moves and deletes what the viewer can of one table.
async fn walk(conn: &mut PgConnection, viewer: &Viewer, table: &Table, theirs: &Tenant) {
    let at = format!("{} on {}", viewer.who, table.name);
    let may = if table.of_client { viewer.of_clients } else { viewer.of_tenants };
    let expected: Vec<String> =
        table.rows.iter().filter(|r| !table.is_partition && may(&r.whose)).map(|r| r.row.clone()).collect();
    let name = &table.name;

    let mut tx = conn.begin_with(AssertSqlSafe(viewer.opening.clone())).await.expect(&at);
    let select = AssertSqlSafe(format!("SELECT t::text FROM {name} t ORDER BY 1"));
    let seen: Vec<String> = sqlx::query_scalar(select).fetch_all(&mut *tx).await.expect(&at);
    assert_eq!(seen, expected, "{at}: seen");
    let update = AssertSqlSafe(format!("UPDATE {name} SET tenant_id = tenant_id"));
    let changed = sqlx::query(update).execute(&mut *tx).await.expect(&at).rows_affected();
    assert_eq!(changed, expected.len() as u64, "{at}: changed");
    let named = AssertSqlSafe(format!("UPDATE {name} SET tenant_id = tenant_id WHERE tenant_id = $1"));
    let changed = sqlx::query(named).bind(theirs.id).execute(&mut *tx).await.expect(&at).rows_affected();
    assert_eq!(changed, 0, "{at}: changed by name");
    let delete = AssertSqlSafe(format!("DELETE FROM {name}"));
    let deleted = sqlx::query(delete).execute(&mut *tx).await.expect(&at).rows_affected();
    assert_eq!(deleted, expected.len() as u64, "{at}: deleted");
    tx.rollback().await.expect(&at);

    for forbidden in table.rows.iter().filter(|r| table.is_partition || !may(&r.whose)) {
        let mut tx = conn.begin_with(AssertSqlSafe(viewer.opening.clone())).await.expect(&at);
        let refused = sqlx::query(AssertSqlSafe(forbidden.insert.clone())).execute(&mut *tx).await;
        assert_eq!(refusal(refused), "42501", "{at}: a row of another was written");
        tx.rollback().await.expect(&at);
        if expected.is_empty() {
            continue;
        }
        // One's own row is not handed over either.
        let mut tx = conn.begin_with(AssertSqlSafe(viewer.opening.clone())).await.expect(&at);
        let refused =
            sqlx::query(AssertSqlSafe(format!("UPDATE {name} SET {}", forbidden.hand_over))).execute(&mut *tx).await;
        assert_eq!(refusal(refused), "42501", "{at}: a row was handed over");
        tx.rollback().await.expect(&at);
    }
}

/// The code of the error; 42501 is what a policy answers.
fn refusal<T>(result: Result<T, sqlx::Error>) -> String {
    match result {
        Ok(_) => "no refusal".to_owned(),
        Err(error) => {
            error.as_database_error().and_then(|e| e.code()).map_or(error.to_string(), |code| code.into_owned())
        }
    }
}

#[tokio::test]
async fn a_login_that_took_no_role_reaches_no_table() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let mut conn = connect(&db.login_url()).await;
    for table in rows::tables(&mut admin).await {
        let refused =
            sqlx::query(AssertSqlSafe(format!("SELECT 1 FROM public.{}", table.name))).fetch_all(&mut conn).await;
        assert_eq!(refusal(refused), "42501", "{}", table.name);
    }
}
