//! What only an owner's token with that scope does: taking everything along, deleting, calling it off.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::everything::TABLES;
use uuid::Uuid;

use super::api::ALL;
use super::program::{Program, UNPROCESSABLE};

/// Those whose tokens own nothing, whatever their scopes: an admin, a technician, a client viewer; and an owner's without it.
const OTHERS: [(&str, &[&str]); 4] = [
    ("viewer@ours.example", &ALL),
    ("sam@ours.example", &ALL),
    ("kim@ours.example", &ALL),
    ("owner@ours.example", &["read", "clients", "people", "settings", "audit", "confirm"]),
];

impl Program {
    /// The viewer is an admin, and Kim sees one client.
    async fn with_others(mut self) -> Program {
        let (tenant, client, login) = (self.console.ours.tenant, self.console.ours.client, Uuid::from_u128(77));
        self.console
            .execute(format!(
                "UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer';
                 INSERT INTO logins (login_id, email) VALUES ('{login}', 'kim@ours.example');
                 INSERT INTO memberships (tenant_id, login_id, role, client_ids, name, email)
                   VALUES ('{tenant}', '{login}', 'admin', ARRAY['{client}'::uuid], 'kim', 'kim@ours.example')"
            ))
            .await;
        self
    }

    /// How many letters of a kind the owners were written.
    async fn letters(&mut self, what: &str) -> i64 {
        self.console
            .count(&format!("letters WHERE address = 'owner@ours.example' AND facts ->> 'what' = '{what}'"))
            .await
    }

    async fn archived(&self) -> String {
        let client = format!("clients/{}", self.console.ours.client);
        assert_eq!(self.post(&format!("{client}/archive"), json!({})).await.0, StatusCode::OK);
        client
    }
}

#[tokio::test]
async fn an_owners_token_takes_everything_along_as_the_console_does() {
    let mut p = Program::of("owner@ours.example", &["own"]).await.with_others().await;
    p.console.run("unknown", "unknown").await;
    let (status, file) = p.get("organization/file").await;
    assert_eq!((status, &file["organization"]), (StatusCode::OK, &json!("Ours")));
    let tenant = p.console.ours.tenant;
    for table in TABLES {
        let there = p.console.count(&format!("{table} WHERE tenant_id = '{tenant}'")).await;
        assert_eq!(file["tables"][table].as_array().map(Vec::len), usize::try_from(there).ok(), "{table}");
    }
    let text = file.to_string();
    assert!(!text.contains("Theirs") && !text.contains(&p.console.theirs.tenant.to_string()));
    let told = "tenant_audit WHERE action = 'organization.exported' AND actor LIKE 'token % of member %' AND source = '192.0.2.7'";
    assert_eq!(p.console.count(told).await, 1);
    for (email, scopes) in OTHERS {
        p = p.with(email, scopes).await;
        let (status, said) = p.get("organization/file").await;
        let refused = if email.starts_with("kim") { StatusCode::NOT_FOUND } else { StatusCode::FORBIDDEN };
        assert_eq!(status, refused, "{email}: {said}");
        assert!(said["tables"].is_null());
    }
    assert_eq!(p.console.count("tenant_audit WHERE action = 'organization.exported'").await, 1);
}

