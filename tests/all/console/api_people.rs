//! Members and invitations over the API: the console's ranks hold, whoever made the token.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::program::{Program, UNPROCESSABLE};

fn seat(role: &str) -> Value {
    json!({ "role": role, "clients": null })
}

#[tokio::test]
async fn a_member_is_read_changed_and_removed_and_their_tokens_with_them() {
    let mut p = Program::new().await;
    let (sam, client) = (p.login("sam@ours.example").await, p.console.ours.client);
    let (_, sams) = p.console.token("sam@ours.example", &["read"], &[]).await;
    let (status, list) = p.get("members").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    let of_sam = list["items"].as_array().unwrap().iter().find(|item| item["id"] == json!(sam)).unwrap();
    let told =
        json!({ "id": sam, "name": "A member", "email": "sam@ours.example", "role": "technician", "clients": null });
    assert_eq!(of_sam, &told);
    assert!(!list.to_string().contains("theirs.example"));

    let one = format!("members/{sam}");
    let wrong = [
        (json!({}), "role"),
        (json!({ "role": "viewer" }), "clients"),
        (json!({ "role": "support", "clients": null }), "role"),
        (json!({ "role": "viewer", "clients": [] }), "clients"),
        (json!({ "role": "client_viewer", "clients": null }), "clients"),
        (json!({ "role": "owner", "clients": [client] }), "clients"),
        (json!({ "role": "viewer", "clients": null, "name": "S" }), "name"),
    ];
    p.refuses(&one, &wrong).await;
    let theirs = json!({ "role": "viewer", "clients": [p.console.theirs.client] });
    assert_eq!(p.post(&one, theirs).await.0, StatusCode::NOT_FOUND, "another organization's client");

    let some = json!({ "role": "viewer", "clients": [client, client] });
    assert_eq!(p.post(&one, some.clone()).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&one, some).await.1, json!({ "changed": false }));
    let stored =
        format!("memberships WHERE login_id = '{sam}' AND role = 'viewer' AND client_ids = ARRAY['{client}'::uuid]");
    assert_eq!(p.console.count(&stored).await, 1, "each client once");
    let changed = format!(
        "tenant_audit WHERE action = 'member.changed' AND actor LIKE 'token % of member %' AND source = '192.0.2.7'
           AND before->>'role' = 'technician' AND after->>'role' = 'viewer' AND after->'clients' = '[\"{client}\"]'"
    );
    assert_eq!(p.console.count(&changed).await, 1, "what changes nothing is no entry");

    assert_eq!(p.post(&format!("{one}/remove"), json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&format!("{one}/remove"), json!({})).await.0, StatusCode::NOT_FOUND);
    let (status, ..) = p.console.api("GET", "/api/v1/hosts", &sams, &[], None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(p.console.count("tenant_audit WHERE action = 'member.removed' AND actor LIKE 'token %'").await, 1);
    p.console.sides_are_as_listed().await;
}

