//! The organization's settings over the API: limits, secrets, the mail relay, use, support, the audit's file.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use store::audit;
use uuid::Uuid;

use super::api::ALL;
use super::program::Program;

#[tokio::test]
async fn a_limit_is_tightened_at_once_and_what_loosens_waits_for_somebody_else() {
    let mut p = Program::new().await;
    let tenant = p.console.ours.tenant;
    p.console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer'"))
        .await;
    let one = "limits/client.in_flight";
    let wrong = [
        (json!({ "count": 0 }), "count"),
        (json!({ "count": "2" }), "count"),
        (json!({ "count": 2, "secs": 60 }), "secs"),
        (json!({ "count": 2, "why": "x".repeat(201) }), "why"),
        (json!({ "count": 2, "per": "day" }), "per"),
    ];
    p.refuses(one, &wrong).await;
    p.refuses("limits/client.runs_per_window", &[(json!({ "count": 2 }), "secs")]).await;
    p.refuses("limits/host_playbook.cooldown_secs", &[(json!({ "count": 2 }), "count")]).await;
    assert_eq!(p.post("limits/client.everything", json!({ "count": 1 })).await.0, StatusCode::NOT_FOUND);
    let (status, problem) = p.post("limits/%ff", json!({ "count": 1 })).await;
    assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("/api/docs#not-found")));

    let outcome = |outcome: &str| json!({ "outcome": outcome });
    assert_eq!(p.post(one, json!({ "count": 2 })).await.1, outcome("set"));
    assert_eq!(p.post(one, json!({ "count": 2 })).await.1, outcome("same"));
    let tightened = "tenant_audit WHERE action = 'limit.tightened' AND actor LIKE 'token % of member %'";
    assert_eq!(p.console.count(tightened).await, 1);
    p.refuses(one, &[(json!({ "count": 3 }), "why")]).await;
    let looser = json!({ "count": 3, "why": "More hosts" });
    let key = [("idempotency-key", "one")];
    assert_eq!(p.post_with(one, &key, looser.clone()).await.1, outcome("proposed"));
    assert_eq!(p.post_with(one, &key, looser.clone()).await.1, outcome("proposed"), "answered as before");
    assert_eq!(p.post(one, looser).await.1, outcome("waits"));
    let (status, list) = p.get("limits").await;
    assert_eq!(status, StatusCode::OK);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 13);
    let shown = items.iter().find(|item| item["limit"] == "client.in_flight").unwrap();
    assert_eq!((&shown["count"], &shown["secs"], &shown["has_secs"]), (&json!(2), &Value::Null, &json!(false)));
    assert_eq!((&shown["waits"]["state"], &shown["waits"]["wanted"]["max_in_flight"]), (&json!("proposed"), &json!(3)));

    // Its author is no second person, by no token of theirs; somebody else is.
    let change = format!("changes/{}", shown["waits"]["change"].as_str().unwrap());
    assert_eq!(p.post(&change, json!({ "answer": "yes" })).await.0, StatusCode::FORBIDDEN);
    p = p.with("owner@ours.example", &["confirm", "settings"]).await;
    assert_eq!(p.post(&change, json!({ "answer": "yes" })).await.0, StatusCode::FORBIDDEN);
    p = p.with("viewer@ours.example", &["settings"]).await;
    assert_eq!(p.post(&change, json!({ "answer": "yes" })).await.0, StatusCode::FORBIDDEN, "it is another scope");
    p = p.with("viewer@ours.example", &["confirm"]).await;
    assert_eq!(p.post(&change, json!({ "answer": "yes" })).await.0, StatusCode::OK);
    assert_eq!(p.post(one, json!({ "count": 1 })).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_secret_is_written_over_the_api_and_stands_nowhere_in_the_rows() {
    let mut p = Program::new().await;
    let relay = json!({ "name": "relay", "kind": "smtp_password", "value": "canary-1" });
    let with = |field: &str, value: Value| {
        let mut body = relay.clone();
        body[field] = value;
        body
    };
    let wrong = [
        (with("name", json!("Two words")), "name"),
        (with("kind", json!("password")), "kind"),
        (with("value", json!("")), "value"),
        (with("value", json!(7)), "value"),
        (with("value", json!("two\nlines")), "value"),
        (json!({ "name": "relay", "kind": "api_key" }), "value"),
        (json!({ "name": "way-in", "kind": "ssh_key", "value": "-----BEGIN PRIVATE KEY-----\ncanary-9\n" }), "value"),
        (with("clear", json!(true)), "clear"),
    ];
    p.refuses("secrets", &wrong).await;
    let key = [("idempotency-key", "one")];
    let (status, made) = p.post_with("secrets", &key, relay.clone()).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(p.post_with("secrets", &key, relay.clone()).await.1, made, "answered as before");
    p.refuses("secrets", &[(relay.clone(), "name")]).await;
    assert_eq!(p.console.says("relay").await.unwrap().as_deref(), Some("canary-1"));

    let one = format!("secrets/{}", made["id"].as_str().unwrap());
    let replace = format!("{one}/replace");
    let replaced = p.post_with(&replace, &[("idempotency-key", "two")], json!({ "value": "canary-2" }));
    assert_eq!(replaced.await.1, json!({ "version": 2 }));
    assert_eq!(p.console.says("relay").await.unwrap().as_deref(), Some("canary-2"));
    let (_, list) = p.get("secrets").await;
    let shown = &list["items"][0];
    assert_eq!(
        (&shown["name"], &shown["kind"], &shown["version"]),
        (&json!("relay"), &json!("smtp_password"), &json!(2))
    );
    assert_eq!((&shown["set_by"], &shown["used_by"]), (&json!("owner"), &json!([])));
    assert!(!list.to_string().contains("canary"));

    // The mail relay refers to it, so it stays.
    let mails = json!({ "host": "smtp.ours.example", "port": 587, "tls": "starttls", "sender": "alerts@ours.example",
        "login": { "user": "alerts", "secret": "relay" } });
    assert_eq!(p.post("mail-relay", mails).await.1, json!({ "changed": true }));
    let (status, stays) = p.post(&format!("{one}/delete"), json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(stays["detail"].as_str().unwrap().contains("the mail relay refers to it"), "{stays}");
    assert_eq!(p.post("mail-relay/remove", json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&format!("{one}/delete"), json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&format!("{one}/delete"), json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(p.post(&format!("{one}/replace"), json!({ "value": "x" })).await.0, StatusCode::NOT_FOUND);
    let told = "tenant_audit WHERE action LIKE 'secret.%' AND actor LIKE 'token %' AND detail->>'name' = 'relay'";
    assert_eq!(p.console.count(told).await, 3);

    let rows = p.console.everything().await;
    assert!(!rows.contains("canary") && !rows.contains(&hex::encode("canary")), "no row holds it");
    // Nor a digest that somebody who reads the rows could try words against.
    let asked = format!("POST\n/api/v1/secrets\n{relay}");
    assert!(!rows.contains(&hex::encode(keys::digest(asked.as_bytes()).0)), "no digest of the request alone");
    assert_eq!(p.console.count("api_answers").await, 2);
}

#[tokio::test]
async fn the_mail_relay_is_set_with_each_wrong_field_named_and_taken_out() {
    let mut p = Program::new().await;
    let relay = json!({ "host": "smtp.ours.example", "port": 465, "tls": "implicit", "sender": "alerts@ours.example" });
    let with = |field: &str, value: Value| {
        let mut body = relay.clone();
        body[field] = value;
        body
    };
    let wrong = [
        (with("host", json!("smtp.ours.example:25")), "host"),
        (with("port", json!(0)), "port"),
        (with("port", json!(70_000)), "port"),
        (with("tls", json!("none")), "tls"),
        (with("sender", json!("nobody")), "sender"),
        (with("login", json!({ "user": "alerts" })), "secret"),
        (with("login", json!({ "user": "", "secret": "relay" })), "login.user"),
        (with("login", json!({ "user": "alerts", "secret": "relay" })), "login.secret"),
        (with("password", json!("x")), "password"),
    ];
    p.refuses("mail-relay", &wrong).await;
    let none = json!({ "relay": null, "changed_at": null, "changed_by": null, "refused_at": null, "refusal": null });
    assert_eq!(p.get("mail-relay").await, (StatusCode::OK, none));
    assert_eq!(p.post("mail-relay/remove", json!({})).await.1, json!({ "changed": false }));
    assert_eq!(p.post("mail-relay", relay.clone()).await.1, json!({ "changed": true }));
    p.console.execute("UPDATE mail_relays SET refused_at = clock_timestamp(), refusal = '535 no'".to_owned()).await;
    let (_, shown) = p.get("mail-relay").await;
    let mut stored = relay;
    stored["login"] = Value::Null;
    assert_eq!(
        (&shown["relay"], &shown["changed_by"], &shown["refusal"]),
        (&stored, &json!("owner"), &json!("535 no"))
    );
    assert_eq!(p.post("mail-relay/remove", json!({})).await.1, json!({ "changed": true }));
    let told = "tenant_audit WHERE action LIKE 'organization.relay_%' AND actor LIKE 'token %'";
    assert_eq!(p.console.count(told).await, 2);
}

#[tokio::test]
async fn only_an_owners_token_with_that_scope_lets_the_staff_look() {
    let mut p = Program::new().await;
    let tenant = p.console.ours.tenant;
    let why = json!({ "hours": 4, "reason": "The digest never came" });
    let wrong = [
        (json!({ "hours": 0, "reason": "x" }), "hours"),
        (json!({ "hours": 73, "reason": "x" }), "hours"),
        (json!({ "hours": 4, "reason": " " }), "reason"),
        (json!({ "hours": 4 }), "reason"),
    ];
    p.refuses("support-grants", &wrong).await;
    assert_eq!(p.post("support-grants/end", json!({})).await.1, json!({ "changed": false }));
    let (status, made) = p.post("support-grants", why.clone()).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert!(server::platform::support_link(&p.console.store, &p.console.db.owner_url(), "Ours").await.is_ok());
    let (_, list) = p.get("support-grants").await;
    let shown = &list["items"][0];
    assert_eq!((&shown["id"], &shown["granted_by"], &shown["ended_at"]), (&made["id"], &json!("owner"), &Value::Null));
    assert_eq!(p.post("support-grants/end", json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.get("support-grants").await.1["items"][0]["ended_by"], "owner");
    assert!(server::platform::support_link(&p.console.store, &p.console.db.owner_url(), "Ours").await.is_err());
    assert_eq!(p.console.count("tenant_audit WHERE action LIKE 'support.%' AND actor LIKE 'token %'").await, 2);

    let sign_on = json!({ "provider": null, "required": false, "waits": null, "link": format!("https://mend.example/sso/{tenant}") });
    assert_eq!(p.get("sign-on").await, (StatusCode::OK, sign_on));
    p.console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer'"))
        .await;
    for (email, scopes) in [("viewer@ours.example", &ALL[..]), ("owner@ours.example", &["settings", "people"])] {
        p = p.with(email, scopes).await;
        assert_eq!(p.post("support-grants", why.clone()).await.0, StatusCode::FORBIDDEN, "{email}");
        for path in ["support-grants", "sign-on"] {
            assert_eq!(p.get(path).await.0, StatusCode::FORBIDDEN, "{email} {path}");
        }
    }
}

#[tokio::test]
async fn use_and_service_groups_are_read_and_of_a_client_that_is_not_theirs_nothing() {
    let mut p = Program::new().await;
    let (tenant, client) = (p.console.ours.tenant, p.console.ours.client);
    p.console
        .execute(format!(
            "INSERT INTO plans (plan, max_hosts, keep_days) VALUES ('small', 50, 30); UPDATE tenants SET plan = 'small' WHERE tenant_id = '{tenant}';
             INSERT INTO usage_days (tenant_id, client_id, day, hosts) VALUES ('{tenant}', '{client}', current_date, 1);
             INSERT INTO service_groups (tenant_id, client_id, group_id, name, tags, targets, active)
               VALUES ('{tenant}', '{client}', '{client}', 'web', '{{\"role\": \"web\"}}', '{{shop}}', true)"
        ))
        .await;
    let (status, used) = p.get("usage").await;
    assert_eq!((status, &used["plan"], &used["keep_days"]), (StatusCode::OK, &json!("small"), &json!(30)));
    assert_eq!(used["rooms"][0], json!({ "of": "hosts", "used": 1, "allowed": 50 }));
    assert_eq!(used["rooms"][2], json!({ "of": "members", "used": 3, "allowed": null }));
    assert_eq!((&used["months"][0]["client"], &used["months"][0]["most"]), (&json!(client), &json!(1)));
    for months in ["0", "14", "x"] {
        let (status, problem) = p.get(&format!("usage?months={months}")).await;
        assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("months")));
    }
    assert_eq!(p.get("usage?months=13").await.0, StatusCode::OK);

    let group = json!({ "id": client, "client": client, "name": "web", "tags": { "role": "web" }, "targets": ["shop"], "active": true });
    assert_eq!(p.get("service-groups").await.1, json!({ "items": [group], "next": null }));
    p = p.with("sam@ours.example", &ALL).await;
    assert_eq!(p.get("service-groups").await.1["items"].as_array().unwrap().len(), 1);
    assert_eq!(p.get("usage").await.0, StatusCode::FORBIDDEN);
    p.console
        .execute(format!(
            "UPDATE memberships SET client_ids = ARRAY['{}'::uuid] WHERE name = 'A member' AND tenant_id = '{tenant}'",
            Uuid::nil()
        ))
        .await;
    assert_eq!(p.get("service-groups").await.1["items"], json!([]));
}

#[tokio::test]
async fn the_audits_file_is_the_consoles_and_taking_it_is_an_entry() {
    let mut p = Program::of("owner@ours.example", &["audit"]).await;
    let (tenant, key) = (p.console.ours.tenant, keys::SigningKey::from_bytes(&[8; 32]));
    let mut tx = p.console.tx().await;
    audit::insert(&mut tx, None, audit::Entry::done("test", ("tenant", tenant))).await.unwrap();
    audit::chain::link(&mut tx, &key, jiff::Timestamp::UNIX_EPOCH, 100).await.unwrap();
    tx.commit().await.unwrap();
    let ask = |token: &str| {
        let request = Request::get("/api/v1/audit/file").header("authorization", format!("Bearer {token}"));
        request.body(Body::empty()).unwrap()
    };
    let (status, headers, file) = p.console.send(ask(&p.token)).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"application/x-ndjson".parse().unwrap()));
    assert!(!file.is_empty() && file.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{file}");
    assert_eq!(p.console.count("tenant_audit WHERE action = 'audit.exported' AND actor LIKE 'token %'").await, 1);
    p = p.with("owner@ours.example", &["read", "settings"]).await;
    assert_eq!(p.console.send(ask(&p.token)).await.0, StatusCode::FORBIDDEN);
}