#[tokio::test]
async fn an_organization_that_a_token_asks_to_delete_waits_and_any_owner_calls_it_off() {
    let mut p = Program::of("owner@ours.example", &["own"]).await.with_others().await;
    let (delete, keep) = ("organization/delete", "organization/keep");
    p.refuses(
        delete,
        &[(json!({}), "name"), (json!({ "name": "ours" }), "name"), (json!({ "name": "Theirs" }), "name")],
    )
    .await;
    assert_eq!(p.post(keep, json!({})).await.1, json!({ "changed": false }), "there is none");
    let key = [("idempotency-key", "one")];
    let meant = || json!({ "name": "Ours" });
    let (status, waits) = p.post_with(delete, &key, meant()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{waits}");
    assert_eq!((&waits["client"], &waits["asked_by"]), (&json!(null), &json!("An API token of owner")));
    let at = |name: &str| waits[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(at("begins_at").duration_since(at("asked_at")), SignedDuration::from_hours(7 * 24));
    assert_eq!(p.post_with(delete, &key, meant()).await.1, waits);
    assert_eq!(p.post(delete, meant()).await.1, waits, "it is asked for already");
    assert_eq!(p.get("deletions").await.1["items"], json!([waits]));
    assert_eq!((p.console.count("deletions").await, p.letters("deletion asked").await), (1, 1));
    let told = "tenant_audit WHERE action = 'organization.deletion_asked' AND actor LIKE 'token % of member %'";
    assert_eq!(p.console.count(told).await, 1);

    // Others neither ask nor keep, nor are told.
    for (email, scopes) in OTHERS {
        p = p.with(email, scopes).await;
        let refused = if email.starts_with("kim") { StatusCode::NOT_FOUND } else { StatusCode::FORBIDDEN };
        assert_eq!(p.post(delete, meant()).await.0, refused, "{email}");
        assert_eq!(p.post(keep, json!({})).await.0, refused, "{email}");
        assert_eq!(p.get("deletions").await.0, refused, "{email}");
    }

    // The page shows it, and its button calls it off; so does a token.
    let owner = p.console.member("owner@ours.example").await;
    let (_, _, page) = p.console.get("/settings/data", &owner.cookie).await;
    assert!(page.contains("An API token of owner asked for it") && page.contains("Call it off"), "{page}");
    assert_eq!(p.console.ask(&owner, "POST", "/settings/data/keep", "").await.0, StatusCode::SEE_OTHER);
    let mut p = p.with("owner@ours.example", &["own"]).await;
    assert_eq!(p.post(delete, meant()).await.0, StatusCode::ACCEPTED);
    assert_eq!(p.post(keep, json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.get("deletions").await.1["items"], json!([]));
    assert_eq!(p.letters("deletion called off").await, 2);
    p.console.clock.advance(SignedDuration::from_hours(24 * 8));
    p.console.swept().await;
    assert_eq!(p.console.count("deletions WHERE begun_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_client_that_a_token_asks_to_delete_waits_seven_days_and_its_owners_are_told() {
    let mut p = Program::of("owner@ours.example", &["own", "clients", "read"]).await.with_others().await;
    let client = format!("clients/{}", p.console.ours.client);
    let (delete, keep) = (format!("{client}/delete"), format!("{client}/keep"));
    let meant = || json!({ "name": "Ours client" });
    let (status, stands) = p.post(&delete, meant()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(stands["detail"].as_str().unwrap().contains("archive it first"), "{stands}");
    p.archived().await;
    p.refuses(&delete, &[(json!({ "name": "Ours" }), "name"), (json!({}), "name")]).await;
    let key = [("idempotency-key", "one")];
    let (status, waits) = p.post_with(&delete, &key, meant()).await;
    assert_eq!((status, &waits["client"]), (StatusCode::ACCEPTED, &json!(p.console.ours.client)), "{waits}");
    assert_eq!(p.post_with(&delete, &key, meant()).await.1, waits, "answered as before");
    assert_eq!((p.console.count("deletions").await, p.letters("deletion asked").await), (1, 1));
    let letter = p.console.letter().await;
    assert!(letter.subject.starts_with("Ours client of Ours will be deleted on "), "{}", letter.subject);
    assert_eq!(letter.path, format!("/{client}/edit"));

    // Nothing brings it back to work meanwhile, and for a week nothing of it goes.
    assert_eq!(p.post(&format!("{client}/restore"), json!({})).await.1, json!({ "changed": false }));
    p.console.clock.advance(SignedDuration::from_hours(23));
    p.console.swept().await;
    assert_eq!(p.console.count("deletions WHERE begun_at IS NULL").await, 1);
    let owner = p.console.member("owner@ours.example").await;
    let (_, _, page) = p.console.get(&format!("/{client}/edit"), &owner.cookie).await;
    assert!(page.contains("An API token of owner asked for it") && page.contains("It begins "), "{page}");
    let (status, ..) = p.console.ask(&owner, "POST", &format!("/{delete}"), "&answer=keep").await;
    assert_eq!((status, p.letters("deletion called off").await), (StatusCode::SEE_OTHER, 1));

    assert_eq!(p.post(&delete, meant()).await.0, StatusCode::ACCEPTED);
    assert_eq!(p.post(&keep, json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&keep, json!({})).await.1, json!({ "changed": false }));
    assert_eq!(p.post(&delete, meant()).await.0, StatusCode::ACCEPTED);

    for (email, scopes) in OTHERS {
        p = p.with(email, scopes).await;
        let refused = if email.starts_with("kim") { StatusCode::NOT_FOUND } else { StatusCode::FORBIDDEN };
        assert_eq!(p.post(&delete, meant()).await.0, refused, "{email}");
        assert_eq!(p.post(&keep, json!({})).await.0, refused, "{email}");
    }
    p = p.with("owner@ours.example", &["own"]).await;
    for act in ["delete", "keep"] {
        let body = if act == "delete" { json!({ "name": "Theirs client" }) } else { json!({}) };
        let foreign = p.post(&format!("clients/{}/{act}", p.console.theirs.client), body.clone()).await;
        let nobodys = p.post(&format!("clients/{}/{act}", Uuid::nil()), body).await;
        assert_eq!((foreign.0, &foreign.1), (StatusCode::NOT_FOUND, &nobodys.1), "{act}");
    }

    // After its days it goes; then it is kept no more.
    p.console.clock.advance(SignedDuration::from_hours(24 * 7));
    p.console.swept().await;
    assert_eq!(p.console.count("deletions WHERE begun_at IS NOT NULL").await, 1);
    assert_eq!(p.letters("deletion begun").await, 1);
    let mut p = p.with("owner@ours.example", &["own"]).await;
    assert_ne!(p.post(&keep, json!({})).await.0, StatusCode::OK, "it has begun");
    p.console.clock.advance(SignedDuration::from_secs(11));
    server::upkeep::erase(&p.console.store).await;
    assert_eq!(p.console.count(&format!("hosts WHERE client_id = '{}'", p.console.ours.client)).await, 0);
}

#[tokio::test]
async fn a_token_replaces_the_sealing_key_and_a_second_time_does_no_harm() {
    let mut p = Program::of("owner@ours.example", &["settings"]).await.with_others().await;
    let secret = json!({ "name": "relay", "kind": "smtp_password", "value": "canary" });
    assert_eq!(p.post("secrets", secret).await.0, StatusCode::OK);
    let (path, key) = ("secrets/sealing-key", [("idempotency-key", "one")]);
    let done: Value = json!({ "version": 2, "values": 1 });
    assert_eq!(p.post_with(path, &key, json!({})).await, (StatusCode::OK, done.clone()));
    assert_eq!(p.post_with(path, &key, json!({})).await, (StatusCode::OK, done), "answered as before");
    assert_eq!(p.post(path, json!({})).await.1["version"], json!(3), "asked for anew, it is done anew");
    assert_eq!(p.console.says("relay").await.unwrap().as_deref(), Some("canary"));
    let keys = format!("sealing_keys WHERE tenant_id = '{}'", p.console.ours.tenant);
    assert_eq!(p.console.count(&keys).await, 1, "the keys of before are no more");
    let told = "tenant_audit WHERE action = 'organization.sealing_key_replaced' AND actor LIKE 'token % of member %'";
    assert_eq!(p.console.count(told).await, 2);
    assert_eq!(p.post(path, json!({ "force": true })).await.0, UNPROCESSABLE);
    for (email, scopes, refused) in [
        ("sam@ours.example", &ALL[..], StatusCode::FORBIDDEN),
        ("kim@ours.example", &ALL[..], StatusCode::NOT_FOUND),
        ("owner@ours.example", &["own", "people", "clients"], StatusCode::FORBIDDEN),
    ] {
        p = p.with(email, scopes).await;
        assert_eq!(p.post(path, json!({})).await.0, refused, "{email}");
    }
    assert_eq!(p.console.count(&format!("{keys} AND version = 3")).await, 1);
}

#[tokio::test]
async fn a_program_that_asks_and_calls_off_without_end_fills_nobodys_mailbox() {
    let mut p = Program::of("owner@ours.example", &["own", "clients"]).await;
    let client = p.archived().await;
    for (delete, keep, name) in [
        ("organization/delete", "organization/keep", "Ours"),
        (&*format!("{client}/delete"), &*format!("{client}/keep"), "Ours client"),
    ] {
        let before = p.letters("deletion asked").await;
        let mut asked = Vec::new();
        for _ in 0..10 {
            asked.push(p.post(delete, json!({ "name": name })).await.0);
            assert_eq!(p.post(keep, json!({})).await.0, StatusCode::OK);
        }
        let (taken, refused) = ([StatusCode::ACCEPTED; 3], [StatusCode::CONFLICT; 7]);
        assert_eq!(asked, [&taken[..], &refused[..]].concat(), "{delete}");
        assert_eq!(p.letters("deletion asked").await - before, 3);
        let (_, often) = p.post(delete, json!({ "name": name })).await;
        assert!(often["detail"].as_str().unwrap().contains("three times within a day"), "{often}");
    }
    assert_eq!(p.letters("deletion called off").await, 6);
    // A person deletes the client at once, of which nobody is told, and the next day is another one.
    p.console.clock.advance(SignedDuration::from_hours(25));
    let p = p.with("owner@ours.example", &["own"]).await;
    assert_eq!(p.post("organization/delete", json!({ "name": "Ours" })).await.0, StatusCode::ACCEPTED);
    let owner = p.console.member("owner@ours.example").await;
    let form = "&answer=delete&name=Ours+client";
    let (status, ..) = p.console.ask(&owner, "POST", &format!("/{client}/delete"), form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
}
