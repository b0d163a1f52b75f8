//! Secrets: set, replaced and deleted by the page; sealed for their place; sealed anew with another key.

use axum::http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use keys::seal::MasterKey;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use store::{StoreError, sealing, secrets, tenant_keys};
use uuid::Uuid;

use super::Console;
use super::people::leads_to;

const PAGE: &str = "/settings/secrets";
/// A hang guard only.
const GUARD: std::time::Duration = std::time::Duration::from_secs(60);

fn master() -> MasterKey {
    MasterKey::from_bytes([7; 32])
}

impl Console {
    async fn add_secret(&self, cookie: &str, name: &str, kind: &str, value: &str) -> (StatusCode, HeaderMap, String) {
        self.click(cookie, PAGE, PAGE, &format!("&name={name}&kind={kind}&value={value}")).await
    }

    pub(super) async fn secret_id(&mut self, name: &str) -> Uuid {
        let sql = "SELECT secret_id FROM secrets WHERE name = $1";
        sqlx::query_scalar(sql).bind(name).fetch_one(&mut self.rows).await.unwrap()
    }

    /// What a secret says; or why it does not open.
    pub(super) async fn says(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.tx().await;
        let found = secrets::open(&mut tx, &master(), name).await;
        tx.rollback().await.unwrap();
        found.map(|found| found.map(|(_, secret)| secret.reveal().to_owned()))
    }

    /// Every row of every table, as text and as what bytes are in it.
    pub(super) async fn everything(&mut self) -> String {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace",
        )
        .fetch_all(&mut self.rows)
        .await
        .unwrap();
        let mut all = String::new();
        for table in tables {
            let sql = sqlx::AssertSqlSafe(format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t"));
            all += &sqlx::query_scalar::<_, String>(sql).fetch_one(&mut self.rows).await.unwrap();
        }
        all
    }
}

