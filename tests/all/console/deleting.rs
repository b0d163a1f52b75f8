//! Taking everything along, and deleting a client or the organization.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use engine::lease::run_until_idle;
use engine::sweep::Sweep;
use jiff::SignedDuration;
use serde_json::Value;
use server::cli::{OwnerArgs, Platform};
use store::deletions::{self, Subject};
use store::everything::{LEFT_OUT, REDACTED, TABLES};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Console;
use super::strangers::Seat;

impl Console {
    /// The sweep looks at every organization, and then the rows go.
    pub(super) async fn swept(&self) {
        store::wakeups::ensure_standing(&self.store).await.unwrap();
        run_until_idle(&self.store, &Sweep, &CancellationToken::new()).await.unwrap();
        self.clock.advance(SignedDuration::from_mins(2));
        server::upkeep::erase(&self.store).await;
    }

    /// Tables in which an organization has rows.
    async fn tables_with_rows(&mut self, tenant: Uuid) -> Vec<String> {
        let mut with = Vec::new();
        for table in tables(self).await {
            if self.count(&format!("{table} WHERE tenant_id = '{tenant}'")).await > 0 {
                with.push(table);
            }
        }
        with
    }

    async fn delete_ours(&self, owner: &Seat) -> StatusCode {
        self.ask(owner, "POST", "/settings/data/delete", "&name=Ours").await.0
    }
}

/// Every table with `tenant_id`.
async fn tables(console: &mut Console) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    .fetch_all(&mut console.rows)
    .await
    .unwrap()
}

#[tokio::test]
async fn every_table_of_an_organization_is_in_its_file_or_on_the_list_of_those_that_are_not() {
    let mut console = Console::new().await;
    let all: BTreeSet<String> = tables(&mut console).await.into_iter().collect();
    let named: Vec<&str> = TABLES.iter().copied().chain(LEFT_OUT.iter().map(|(table, _)| *table)).collect();
    assert_eq!(named.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), all);
    assert_eq!(named.len(), all.len(), "each stands there once");
    for (table, column) in REDACTED {
        let there = format!("information_schema.columns WHERE table_name = '{table}' AND column_name = '{column}'");
        assert_eq!(console.count(&there).await, 1, "{table}.{column}");
    }
    // What is a secret, a hash of one, or sealed is named as one.
    let secret: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'
           AND (column_name LIKE '%sealed' OR column_name LIKE '%secret%' OR column_name LIKE '%password%' OR column_name LIKE '%token_hash%')
           AND column_name NOT LIKE '%\\_id'",
    )
    .fetch_all(&mut console.rows)
    .await
    .unwrap();
    for (table, column) in secret.iter().filter(|(table, _)| TABLES.contains(&table.as_str())) {
        assert!(REDACTED.contains(&(table.as_str(), column.as_str())), "{table}.{column} would be in the file");
    }
}

