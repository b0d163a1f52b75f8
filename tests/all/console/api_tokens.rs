//! Tokens that a token makes: never more than the one that asks, and ended with it.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::ALL;
use super::program::Program;

impl Program {
    /// The same with this text of a token.
    fn showing(mut self, token: &Value) -> Program {
        token.as_str().expect("a token's text").clone_into(&mut self.token);
        self
    }

    async fn mint(&self, body: Value) -> Value {
        let (status, made) = self.post("tokens", body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made
    }
}

#[tokio::test]
async fn a_token_makes_another_whose_text_is_in_one_answer_and_nowhere_else() {
    let p = Program::new().await;
    let wanted = json!({ "name": " backup ", "scopes": ["read", "work"], "networks": ["192.0.2.0/24"] });
    let key = [("idempotency-key", "one")];
    let (status, made) = p.post_with("tokens", &key, wanted.clone()).await;
    assert_eq!((status, &made["networks"]), (StatusCode::CREATED, &json!(["192.0.2.0/24"])), "{made}");
    let (status, again) = p.post_with("tokens", &key, wanted).await;
    assert_eq!((status, &again["id"], &again["token"]), (StatusCode::CREATED, &made["id"], &json!(null)));
    let mut p = p;
    assert_eq!(p.console.count("api_tokens").await, 2, "nothing was made twice");
    let text = made["token"].as_str().unwrap().to_owned();
    for table in ["api_answers", "tenant_audit", "api_tokens", "credentials"] {
        assert_eq!(p.console.count(&format!("{table} t WHERE t::text LIKE '%{text}%'")).await, 0, "{table}");
    }
    let told = "tenant_audit WHERE action = 'token.made' AND actor LIKE 'token % of member %' AND detail->>'minted_by' IS NOT NULL";
    assert_eq!(p.console.count(told).await, 1);
    let (_, list) = p.get("tokens").await;
    let of = |id: &Value| list["items"].as_array().unwrap().iter().find(|item| item["id"] == *id).unwrap().clone();
    let minted = of(&made["id"]);
    let asking = of(&minted["minted_by"]);
    assert_eq!((&minted["name"], &minted["scopes"]), (&json!("backup"), &json!(["read", "work"])));
    assert_eq!((&minted["member"], &asking["minted_by"]), (&asking["member"], &json!(null)));
    assert!(text.starts_with(minted["begins"].as_str().unwrap()));

    // It is its maker's, may what was asked for, and no more.
    p = p.showing(&made["token"]);
    assert_eq!(p.get("hosts").await.0, StatusCode::OK);
    assert_eq!(p.get("members").await.0, StatusCode::FORBIDDEN);
    let more = json!({ "name": "x", "scopes": ["read"] });
    assert_eq!(p.post("tokens", more).await.0, StatusCode::FORBIDDEN, "it may not make tokens itself");
    let hands_off = format!("hosts/{}/hands-off", p.console.ours.host);
    assert_eq!(p.post(&hands_off, json!({ "hours": 1 })).await.0, StatusCode::OK);
    let id = made["id"].as_str().unwrap();
    assert_eq!(p.console.count(&format!("audit WHERE actor LIKE 'token {id} of member %'")).await, 1);
    p.console.execute("UPDATE memberships SET role = 'viewer' WHERE role = 'owner'".to_owned()).await;
    assert_eq!(p.post(&hands_off, json!({ "hours": 1 })).await.0, StatusCode::FORBIDDEN, "it is its maker");
}

#[tokio::test]
async fn what_a_token_makes_has_no_scope_no_network_and_no_time_beyond_it() {
    let mut p = Program::new().await;
    let (_, token) = p.console.token("owner@ours.example", &["read", "people"], &["192.0.2.0/24", "10.0.0.0/8"]).await;
    p.token = token;
    let with = |field: &str, value: Value| {
        let mut body = json!({ "name": "another", "scopes": ["read"] });
        body[field] = value;
        body
    };
    let many: Vec<_> = (0..21).map(|n| format!("192.0.2.{n}")).collect();
    let wrong = [
        (with("name", json!(" ")), "name"),
        (with("name", json!("x".repeat(101))), "name"),
        (with("scopes", json!([])), "scopes"),
        (with("scopes", json!(["read", "own"])), "scopes"),
        (with("scopes", json!(["settings"])), "scopes"),
        (with("scopes", json!(["everything"])), "scopes"),
        (with("days", json!(0)), "days"),
        (with("days", json!(2)), "days"),
        (with("days", json!(367)), "days"),
        (with("networks", json!(["0.0.0.0/0"])), "networks"),
        (with("networks", json!(["192.0.2.0/23"])), "networks"),
        (with("networks", json!(["10.1.0.0/16", "198.51.100.1"])), "networks"),
        (with("networks", json!(["nowhere"])), "networks"),
        (with("networks", json!(many)), "networks"),
        (with("login", json!(Uuid::nil())), "login"),
        (with("minted_by", json!(null)), "minted_by"),
    ];
    p.refuses("tokens", &wrong).await;
    assert_eq!(p.console.count("api_tokens WHERE minted_by IS NOT NULL").await, 0);

    let same = p.mint(with("name", json!("the same"))).await;
    assert_eq!(same["networks"], json!(["192.0.2.0/24", "10.0.0.0/8"]), "those of the one that asks");
    let ends = "api_tokens c JOIN api_tokens p ON p.token_id = c.minted_by WHERE c.expires_at = p.expires_at";
    assert_eq!(p.console.count(ends).await, 1, "and its end");
    let elsewhere = p.mint(with("networks", json!(["10.1.0.0/16"]))).await;
    let p = p.showing(&elsewhere["token"]);
    assert_eq!(p.get("hosts").await.0, StatusCode::UNAUTHORIZED, "it asks from 192.0.2.7");

    // What one of them makes is bounded by it, and not by the first one.
    let mut p = p.with("owner@ours.example", &["read", "work", "people"]).await;
    p.console
        .execute(
            "UPDATE api_tokens SET expires_at = made_at + interval '10 days';
             UPDATE credentials SET expires_at = expires_at + interval '9 days' WHERE kind = 'api_token'"
                .to_owned(),
        )
        .await;
    p.refuses("tokens", &[(with("days", json!(11)), "days")]).await;
    let middle = p.mint(json!({ "name": "middle", "scopes": ["read", "people"], "days": 1 })).await;
    p = p.showing(&middle["token"]);
    p.console.clock.advance(SignedDuration::from_mins(1));
    p.refuses("tokens", &[(with("scopes", json!(["work"])), "scopes"), (with("days", json!(1)), "days")]).await;
    p.mint(json!({ "name": "last", "scopes": ["read"] })).await;
    p.console.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(p.get("tokens").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_ends_with_the_one_that_made_it_however_far_above() {
    let p = Program::new().await;
    let all = |name: &str| json!({ "name": name, "scopes": ["read", "people"] });
    let first = p.mint(all("first")).await;
    let (beside, mut p) = (p.mint(all("beside")).await, p.showing(&first["token"]));
    let second = p.mint(all("second")).await;
    p = p.showing(&second["token"]);
    let third = p.mint(all("third")).await;
    for made in [&first, &second, &third, &beside] {
        p = p.showing(&made["token"]);
        assert_eq!(p.get("hosts").await.0, StatusCode::OK);
    }
    let revoke = format!("tokens/{}/revoke", first["id"].as_str().unwrap());
    assert_eq!(p.post(&revoke, json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&revoke, json!({})).await.1, json!({ "changed": false }));
    assert_eq!(p.get("hosts").await.0, StatusCode::OK, "the one beside it works");
    for made in [&first, &second, &third] {
        p = p.showing(&made["token"]);
        assert_eq!(p.get("hosts").await.0, StatusCode::UNAUTHORIZED, "{made}");
    }
    assert_eq!(p.console.count("tenant_audit WHERE action = 'token.revoked'").await, 3);
    let with = format!(
        "tenant_audit WHERE action = 'token.revoked' AND detail->>'with' = '{}'",
        first["id"].as_str().unwrap()
    );
    assert_eq!(p.console.count(&with).await, 2);

    // The same by the button of the page; and who leaves takes all of them along.
    p = p.with("owner@ours.example", &["read", "people"]).await;
    let child = p.mint(all("child")).await;
    let (owner, csrf) = p.console.seat("owner@ours.example").await;
    let (_, _, page) = p.console.get("/settings/tokens", &owner).await;
    assert!(page.contains("through the token “a test”, with which it ends"), "{page}");
    let of = "SELECT minted_by FROM api_tokens WHERE name = 'child'";
    let asking: Uuid = sqlx::query_scalar(of).fetch_one(&mut p.console.rows).await.unwrap();
    let button = format!("/settings/tokens/{asking}/revoke");
    assert_eq!(p.console.post(&button, &owner, format!("csrf={csrf}")).await.0, StatusCode::SEE_OTHER);
    p = p.showing(&child["token"]);
    assert_eq!(p.get("hosts").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn tokens_are_made_and_revoked_by_who_manages_people_alone() {
    let mut p = Program::new().await;
    let (tenant, client) = (p.console.ours.tenant, p.console.ours.client);
    let body = json!({ "name": "another", "scopes": ["read"] });
    let (owners, _) = p.console.token("owner@ours.example", &["read"], &[]).await;
    let revoke = format!("tokens/{owners}/revoke");
    for (email, scopes) in [
        ("sam@ours.example", &ALL[..]),
        ("viewer@ours.example", &ALL[..]),
        ("owner@ours.example", &["read", "settings", "own", "confirm"]),
    ] {
        p = p.with(email, scopes).await;
        assert_eq!(p.get("tokens").await.0, StatusCode::FORBIDDEN, "{email}");
        assert_eq!(p.post("tokens", body.clone()).await.0, StatusCode::FORBIDDEN, "{email}");
        assert_eq!(p.post(&revoke, json!({})).await.0, StatusCode::FORBIDDEN, "{email}");
    }
    // To a member of some clients it is not there.
    p.console
        .execute(format!(
            "UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer';
             UPDATE memberships SET role = 'admin', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'technician'"
        ))
        .await;
    p = p.with("sam@ours.example", &ALL).await;
    assert_eq!(p.post("tokens", body.clone()).await.0, StatusCode::NOT_FOUND);
    assert_eq!(p.post(&revoke, json!({})).await.0, StatusCode::NOT_FOUND);
    // An admin makes none that may what only owners may, and revokes anybody's of the organization.
    p = p.with("viewer@ours.example", &ALL).await;
    p.refuses("tokens", &[(json!({ "name": "x", "scopes": ["own"] }), "scopes")]).await;
    p.mint(body).await;
    let (theirs, _) = p.console.token("tess@theirs.example", &["read"], &[]).await;
    let foreign = p.post(&format!("tokens/{theirs}/revoke"), json!({})).await;
    let nobodys = p.post(&format!("tokens/{}/revoke", Uuid::nil()), json!({})).await;
    assert_eq!((foreign.0, &foreign.1), (StatusCode::NOT_FOUND, &nobodys.1));
    assert!(!p.get("tokens").await.1.to_string().contains(&theirs.to_string()));
    assert_eq!(p.post(&revoke, json!({})).await.1, json!({ "changed": true }));

    // There is room for so many, and no more.
    p.console
        .execute(format!(
            "INSERT INTO api_tokens (tenant_id, token_id, name, hint, login_id, scopes, networks, made_at, expires_at)
             SELECT tenant_id, gen_random_uuid(), 'x', 'x', login_id, ARRAY['read'], '{{}}', made_at, expires_at FROM api_tokens, generate_series(1, 100)
             WHERE tenant_id = '{tenant}' AND token_id = '{owners}'"
        ))
        .await;
    let (status, full) = p.post("tokens", json!({ "name": "another", "scopes": ["read"] })).await;
    assert_eq!(status, StatusCode::CONFLICT, "{full}");
}

#[tokio::test]
async fn who_ask_side_by_side_for_the_last_place_do_not_all_get_it() {
    let mut p = Program::new().await;
    let tenant = p.console.ours.tenant;
    // Of each there is one place left: 98 tokens of others beside our own, 99 addresses, 199 secrets.
    p.console
        .execute(format!(
            "INSERT INTO api_tokens (tenant_id, token_id, name, hint, login_id, scopes, networks, made_at, expires_at)
               SELECT '{tenant}', gen_random_uuid(), 'x', 'x', gen_random_uuid(), '{{read}}', '{{}}', clock_timestamp(), clock_timestamp() + interval '1 day'
                 FROM generate_series(1, 98);
             DELETE FROM channels WHERE tenant_id = '{tenant}';
             INSERT INTO channels (tenant_id, channel_id, kind, address)
               SELECT '{tenant}', gen_random_uuid(), 'email', 'night-' || n || '@ours.example' FROM generate_series(1, 99) n;
             INSERT INTO secrets (tenant_id, secret_id, name, kind, version, sealed, sealing_version, set_at, set_by)
               SELECT '{tenant}', gen_random_uuid(), 'old-' || n, 'api_key', 1, '\\x01', 1, clock_timestamp(), 'Ours' FROM generate_series(1, 199) n"
        ))
        .await;
    let body = |path: &str, n: usize| match path {
        "tokens" => json!({ "name": format!("one of {n}"), "scopes": ["read"] }),
        "channels" => json!({ "address": format!("day-{n}@ours.example") }),
        _ => json!({ "name": format!("new-{n}"), "kind": "api_key", "value": "x" }),
    };
    for path in ["tokens", "channels", "secrets"] {
        let asked = (0..8).map(|n| p.post(path, body(path, n)));
        let answers = futures_util::future::join_all(asked).await;
        let made = answers.iter().filter(|(status, _)| status.is_success()).count();
        assert_eq!(made, 1, "{path}: {answers:?}");
        let full = answers.iter().filter(|(status, _)| *status == StatusCode::CONFLICT).count();
        assert_eq!(full, 7, "{path}: {answers:?}");
    }
}

#[tokio::test]
async fn nobody_uses_up_the_tokens_of_everybody_not_even_by_those_that_a_token_makes() {
    let mut p = Program::new().await;
    let another = || json!({ "name": "another", "scopes": ["read", "people"] });
    // One of theirs is there; each makes the next.
    for _ in 0..19 {
        let made = p.mint(another()).await;
        p = p.showing(&made["token"]);
    }
    let (status, full) = p.post("tokens", another()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(full["detail"].as_str().unwrap().contains("You have 20 tokens"), "{full}");
    let (owner, csrf) = p.console.seat("owner@ours.example").await;
    let form = |csrf: &str| format!("csrf={csrf}&name=x&scope=read&days=7");
    let (status, _, page) = p.console.post("/settings/tokens", &owner, form(&csrf)).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("You have 20 tokens"), "{status}");
    // Others, and a program of its own, have theirs.
    let (sam, sams) = p.console.seat("sam@ours.example").await;
    assert_eq!(p.console.post("/settings/tokens", &sam, form(&sams)).await.0, StatusCode::OK);
    let backup = json!({ "name": "Backup", "role": "viewer", "clients": null });
    let (status, service) = p.post("service-accounts", backup).await;
    assert_eq!(status, StatusCode::OK, "{service}");
    p.mint(json!({ "name": "nightly", "scopes": ["read"], "service": service["id"] })).await;
}