#[tokio::test]
async fn a_secret_is_set_replaced_and_deleted_and_nobody_reads_it_again() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    let (status, headers, page) = console.add_secret(&owner, "status", "api_key", "canary-1").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/secrets?done=added"), "{page}");
    assert_eq!(console.says("status").await.unwrap().as_deref(), Some("canary-1"));
    for (name, kind, value, why) in [
        ("status", "api_key", "canary-2", "There is a secret of that name already"),
        ("Two+words", "api_key", "canary-2", "A name is made of"),
        ("other", "password", "canary-2", "Choose what it is"),
        ("other", "ssh_key", "canary-2", "a whole private key"),
        ("other", "api_key", "canary-2%0Atwo", "one line"),
    ] {
        let (status, _, page) = console.add_secret(&owner, name, kind, value).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{why}");
        assert!(page.contains(why) && !page.contains("canary"), "{why}: what was typed is not sent back");
    }
    assert_eq!(console.count("secrets").await, 1);

    let id = console.secret_id("status").await;
    let (status, ..) = console.click(&owner, PAGE, &format!("{PAGE}/{id}/replace"), "&value=canary-3").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.says("status").await.unwrap().as_deref(), Some("canary-3"), "the old value is gone");
    let (_, _, page) = console.get(PAGE, &owner).await;
    assert!(page.contains("API key, version 2") && page.contains("nothing refers to it"), "{page}");

    // What refers to it is named, and keeps it.
    let tenant = console.ours.tenant;
    console
        .execute(format!(
            "UPDATE checks SET kind = 'http', definition = '{{\"name\": \"answers\", \"kind\": \"http\", \"target\": \"https://shop.example/\",
               \"selector\": {{\"host\": \"h\"}}, \"headers\": {{\"X-Key\": {{\"secret\": \"status\"}}}}}}' WHERE tenant_id = '{tenant}'"
        ))
        .await;
    let (_, _, page) = console.get(PAGE, &owner).await;
    assert!(page.contains("used by check “answers”"));
    let delete = format!("{PAGE}/{id}/delete");
    let (status, _, page) = console.click(&owner, PAGE, &delete, "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("“status” stays: check “answers” refers to it."), "{page}");

    // The file of everything names it without its value.
    let (_, _, file) = console.click(&owner, PAGE, "/settings/data/file", "").await;
    assert!(file.contains("\"name\":\"status\"") && file.contains("secrets.sealed") && !file.contains("canary"));
    let rows = console.everything().await;
    assert!(!rows.contains("canary") && !rows.contains(&hex::encode("canary")), "no row holds it");

    console.execute(format!("UPDATE checks SET archived_at = created_at WHERE tenant_id = '{tenant}'")).await;
    assert_eq!(console.click(&owner, PAGE, &delete, "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("secrets").await, 0);
    let told = "tenant_audit WHERE action LIKE 'secret.%' AND subject_kind = 'secret' AND detail->>'name' = 'status'";
    assert_eq!(console.count(told).await, 3);
    assert_eq!(console.click(&owner, PAGE, &delete, "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whoever_has_not_just_proven_who_they_are_changes_no_secret() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    console.add_secret(&owner, "status", "api_key", "canary").await;
    let id = console.secret_id("status").await;
    console.clock.advance(SignedDuration::from_mins(11));
    for (path, form) in [
        (PAGE.to_owned(), "&name=a&kind=api_key&value=x"),
        (format!("{PAGE}/sealing-key"), ""),
        (format!("{PAGE}/{id}/replace"), "&value=x"),
        (format!("{PAGE}/{id}/delete"), ""),
    ] {
        let (status, _, page) = console.click(&owner, PAGE, &path, form).await;
        assert_eq!(status, StatusCode::PRECONDITION_REQUIRED, "{path}");
        assert!(page.contains("/confirm?next=/settings/secrets"), "{path}");
    }
    assert_eq!(console.count("secrets WHERE version = 1").await, 1);
}

#[tokio::test]
async fn a_value_that_is_moved_or_put_back_does_not_open() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    for (name, value) in [("first", "canary-1"), ("second", "canary-2")] {
        assert_eq!(console.add_secret(&owner, name, "api_key", value).await.0, StatusCode::SEE_OTHER);
    }
    console.execute("CREATE TABLE before AS SELECT * FROM secrets".to_owned()).await;
    let id = console.secret_id("first").await;
    console.click(&owner, PAGE, &format!("{PAGE}/{id}/replace"), "&value=canary-3").await;
    assert_eq!(console.says("first").await.unwrap().as_deref(), Some("canary-3"));
    console.execute("CREATE TABLE after AS SELECT * FROM secrets".to_owned()).await;

    let of = |from: &str, what: &str| format!("UPDATE secrets s SET {what} FROM {from} o WHERE s.name = 'first'");
    for (done, why) in [
        (of("before", "sealed = o.sealed") + " AND o.name = 'first'", "the value of the version before"),
        (of("after", "sealed = o.sealed") + " AND o.name = 'second'", "another secret's value"),
        (of("before", "sealed = o.sealed, version = o.version") + " AND o.name = 'second'", "with its version"),
        ("UPDATE secrets SET version = version + 1 WHERE name = 'first'".to_owned(), "another version"),
        ("UPDATE secrets SET kind = 'ssh_key' WHERE name = 'first'".to_owned(), "another kind"),
        (
            "UPDATE secrets SET name = 'third' WHERE name = 'second'; UPDATE secrets SET name = 'second' WHERE name = 'first';
             UPDATE secrets SET name = 'first' WHERE name = 'third'"
                .to_owned(),
            "each other's names",
        ),
        ("UPDATE secrets SET sealed = set_byte(sealed, 100, get_byte(sealed, 100) # 1)".to_owned(), "one bit"),
    ] {
        console.execute(done).await;
        let error = console.says("first").await.expect_err(why);
        assert!(matches!(error, StoreError::DoesNotOpen { .. }), "{why}: {error:?}");
        let told = format!("{error} {error:?}");
        assert!(told.contains("does not open") && !told.contains("canary"), "{told}");
        console.execute("DELETE FROM secrets; INSERT INTO secrets SELECT * FROM after".to_owned()).await;
        assert_eq!(console.says("first").await.unwrap().as_deref(), Some("canary-3"), "{why}");
    }
    // Another organization's key opens nothing of ours.
    let (ours, theirs) = (console.ours.tenant, console.theirs.tenant);
    console.execute(format!("UPDATE secrets SET tenant_id = '{theirs}'")).await;
    console.execute(format!("INSERT INTO sealing_keys SELECT '{theirs}', version, sealed, created_at FROM sealing_keys WHERE tenant_id = '{ours}'")).await;
    std::mem::swap(&mut console.ours, &mut console.theirs);
    assert!(matches!(console.says("first").await, Err(StoreError::DoesNotOpen { .. })));
}

#[tokio::test]
async fn a_new_sealing_key_seals_everything_anew_and_the_old_one_is_destroyed() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    console.add_secret(&owner, "status", "api_key", "canary").await;
    let tenant = console.ours.tenant;
    // What the master key sealed before there were sealing keys is taken along.
    let row = tenant.to_string();
    let place = keys::seal::Aad { tenant: Some(tenant), table: "sign_on.secret_sealed", row: &row, version: 1 };
    let sealed = keys::seal::seal(&master(), &mut StdRng::seed_from_u64(3), place, b"hush");
    console
        .execute(format!(
            "INSERT INTO sign_on (tenant_id, issuer, application_id, secret_sealed, version, domains, changed_at, changed_by)
             VALUES ('{tenant}', 'https://login.example', 'a', '\\x{}', 1, '{{ours.example}}', clock_timestamp(), 'owner');
             CREATE TABLE before AS SELECT sealed FROM secrets",
            hex::encode(sealed)
        ))
        .await;
    let (status, headers, _) = console.click(&owner, PAGE, &format!("{PAGE}/sealing-key"), "").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/secrets?done=rotated"));
    assert_eq!(console.says("status").await.unwrap().as_deref(), Some("canary"));
    assert_eq!(console.count(&format!("sealing_keys WHERE tenant_id = '{tenant}' AND version = 2")).await, 1);
    assert_eq!(console.count("sealing_keys").await, 1, "the old key is no more");
    assert_eq!(console.count("sign_on WHERE sealing_version = 2").await, 1);
    let mut tx = console.tx().await;
    let set = store::people::sign_on::find(&mut tx).await.unwrap().unwrap();
    let mut rng = StdRng::seed_from_u64(4);
    assert_eq!(&store::people::sign_on::open(&mut tx, &master(), &mut rng, &set).await.unwrap()[..], b"hush");
    tx.rollback().await.unwrap();
    let told = "tenant_audit WHERE action = 'organization.sealing_key_replaced' AND detail->>'values' = '2'";
    assert_eq!(console.count(told).await, 1);
    // The whole row as it was opens no more: its key is gone.
    console.execute("UPDATE secrets SET sealed = b.sealed, sealing_version = 1 FROM before b".to_owned()).await;
    assert!(matches!(console.says("status").await, Err(StoreError::DoesNotOpen { .. })));
    console.execute("UPDATE secrets SET sealing_version = 2".to_owned()).await;
    assert!(matches!(console.says("status").await, Err(StoreError::DoesNotOpen { .. })));
    // One value that does not open stops it, and nothing is different.
    let (status, ..) = console.click(&owner, PAGE, &format!("{PAGE}/sealing-key"), "").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(console.count("sealing_keys WHERE version = 2").await, 1);
    assert_eq!(console.count("sealing_keys").await, 1);
}

#[tokio::test]
async fn nothing_is_sealed_with_a_key_that_is_just_being_destroyed() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    console.add_secret(&owner, "first", "api_key", "canary-1").await;
    let mut rng = StdRng::seed_from_u64(9);
    let mut rotating = console.tx().await;
    sealing::rotate(&mut rotating, &master(), &mut rng).await.unwrap();
    let adding = console.add_secret(&owner, "second", "api_key", "canary-2");
    let committing = async {
        // The one that adds has come to the lock; it goes on after the rotation.
        let mut rows = console.db.admin().await;
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut rows).await.unwrap() < 1 {
            tokio::task::yield_now().await;
        }
        rotating.commit().await.unwrap();
    };
    let both = async { tokio::join!(adding, committing) };
    let ((status, ..), ()) = tokio::time::timeout(GUARD, both).await.expect("it comes to the lock");
    assert_eq!(status, StatusCode::SEE_OTHER);
    for (name, value) in [("first", "canary-1"), ("second", "canary-2")] {
        assert_eq!(console.says(name).await.unwrap().as_deref(), Some(value));
    }
    let mut tx = console.tx().await;
    assert_eq!(tenant_keys::find_sealing_since(&mut tx).await.unwrap().unwrap().0, 2);
    tx.rollback().await.unwrap();
    assert_eq!(console.count("secrets WHERE sealing_version = 2").await, 2);
}