#[tokio::test]
async fn who_is_invited_over_the_api_gets_a_mail_and_an_invitation_is_sent_again_or_taken_back() {
    let mut p = Program::new().await;
    let client = p.console.ours.client;
    let kim = json!({ "email": "kim@new.example", "role": "technician", "clients": [client] });
    let with = |field: &str, value: Value| {
        let mut body = kim.clone();
        body[field] = value;
        body
    };
    let wrong = [
        (with("email", json!("kim")), "email"),
        (with("email", json!("SAM@ours.example")), "email"),
        (with("role", json!("boss")), "role"),
        (with("clients", json!([])), "clients"),
        (with("clients", json!("all")), "clients"),
        (json!({ "email": "kim@new.example", "role": "viewer" }), "clients"),
        (with("told", json!(true)), "told"),
    ];
    p.refuses("invitations", &wrong).await;
    assert_eq!(p.post("invitations", with("clients", json!([Uuid::nil()]))).await.0, StatusCode::NOT_FOUND);
    assert_eq!(p.console.count("invitations").await, 0);

    let key = [("idempotency-key", "one")];
    let (status, made) = p.post_with("invitations", &key, kim.clone()).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(p.post_with("invitations", &key, kim.clone()).await.1, made, "the same request is answered as before");
    assert_eq!(p.console.count("invitations").await, 1);
    let letter = p.console.letter().await;
    assert_eq!((letter.to.as_str(), letter.subject.as_str()), ("kim@new.example", "owner invites you to Ours"));
    let (_, list) = p.get("invitations").await;
    let listed = &list["items"][0];
    assert_eq!(
        (&listed["id"], &listed["role"], &listed["clients"]),
        (&made["id"], &json!("technician"), &json!([client]))
    );
    assert_eq!(listed["invited_by"], "owner");

    // Invited again: the link of before works no more, and there is one place taken, not two.
    p.console
        .execute(
            "INSERT INTO plans (plan, max_members) VALUES ('tiny', 4); UPDATE tenants SET plan = 'tiny'".to_owned(),
        )
        .await;
    let (status, again) = p.post("invitations", kim).await;
    assert_eq!(status, StatusCode::OK, "{again}");
    assert_ne!(again["id"], made["id"]);
    assert_eq!(p.console.count("invitations WHERE state = 'open'").await, 1);
    assert_eq!(p.console.letter().await.to, "kim@new.example");
    let (status, full) =
        p.post("invitations", json!({ "email": "lee@new.example", "role": "viewer", "clients": null })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(full["detail"].as_str().unwrap().contains("room for 4 members"), "{full}");

    let revoke = |id: &Value| format!("invitations/{}/revoke", id.as_str().unwrap());
    assert_eq!(p.post(&revoke(&made["id"]), json!({})).await.0, StatusCode::NOT_FOUND, "it is over");
    assert_eq!(p.post(&revoke(&again["id"]), json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.get("invitations").await.1["items"], json!([]));
    let told = "tenant_audit WHERE action LIKE 'member.invit%' AND actor LIKE 'token %'";
    assert_eq!(p.console.count(told).await, 3);
}

#[tokio::test]
async fn nobodys_mailbox_is_filled_with_invitations() {
    let mut p = Program::new().await;
    let kim = || json!({ "email": "kim@new.example", "role": "viewer", "clients": null });
    for _ in 0..5 {
        assert_eq!(p.post("invitations", kim()).await.0, StatusCode::OK);
    }
    let (status, refused) = p.post("invitations", kim()).await;
    assert_eq!((status, &refused["field"]), (UNPROCESSABLE, &json!("email")));
    assert!(refused["detail"].as_str().unwrap().contains("five times within a day"), "{refused}");
    let (owner, csrf) = p.console.seat("owner@ours.example").await;
    let form = format!("csrf={csrf}&email=KIM%40new.example&role=viewer&sees=all");
    let (status, _, page) = p.console.post("/settings/people", &owner, form).await;
    assert!(status == UNPROCESSABLE && page.contains("five times within a day"), "the page says the same");
    let lee = json!({ "email": "lee@new.example", "role": "viewer", "clients": null });
    assert_eq!(p.post("invitations", lee).await.0, StatusCode::OK, "somebody else");
    assert_eq!(p.console.count("letters WHERE kind = 'invitation' AND address = 'kim@new.example'").await, 5);
    p.console.clock.advance(jiff::SignedDuration::from_hours(24));
    p = p.with("owner@ours.example", &["people"]).await;
    assert_eq!(p.post("invitations", kim()).await.0, StatusCode::OK, "a day later");
}

#[tokio::test]
async fn no_token_goes_beyond_what_its_maker_manages() {
    let mut p = Program::new().await;
    let tenant = p.console.ours.tenant;
    p.console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer'"))
        .await;
    let (owner, sam, admin) =
        (p.login("owner@ours.example").await, p.login("sam@ours.example").await, p.login("viewer@ours.example").await);
    let invite = |role: &str| json!({ "email": "new@ours.example", "role": role, "clients": null });
    let invited = p.post("invitations", invite("owner")).await;
    assert_eq!(invited.0, StatusCode::OK, "an owner's token with `own` invites owners");
    let of_owner = format!("invitations/{}/revoke", invited.1["id"].as_str().unwrap());

    // An admin, whatever the scopes; and an owner, whose token lacks the scope.
    for (email, own, scopes) in
        [("viewer@ours.example", admin, &super::api::ALL[..]), ("owner@ours.example", owner, &["people", "settings"])]
    {
        p = p.with(email, scopes).await;
        for (path, body) in [
            ("invitations".to_owned(), invite("owner")),
            ("invitations".to_owned(), invite("viewer")),
            (of_owner.clone(), json!({})),
            (format!("members/{sam}"), seat("owner")),
            (format!("members/{owner}"), seat("viewer")),
            (format!("members/{owner}/remove"), json!({})),
            (format!("members/{own}"), seat("admin")),
            (format!("members/{own}/remove"), json!({})),
        ] {
            assert_eq!(p.post(&path, body).await.0, StatusCode::FORBIDDEN, "{email} {path}");
        }
    }
    // The last owner cannot take themselves away, with any scope.
    p = p.with("owner@ours.example", &super::api::ALL).await;
    assert_eq!(p.post(&format!("members/{owner}"), seat("admin")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(p.post(&format!("members/{sam}"), seat("owner")).await.1, json!({ "changed": true }));
    // Who may no more has tokens that may no more.
    p = p.with("viewer@ours.example", &["people"]).await;
    assert_eq!(p.get("members").await.0, StatusCode::OK);
    p.console.execute(format!("UPDATE memberships SET role = 'technician' WHERE login_id = '{admin}'")).await;
    assert_eq!(p.get("members").await.0, StatusCode::FORBIDDEN);
    assert_eq!(p.post("invitations", invite("viewer")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(p.console.count("tenant_audit WHERE action LIKE 'member.%'").await, 2, "what was refused is no entry");
}

#[tokio::test]
async fn a_second_factor_is_asked_of_everybody_by_who_may_set_it() {
    let mut p = Program::of("owner@ours.example", &["people", "read"]).await;
    assert_eq!(p.get("organization").await.0, StatusCode::FORBIDDEN, "it is a scope of its own");
    assert_eq!(p.post("organization/second-factor", json!({ "required": true })).await.0, StatusCode::FORBIDDEN);
    p = p.with("owner@ours.example", &["settings"]).await;
    let (status, shown) = p.get("organization").await;
    assert_eq!(
        (status, &shown["name"], &shown["requires_second_factor"]),
        (StatusCode::OK, &json!("Ours"), &json!(false))
    );
    assert_eq!((&shown["id"], &shown["requires_sign_on"]), (&json!(p.console.ours.tenant), &json!(false)));
    p.refuses("organization/second-factor", &[(json!({}), "required"), (json!({ "required": "yes" }), "required")])
        .await;
    assert_eq!(p.post("organization/second-factor", json!({ "required": false })).await.1, json!({ "changed": false }));
    assert_eq!(p.post("organization/second-factor", json!({ "required": true })).await.1, json!({ "changed": true }));
    // Its maker has none, so the token may nothing from now on.
    let (status, _) = p.get("organization").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let told = "tenant_audit WHERE action = 'organization.second_factor' AND actor LIKE 'token %'";
    assert_eq!(p.console.count(told).await, 1);
}

#[tokio::test]
async fn a_token_that_manages_is_made_by_somebody_who_has_just_proven_it_and_ends_soon() {
    let p = Program::new().await;
    let mut console = p.console;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    let form = |scope: &str, days: u16| format!("csrf={csrf}&name=people&scope=read&scope={scope}&days={days}");
    let path = "/settings/tokens";
    let made = console.count("api_tokens").await;
    for scope in ["approve", "let_act", "trust", "confirm", "people", "settings", "own"] {
        let (status, _, page) = console.post(path, &owner, form(scope, 365)).await;
        assert_eq!(status, UNPROCESSABLE, "{scope}");
        assert!(page.contains("ends after 90 days at most"), "{scope}");
        let kept = format!(
            "INSERT INTO api_tokens (tenant_id, token_id, name, hint, login_id, scopes, networks, made_at, expires_at)
             SELECT tenant_id, gen_random_uuid(), 'x', 'x', login_id, ARRAY['read', '{scope}'], '{{}}', made_at, made_at + interval '91 days' FROM api_tokens LIMIT 1"
        );
        let kept = sqlx::raw_sql(sqlx::AssertSqlSafe(kept)).execute(&mut console.rows).await.unwrap_err();
        assert!(kept.to_string().contains("api_tokens_managing"), "{kept}");
    }
    assert_eq!(console.count("api_tokens").await, made);
    assert_eq!(console.post(path, &owner, form("people", 90)).await.0, StatusCode::OK);
    assert_eq!(console.post(path, &owner, form("clients", 365)).await.0, StatusCode::OK);
    console.clock.advance(jiff::SignedDuration::from_mins(11));
    let (status, ..) = console.post(path, &owner, form("people", 30)).await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED, "it was proven too long ago");
    assert_eq!(console.count("api_tokens").await, made + 2);
}

#[tokio::test]
async fn tokens_of_before_that_let_something_be_done_end_after_90_days_too() {
    let mut console = Program::new().await.console;
    let (reads, _) = console.token("owner@ours.example", &["read", "work", "enrol"], &[]).await;
    let mut made = vec![(reads, 7920)];
    for scope in ["approve", "let_act", "trust", "confirm"] {
        made.push((console.token("owner@ours.example", &["read", scope], &[]).await.0, 2160));
    }
    // As they could stand there before: made 30 days ago, for 330.
    console
        .execute(
            "ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_managing, ADD CONSTRAINT api_tokens_managing CHECK (true);
             UPDATE api_tokens SET made_at = made_at - interval '720 hours', expires_at = made_at + interval '7200 hours';
             UPDATE credentials c SET expires_at = t.expires_at FROM api_tokens t WHERE t.token_id = c.subject_id AND c.kind = 'api_token'"
                .to_owned(),
        )
        .await;
    console.execute(include_str!("../../../migrations/0096_managing_tokens.sql").to_owned()).await;
    for (id, hours) in made {
        let ends = format!(
            "api_tokens t JOIN credentials c ON c.subject_id = t.token_id AND c.kind = 'api_token'
             WHERE t.token_id = '{id}' AND t.expires_at = t.made_at + interval '{hours} hours' AND c.expires_at = t.expires_at"
        );
        assert_eq!(console.count(&ends).await, 1, "{hours}");
    }
}