#[tokio::test]
async fn an_owner_who_has_proven_it_takes_everything_along_and_nothing_of_others() {
    let mut console = Console::new().await;
    console.run("unknown", "unknown").await;
    let (tenant, client, host) = (console.ours.tenant, console.ours.client, console.ours.host);
    console
        .execute(format!(
            "UPDATE tenant_keys SET sealed = 'a sealed key';
             INSERT INTO host_now (tenant_id, client_id, host_id, at, layout, samples, extra)
               VALUES ('{tenant}', '{client}', '{host}', clock_timestamp(), 1, '{{}}', '{{}}');
             INSERT INTO run_events (tenant_id, client_id, run_id, seq, at, to_state, cause, actor)
               SELECT '{tenant}', '{client}', run_id, n, clock_timestamp(), 'unknown', 'event ' || n, 'test'
               FROM runs, generate_series(1, 450) n WHERE tenant_id = '{tenant}'"
        ))
        .await;
    let owner = console.member("owner@ours.example").await;
    let (status, headers, body) = console.ask(&owner, "POST", "/settings/data/file", "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[header::CONTENT_DISPOSITION].to_str().unwrap().contains("organization.json"));
    let file: Value = serde_json::from_str(&body).expect("one JSON document");
    assert_eq!(file["organization"], "Ours");
    let mut rows = 0;
    for table in TABLES {
        let list = file["tables"][table].as_array().unwrap_or_else(|| panic!("{table} is missing"));
        let there = console.count(&format!("{table} WHERE tenant_id = '{tenant}'")).await;
        // The session's own entry of taking it is written before.
        assert_eq!(list.len() as i64, there, "{table}");
        assert!(list.iter().all(|row| row["tenant_id"] == tenant.to_string()), "{table}");
        rows += list.len();
    }
    assert_eq!(file["rows"], rows);
    let events = file["tables"]["run_events"].as_array().unwrap();
    assert_eq!(events.iter().map(|e| e["seq"].as_i64().unwrap()).collect::<BTreeSet<_>>().len(), 450, "none twice");
    assert!(file["tables"]["tenant_keys"][0].get("sealed").is_none() && !body.contains(&hex::encode("a sealed key")));
    assert!(!body.contains("Theirs") && !body.contains(&console.theirs.tenant.to_string()));
    assert_eq!(console.count("tenant_audit WHERE action = 'organization.exported'").await, 1);

    // The same from the command line.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.json");
    let at = OwnerArgs { database_owner_url: Some(console.db.owner_url()), data: None };
    server::platform::run(Platform::Export { tenant: "Ours".to_owned(), file: path.clone(), at }).await.unwrap();
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(file["tables"]["run_events"].as_array().unwrap().len(), 450);

    // Whoever has not proven it for a while proves it first.
    console.clock.advance(SignedDuration::from_mins(11));
    let (status, _, body) = console.ask(&owner, "POST", "/settings/data/file", "").await;
    assert!(status != StatusCode::OK && !body.contains("run_events"), "{status}");
    assert_ne!(console.delete_ours(&owner).await, StatusCode::SEE_OTHER);
    assert_eq!(console.count("deletions").await, 0);
}

#[tokio::test]
async fn an_organization_goes_after_its_days_once_nothing_runs_and_leaves_its_audit_alone() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await;
    let (ours, theirs) = (console.ours.tenant, console.theirs.tenant);
    let owner = console.member("owner@ours.example").await;
    console.swept().await;
    let neighbours = console.tables_with_rows(theirs).await;

    let (status, _, page) = console.ask(&owner, "POST", "/settings/data/delete", "&name=ours").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("not its name"));
    assert_eq!(console.delete_ours(&owner).await, StatusCode::SEE_OTHER);
    let letters = "letters WHERE address = 'owner@ours.example' AND facts ->> 'what' =";
    assert_eq!(console.count(&format!("{letters} 'deletion asked'")).await, 1);
    let (_, _, page) = console.get("/settings/data", &owner.cookie).await;
    assert!(page.contains("Call it off") && page.contains("1 fix that runs or is in doubt"));

    // Called off, nothing happens; asked for anew, everything goes on until its day.
    assert_eq!(console.ask(&owner, "POST", "/settings/data/keep", "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.ask(&owner, "POST", "/settings/data/keep", "").await.0, StatusCode::CONFLICT);
    console.clock.advance(SignedDuration::from_hours(24 * 8));
    console.swept().await;
    assert_eq!(console.count("deletions WHERE begun_at IS NOT NULL").await, 0);
    let owner = console.member("owner@ours.example").await;
    assert_eq!(console.delete_ours(&owner).await, StatusCode::SEE_OTHER);
    console.clock.advance(SignedDuration::from_hours(24 * 7 - 1));
    console.swept().await;
    let frozen = format!("guardrail_buckets WHERE frozen AND tenant_id = '{ours}'");
    assert_eq!(console.count(&frozen).await, 0, "not yet");

    // Its day has come: everything is stopped, and it waits for the run in doubt. Members are there to answer.
    console.clock.advance(SignedDuration::from_hours(2));
    console.swept().await;
    assert_eq!(console.count(&frozen).await, 1);
    assert_eq!(console.count("deletions WHERE begun_at IS NOT NULL").await, 0);
    let owner = console.member("owner@ours.example").await;
    assert_eq!(console.get("/settings/data", &owner.cookie).await.0, StatusCode::OK);
    console
        .execute(format!(
            "UPDATE jobs SET state = 'finished', ended_at = clock_timestamp(), result_digest = '\\x01' WHERE run_id = '{run}';
             UPDATE runs SET state = 'cannot_tell', ended_at = clock_timestamp() WHERE run_id = '{run}'"
        ))
        .await;
    let mut tx = console.tx().await;
    deletions::begin_due(&mut tx).await.unwrap();
    assert!(!store::remediate::freezes::release(&mut tx, store::remediate::stops::Place::Tenant).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(console.count(&format!("{letters} 'deletion begun'")).await, 1);
    let keys = format!("credentials WHERE tenant_id = '{ours}' AND revoked_at IS NULL");
    assert_eq!(console.count(&keys).await, 0, "no key and no token opens anything");
    server::upkeep::erase(&console.store).await;
    assert!(
        console.count(&format!("runs WHERE tenant_id = '{ours}'")).await > 0,
        "what was under way comes to its end"
    );

    console.clock.advance(SignedDuration::from_secs(11));
    server::upkeep::erase(&console.store).await;
    let left = console.tables_with_rows(ours).await;
    assert_eq!(left, ["deletions", "tenant_audit", "tenant_wakeups", "tenants"]);
    assert_eq!(console.count(&format!("tenant_wakeups WHERE tenant_id = '{ours}' AND queue <> 'audit'")).await, 0);
    assert_eq!(console.count("tenant_audit WHERE action = 'organization.deleted'").await, 1);
    console.sides_are_as_listed().await;
    assert_eq!(console.count("logins WHERE email LIKE '%@ours.example'").await, 0, "they have no seat anywhere");
    assert_eq!(console.count("logins WHERE email LIKE '%@theirs.example'").await, 3);
    assert_eq!(console.tables_with_rows(theirs).await, neighbours);
    let (status, headers, _) = console.get("/", &owner.cookie).await;
    assert!(status == StatusCode::SEE_OTHER && headers[header::LOCATION].to_str().unwrap().starts_with("/sign-in"));
    let tess = console.member("tess@theirs.example").await;
    assert_eq!(console.get("/", &tess.cookie).await.0, StatusCode::OK);
    // That she signed in is an entry of theirs.
    let neighbours = console.tables_with_rows(theirs).await;

    // What was written behind its back goes too; a day later nobody looks any more. The audit goes in its time.
    console
        .execute(format!("INSERT INTO channels (tenant_id, channel_id, kind, address) VALUES ('{ours}', '{run}', 'email', 'x@y.example')"))
        .await;
    server::upkeep::erase(&console.store).await;
    assert_eq!(console.tables_with_rows(ours).await, left);
    assert_eq!(console.count("tenant_audit WHERE action = 'organization.deleted'").await, 1);
    console.clock.advance(SignedDuration::from_hours(24 * 399));
    server::upkeep::erase(&console.store).await;
    assert_eq!(console.tables_with_rows(ours).await, left);
    console.clock.advance(SignedDuration::from_hours(25));
    server::upkeep::erase(&console.store).await;
    assert_eq!(console.tables_with_rows(ours).await, Vec::<String>::new());
    assert_eq!(console.tables_with_rows(theirs).await, neighbours);
}

#[tokio::test]
async fn an_archived_client_is_deleted_by_an_owner_and_every_trace_but_its_audit_is_gone() {
    let mut console = Console::new().await;
    let run = console.run("running", "permitted").await;
    console.proposed().await;
    let (tenant, client, host) = (console.ours.tenant, console.ours.client, console.ours.host);
    console
        .execute(format!(
            "INSERT INTO credentials (kind, secret_hash, tenant_id, subject_id) VALUES ('host_key', uuid_send('{host}'), '{tenant}', '{host}');
             UPDATE memberships SET client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'viewer'"
        ))
        .await;
    let owner = console.member("owner@ours.example").await;
    let path = format!("/clients/{client}/delete");
    let (status, _, page) = console.ask(&owner, "POST", &path, "&answer=delete&name=Ours+client").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY, "{status}");
    assert!(!page.contains("Delete it for good"), "what is looked after is not deleted");
    console.ask(&owner, "POST", &format!("/clients/{client}/archive"), "").await;
    let (status, _, page) = console.ask(&owner, "POST", &path, "&answer=delete&name=Ours").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("not its name"));

    let (status, ..) = console.ask(&owner, "POST", &path, "&answer=delete&name=Ours+client").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.count("deletions WHERE begun_at IS NULL").await, 1, "a fix runs");
    let (_, _, page) = console.get(&format!("/clients/{client}/edit"), &owner.cookie).await;
    assert!(page.contains("It is being deleted") && page.contains("1 fix that runs"));
    console.ask(&owner, "POST", &format!("/clients/{client}/restore"), "").await;
    assert_eq!(console.count("clients WHERE archived_at IS NULL").await, 1, "it is not restored meanwhile");
    console.swept().await;
    assert!(console.count(&format!("hosts WHERE client_id = '{client}'")).await > 0);
    console
        .execute(format!(
            "UPDATE jobs SET state = 'finished', ended_at = clock_timestamp(), result_digest = '\\x01' WHERE run_id = '{run}';
             UPDATE runs SET state = 'fixed', ended_at = clock_timestamp() WHERE run_id = '{run}'"
        ))
        .await;
    console.swept().await;
    let of_hosts = format!("credentials WHERE subject_id = '{host}'");
    assert_eq!(console.count(&of_hosts).await, 0, "its hosts' keys open nothing");

    let mut left = Vec::new();
    for table in tables(&mut console).await {
        let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM {table} t WHERE t::text LIKE '%{client}%' OR t::text LIKE '%{host}%'"
        )))
        .fetch_one(&mut console.rows)
        .await
        .unwrap();
        if rows > 0 {
            left.push(table);
        }
    }
    assert_eq!(
        left,
        ["audit", "audit_chain", "deletions"]
            .iter()
            .filter(|t| left.contains(&(**t).to_owned()))
            .map(|t| (*t).to_owned())
            .collect::<Vec<_>>()
    );
    assert_eq!(console.count("audit WHERE action = 'client.deleted'").await, 1);
    console.sides_are_as_listed().await;
    assert_eq!(console.count(&format!("memberships WHERE client_ids = '{{}}' AND tenant_id = '{tenant}'")).await, 1);
    assert_eq!(console.get(&format!("/clients/{client}"), &owner.cookie).await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.get("/settings/audit", &owner.cookie).await.0, StatusCode::OK);
    assert_eq!(console.get("/", &owner.cookie).await.0, StatusCode::OK);
    // Another of the same name may come.
    let (status, ..) = console.ask(&owner, "POST", "/clients", "&name=Ours+client&zone=UTC").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_operator_deletes_an_organization_from_the_command_line_and_calls_it_off() {
    let mut console = Console::new().await;
    let at = || OwnerArgs { database_owner_url: Some(console.db.owner_url()), data: None };
    let delete =
        |name: &str, days| Platform::Delete { tenant: "Ours".to_owned(), name: name.to_owned(), days, at: at() };
    assert!(server::platform::run(delete("Other", 7)).await.is_err());
    server::platform::run(delete("Ours", 7)).await.unwrap();
    assert!(server::platform::run(delete("Ours", 7)).await.is_err());
    server::platform::run(Platform::Keep { tenant: "Ours".to_owned(), at: at() }).await.unwrap();
    server::platform::run(delete("Ours", 0)).await.unwrap();
    let mut tx = console.tx().await;
    assert!(deletions::find(&mut tx, Subject::Tenant).await.unwrap().is_some());
    tx.rollback().await.unwrap();
    assert_eq!(
        console.count("tenant_audit WHERE actor = 'operator' AND action LIKE 'organization.deletion%'").await,
        3
    );
    console.clock.advance(SignedDuration::from_mins(1));
    console.swept().await;
    assert_eq!(console.count("deletions WHERE ended_at IS NOT NULL").await, 1);
}
