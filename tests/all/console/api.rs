//! The API on a real database: who is let in, what they may, and that nothing is done twice.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use jiff::SignedDuration;
use keys::token::{Kind, mint};
use rand::SeedableRng as _;
use serde_json::{Value, json};
use store::tokens::{self, NewToken};
use uuid::Uuid;

use super::Console;

pub const ALL: [&str; 13] = [
    "read", "work", "approve", "stop", "let_act", "trust", "clients", "enrol", "confirm", "audit", "people",
    "settings", "own",
];

/// Every route that asks for a token.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/api/v1/incidents"),
    ("GET", "/api/v1/incidents/{id}"),
    ("POST", "/api/v1/incidents/{id}/owner"),
    ("POST", "/api/v1/incidents/{id}/doubt"),
    ("GET", "/api/v1/runs"),
    ("GET", "/api/v1/runs/{id}"),
    ("GET", "/api/v1/approvals"),
    ("POST", "/api/v1/approvals/{id}"),
    ("GET", "/api/v1/hosts"),
    ("GET", "/api/v1/hosts/{id}"),
    ("POST", "/api/v1/hosts/{id}/hands-off"),
    ("POST", "/api/v1/hosts/{id}/release"),
    ("POST", "/api/v1/hosts/{id}/same-machine"),
    ("POST", "/api/v1/hosts/{id}/retire"),
    ("POST", "/api/v1/hosts/{id}/accept"),
    ("POST", "/api/v1/hosts/{id}/refuse"),
    ("POST", "/api/v1/hosts/{id}/claim"),
    ("POST", "/api/v1/hosts/{id}/watch"),
    ("GET", "/api/v1/guardrails"),
    ("POST", "/api/v1/guardrails/stop"),
    ("POST", "/api/v1/guardrails/go"),
    ("POST", "/api/v1/guardrails/breaker"),
    ("POST", "/api/v1/guardrails/interlocks/{id}/release"),
    ("POST", "/api/v1/clients/{id}/hands-off"),
    ("POST", "/api/v1/clients/{id}/release"),
    ("GET", "/api/v1/changes"),
    ("POST", "/api/v1/changes/{id}"),
    ("GET", "/api/v1/audit"),
    ("GET", "/api/v1/clients"),
    ("GET", "/api/v1/clients/{id}"),
    ("POST", "/api/v1/clients"),
    ("POST", "/api/v1/clients/{id}"),
    ("POST", "/api/v1/clients/{id}/archive"),
    ("POST", "/api/v1/clients/{id}/restore"),
    ("GET", "/api/v1/clients/{id}/sites"),
    ("POST", "/api/v1/clients/{id}/sites"),
    ("POST", "/api/v1/clients/{id}/sites/{site}"),
    ("POST", "/api/v1/clients/{id}/sites/{site}/remove"),
    ("GET", "/api/v1/clients/{id}/contacts"),
    ("POST", "/api/v1/clients/{id}/contacts"),
    ("POST", "/api/v1/clients/{id}/contacts/{contact}"),
    ("POST", "/api/v1/clients/{id}/contacts/{contact}/remove"),
    ("POST", "/api/v1/hosts/{id}/place"),
    ("GET", "/api/v1/hosts/{id}/metrics"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/enrolment-tokens"),
    ("POST", "/api/v1/enrolment-tokens"),
    ("POST", "/api/v1/enrolment-tokens/{id}/revoke"),
    ("GET", "/api/v1/members"),
    ("POST", "/api/v1/members/{id}"),
    ("POST", "/api/v1/members/{id}/remove"),
    ("GET", "/api/v1/invitations"),
    ("POST", "/api/v1/invitations"),
    ("POST", "/api/v1/invitations/{id}/revoke"),
    ("GET", "/api/v1/service-accounts"),
    ("POST", "/api/v1/service-accounts"),
    ("POST", "/api/v1/service-accounts/{id}/remove"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens/{id}/revoke"),
    ("GET", "/api/v1/organization"),
    ("POST", "/api/v1/organization"),
    ("POST", "/api/v1/organization/second-factor"),
    ("GET", "/api/v1/limits"),
    ("POST", "/api/v1/limits/{limit}"),
    ("GET", "/api/v1/service-groups"),
    ("POST", "/api/v1/clients/{id}/groups"),
    ("POST", "/api/v1/clients/{id}/groups/{group}"),
    ("POST", "/api/v1/clients/{id}/groups/{group}/remove"),
    ("GET", "/api/v1/secrets"),
    ("POST", "/api/v1/secrets"),
    ("POST", "/api/v1/secrets/{id}/replace"),
    ("POST", "/api/v1/secrets/{id}/delete"),
    ("GET", "/api/v1/checks"),
    ("POST", "/api/v1/checks/{id}/archive"),
    ("GET", "/api/v1/channels"),
    ("POST", "/api/v1/channels"),
    ("POST", "/api/v1/channels/{id}/remove"),
    ("POST", "/api/v1/secrets/sealing-key"),
    ("GET", "/api/v1/mail-relay"),
    ("POST", "/api/v1/mail-relay"),
    ("POST", "/api/v1/mail-relay/remove"),
    ("GET", "/api/v1/usage"),
    ("GET", "/api/v1/support-grants"),
    ("POST", "/api/v1/support-grants"),
    ("POST", "/api/v1/support-grants/end"),
    ("GET", "/api/v1/sign-on"),
    ("POST", "/api/v1/sign-on"),
    ("POST", "/api/v1/sign-on/remove"),
    ("GET", "/api/v1/audit/file"),
    ("GET", "/api/v1/deletions"),
    ("POST", "/api/v1/organization/delete"),
    ("POST", "/api/v1/organization/keep"),
    ("POST", "/api/v1/clients/{id}/delete"),
    ("POST", "/api/v1/clients/{id}/keep"),
    ("GET", "/api/v1/organization/file"),
];

type Answer = (StatusCode, HeaderMap, Value);

impl Console {
    /// A token of ours of somebody's, for a day.
    pub async fn token(&mut self, email: &str, scopes: &[&str], networks: &[&str]) -> (Uuid, String) {
        let of = format!("SELECT login_id FROM logins WHERE email = '{email}'");
        let login_id: Uuid =
            sqlx::query_scalar(sqlx::AssertSqlSafe(of)).fetch_one(&mut self.rows).await.expect("a login");
        let tenant = format!("SELECT tenant_id FROM memberships WHERE login_id = '{login_id}'");
        let tenant: Uuid = sqlx::query_scalar(sqlx::AssertSqlSafe(tenant)).fetch_one(&mut self.rows).await.unwrap();
        let operator = store::auth::OperatorTx::begin(&self.store, &self.db.owner_url()).await.unwrap();
        let mut tx = operator.into_tenant(tenant).await.unwrap();
        let made = mint(Kind::Api, &mut rand::rngs::StdRng::seed_from_u64(self.count("api_tokens").await as u64));
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let expires_at = tx.now().await.unwrap() + SignedDuration::from_hours(24);
        let (scopes, networks, hash) = (owned(scopes), owned(networks), made.hash());
        let new = NewToken {
            name: "a test",
            hint: "mw_api_",
            hash: &hash,
            login_id,
            seat_id: None,
            scopes: &scopes,
            networks: &networks,
            expires_at,
            minted_by: None,
        };
        let id = tokens::insert(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        (id, made.reveal().to_owned())
    }

    pub async fn api(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).unwrap();
        if !token.is_empty() {
            request.extensions_mut().insert(web::Peer(SocketAddr::from(([192, 0, 2, 7], 4_000))));
        }
        let (status, headers, body) = self.send(request).await;
        let json = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{method} {path}: {status} {body}"));
        (status, headers, json)
    }

    async fn ask_for(&self, path: &str, token: &str) -> Answer {
        self.api("GET", path, token, &[], None).await
    }

    async fn tell(&self, path: &str, token: &str, body: Value) -> Answer {
        self.api("POST", path, token, &[], Some(body)).await
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_a_token_that_works() {
    let mut console = Console::new().await;
    let (id, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let (_, elsewhere) = console.token("owner@ours.example", &ALL, &["198.51.100.0/24"]).await;
    let (_, here) = console.token("owner@ours.example", &ALL, &["192.0.2.0/24"]).await;
    let cookie = console.sign_in("owner@ours.example").await;
    let mistyped = format!("{}x", &token[..token.len() - 1]);
    let enrolment = mint(Kind::Enroll, &mut rand::rngs::StdRng::seed_from_u64(1));
    for path in ["/api/v1/incidents", "/api/v1/audit", "/api/v1/nothing"] {
        for token in ["", "x", &mistyped, &elsewhere, enrolment.reveal()] {
            let (status, headers, problem) = console.ask_for(path, token).await;
            let unknown = path.ends_with("nothing");
            assert_eq!(
                status,
                if unknown { StatusCode::NOT_FOUND } else { StatusCode::UNAUTHORIZED },
                "{path} {token}"
            );
            assert_eq!(headers["content-type"], "application/problem+json");
            assert!(headers.contains_key("x-request-id") && headers.contains_key("content-security-policy"));
            assert!(unknown || headers.contains_key("www-authenticate"));
            assert_eq!(problem["status"], status.as_u16());
        }
    }
    for (method, path) in ROUTES {
        let id = console.ours.incident.to_string();
        let path = ["{id}", "{site}", "{contact}", "{limit}", "{group}"]
            .iter()
            .fold((*path).to_owned(), |path, of| path.replace(of, &id));
        let (status, headers, _) = console.api(method, &path, "", &[("cookie", &cookie)], None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "a session is nothing here: {method} {path}");
        assert!(!headers.contains_key("set-cookie"));
    }
    let (status, headers, _) = console.ask_for("/api/v1/incidents", &here).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers["ratelimit"].to_str().unwrap().starts_with("\"token\";r=99"), "{headers:?}");

    assert_eq!(console.ask_for("/api/v1/incidents", &token).await.0, StatusCode::OK);
    assert_eq!(console.count("api_tokens WHERE used_at IS NOT NULL AND used_from = '192.0.2.7'").await, 2);
    let mut tx = console.tx().await;
    assert!(tokens::mark_revoked(&mut tx, id, "Ours").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(console.ask_for("/api/v1/incidents", &token).await.0, StatusCode::UNAUTHORIZED, "revoked");
    console.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(console.ask_for("/api/v1/incidents", &here).await.0, StatusCode::UNAUTHORIZED, "its time is over");
    for hash in ["mw_api", &token[12..]] {
        assert_eq!(console.count(&format!("credentials WHERE encode(secret_hash, 'escape') LIKE '%{hash}%'")).await, 0);
    }
}

#[tokio::test]
async fn a_token_may_what_its_scopes_say_and_its_maker_may_now() {
    let mut console = Console::new().await;
    let (_, all) = console.token("sam@ours.example", &ALL, &[]).await;
    let (_, reads) = console.token("sam@ours.example", &["read"], &[]).await;
    let off = format!("/api/v1/hosts/{}/hands-off", console.ours.host);
    let body = || json!({ "hours": 1, "reason": "by hand" });
    assert_eq!(console.tell(&off, &reads, body()).await.0, StatusCode::FORBIDDEN, "no such scope");
    let (status, _, done) = console.tell(&off, &all, body()).await;
    assert_eq!((status, done), (StatusCode::OK, json!({ "changed": true })));
    let audit = "audit WHERE action = 'hands_off.start' AND actor LIKE 'token % of member %' AND source = '192.0.2.7' AND request_id IS NOT NULL";
    assert_eq!(console.count(audit).await, 1);
    assert_eq!(
        console.tell("/api/v1/guardrails/go", &all, json!({})).await.0,
        StatusCode::FORBIDDEN,
        "a technician's token"
    );
    assert_eq!(console.ask_for("/api/v1/audit", &all).await.0, StatusCode::FORBIDDEN);

    // Whatever becomes of Sam becomes of the token, in the next request.
    let (ours, sam) = (console.ours.tenant, "(SELECT login_id FROM logins WHERE email = 'sam@ours.example')");
    for (role, work, audit) in
        [("viewer", 403, 403), ("owner", 200, 200), ("client_viewer", 403, 403), ("admin", 200, 200)]
    {
        console.execute(format!("UPDATE memberships SET role = '{role}' WHERE login_id = {sam}")).await;
        assert_eq!(console.tell(&off, &all, body()).await.0.as_u16(), work, "{role}");
        assert_eq!(console.tell(&off, &reads, body()).await.0.as_u16(), 403, "{role}");
        assert_eq!(console.ask_for("/api/v1/audit", &all).await.0.as_u16(), audit, "{role}");
    }
    let other = Uuid::from_u128(9);
    console.execute(format!("INSERT INTO clients (tenant_id, client_id, name, time_zone, created_at) SELECT tenant_id, '{other}', 'Other', time_zone, created_at FROM clients WHERE tenant_id = '{ours}' LIMIT 1;
        UPDATE memberships SET client_ids = ARRAY['{other}'::uuid] WHERE login_id = {sam}")).await;
    assert_eq!(console.tell(&off, &all, body()).await.0, StatusCode::NOT_FOUND, "another client's host");
    assert_eq!(console.ask_for("/api/v1/audit", &all).await.0, StatusCode::NOT_FOUND, "the whole organization's");
    assert_eq!(console.ask_for("/api/v1/hosts", &all).await.2, json!({ "items": [], "next": null }));
    console.execute(format!("DELETE FROM memberships WHERE login_id = {sam}")).await;
    assert_eq!(console.ask_for("/api/v1/hosts", &all).await.0, StatusCode::UNAUTHORIZED, "no member any more");
}

#[tokio::test]
async fn a_parameter_that_a_route_does_not_know_is_refused_by_its_name() {
    let mut console = Console::new().await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let id = console.ours.incident.to_string();
    for (method, path) in ROUTES {
        let path = ["{id}", "{site}", "{contact}", "{limit}", "{group}"]
            .iter()
            .fold((*path).to_owned(), |path, of| path.replace(of, &id));
        let body = (*method == "POST").then(|| json!({}));
        let (status, _, problem) = console.api(method, &format!("{path}?nonsense=1"), &token, &[], body).await;
        let said = (status, problem["field"].as_str());
        assert_eq!(said, (StatusCode::UNPROCESSABLE_ENTITY, Some("nonsense")), "{method} {path}: {problem}");
    }
}

#[tokio::test]
async fn what_is_anothers_and_what_is_not_there_look_the_same() {
    let mut console = Console::new().await;
    let (_, ours) = console.token("owner@ours.example", &ALL, &[]).await;
    let run = console.run("unknown", "unknown").await;
    let (_, theirs) = console.token("owner@theirs.example", &ALL, &[]).await;
    let (incident, host, client) = (console.ours.incident, console.ours.host, console.ours.client);
    let sam = console.ours.technician;
    let plan = "0".repeat(64);
    let asks = [
        ("GET", format!("incidents/{incident}"), json!(null)),
        ("POST", format!("incidents/{incident}/doubt"), json!({ "run": run, "answer": "ran" })),
        ("GET", format!("runs/{run}"), json!(null)),
        ("POST", format!("approvals/{run}"), json!({ "answer": "yes", "plan": plan })),
        ("GET", format!("hosts/{host}"), json!(null)),
        ("POST", format!("hosts/{host}/hands-off"), json!({ "hours": 1 })),
        ("POST", format!("hosts/{host}/release"), json!({})),
        ("POST", format!("hosts/{host}/same-machine"), json!({})),
        ("POST", format!("clients/{client}/hands-off"), json!({ "hours": 1 })),
        ("POST", format!("clients/{client}/release"), json!({})),
        ("POST", format!("guardrails/interlocks/{incident}/release"), json!({})),
        ("POST", format!("changes/{incident}"), json!({ "answer": "no" })),
        ("GET", format!("clients/{client}"), json!(null)),
        ("GET", format!("incidents?client={client}"), json!(null)),
        ("GET", format!("runs?host={host}"), json!(null)),
        ("POST", "guardrails/stop".to_owned(), json!({ "client": client, "reason": "x" })),
        ("GET", format!("clients/{client}/sites"), json!(null)),
        ("POST", format!("clients/{client}/sites"), json!({ "name": "Dock" })),
        ("GET", format!("clients/{client}/contacts"), json!(null)),
        ("POST", format!("clients/{client}/contacts/{incident}/remove"), json!({})),
        ("GET", format!("hosts/{host}/metrics"), json!(null)),
        ("POST", format!("hosts/{host}/place"), json!({ "tags": {} })),
        ("POST", "enrolment-tokens".to_owned(), json!({ "client": client, "uses": 1, "days": 1 })),
        ("POST", format!("enrolment-tokens/{incident}/revoke"), json!({})),
        ("POST", format!("hosts/{host}/claim"), json!({ "answer": "other" })),
        ("POST", format!("hosts/{host}/watch"), json!({ "service": "shop-web" })),
        ("POST", format!("members/{sam}"), json!({ "role": "viewer", "clients": null })),
        ("POST", format!("members/{sam}/remove"), json!({})),
        ("POST", "invitations".to_owned(), json!({ "email": "a@b.example", "role": "viewer", "clients": [client] })),
        ("POST", format!("invitations/{incident}/revoke"), json!({})),
        ("POST", "service-accounts".to_owned(), json!({ "name": "Backup", "role": "viewer", "clients": [client] })),
        ("POST", format!("service-accounts/{incident}/remove"), json!({})),
        ("POST", format!("secrets/{incident}/replace"), json!({ "value": "x" })),
        ("POST", format!("secrets/{incident}/delete"), json!({})),
    ];
    console.proposed().await;
    for (method, path, body) in asks {
        let body = (method == "POST").then_some(body);
        let nobodys = |text: &str| {
            [incident, host, client, run, sam]
                .iter()
                .fold(text.to_owned(), |text, id| text.replace(&id.to_string(), &Uuid::from_u128(1).to_string()))
        };
        let other = body.as_ref().map(|body| serde_json::from_str(&nobodys(&body.to_string())).unwrap());
        let path = format!("/api/v1/{path}");
        let (status, _, anothers) = console.api(method, &path, &theirs, &[], body.clone()).await;
        let (_, _, nothing) = console.api(method, &nobodys(&path), &theirs, &[], other).await;
        assert_eq!((status, &anothers), (StatusCode::NOT_FOUND, &nothing), "{method} {path}");
        if method == "GET" {
            assert_eq!(console.api(method, &path, &ours, &[], body).await.0, StatusCode::OK, "{path}");
        }
    }
    for list in [
        "incidents",
        "runs",
        "hosts",
        "clients",
        "approvals",
        "changes",
        "guardrails",
        "audit",
        "enrolment-tokens",
        "members",
        "invitations",
        "service-accounts",
        "secrets",
        "limits",
        "organization",
        "usage",
        "mail-relay",
        "channels",
        "checks",
        "support-grants",
    ] {
        let (status, _, body) = console.ask_for(&format!("/api/v1/{list}"), &theirs).await;
        assert_eq!(status, StatusCode::OK);
        for id in [incident, host, client, run, sam] {
            assert!(!body.to_string().contains(&id.to_string()), "{list} shows {id}");
        }
    }
    assert_eq!(console.count("hands_off").await + console.count("audit WHERE action LIKE 'interlock.%'").await, 0);
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once() {
    let mut console = Console::new().await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let off = format!("/api/v1/hosts/{}/hands-off", console.ours.host);
    let ask = async |key: &str, hours: u8| {
        let body = Some(json!({ "hours": hours, "reason": "by hand" }));
        console.api("POST", &off, &token, &[("idempotency-key", key)], body).await
    };
    let (first, second, third) = tokio::join!(ask("a", 1), ask("a", 1), ask("a", 1));
    for (status, _, body) in [&first, &second, &third] {
        assert_eq!((*status, body), (StatusCode::OK, &json!({ "changed": true })));
    }
    let (status, _, problem) = ask("a", 4).await;
    assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("Idempotency-Key")));
    // What was refused did nothing, so its key may be used again.
    assert_eq!(ask("b", 3).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ask("b", 4).await.0, StatusCode::OK);
    assert_eq!(ask("", 4).await.2["field"], json!("Idempotency-Key"));
    assert_eq!(console.count("hands_off").await, 2);
    console.clock.advance(SignedDuration::from_hours(23));
    let (_, again) = console.token("owner@ours.example", &ALL, &[]).await;
    let body = Some(json!({ "hours": 1, "reason": "by hand" }));
    assert_eq!(console.api("POST", &off, &again, &[("idempotency-key", "a")], body).await.0, StatusCode::OK);
    assert_eq!(console.count("hands_off").await, 3, "another token's key is another key");
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let mut console = Console::new().await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let off = format!("/api/v1/hosts/{}/hands-off", console.ours.host);
    for (body, field) in [
        (json!({}), "hours"),
        (json!({ "hours": "x" }), "hours"),
        (json!({ "hours": 1, "owner": true }), "owner"),
        (json!({ "hours": 1, "reason": "a\u{0}b" }), "reason"),
        (json!({ "hours": 1, "reason": "x".repeat(201) }), "reason"),
        (json!([]), ""),
    ] {
        let (status, _, problem) = console.tell(&off, &token, body.clone()).await;
        assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)), "{body}: {problem}");
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("cursor=zzz", "cursor"),
        ("client=acme", "client"),
        ("from=yesterday", "from"),
        ("page=2", "page"),
        ("host=a%00b", "host"),
        ("state=broken", "state"),
    ] {
        let (status, _, problem) = console.ask_for(&format!("/api/v1/incidents?{query}"), &token).await;
        assert_eq!(
            (status, &problem["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)),
            "{query}: {problem}"
        );
    }
    let raw = |kind: &str, body: &str| {
        let request =
            Request::post(&off).header("authorization", format!("Bearer {token}")).header("content-type", kind);
        request.body(Body::from(body.to_owned())).unwrap()
    };
    for (kind, body, status) in
        [("text/plain", "{}", 415), ("application/json", "{", 400), ("application/json", &"x".repeat(70_000), 413)]
    {
        let (answered, headers, _) = console.send(raw(kind, body)).await;
        assert_eq!(
            (answered.as_u16(), &headers["content-type"]),
            (status, &"application/problem+json".parse().unwrap())
        );
    }
    assert_eq!(console.api("DELETE", &off, &token, &[], None).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(console.ask_for("/api/v1/hosts/web-01", &token).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_loses_nothing() {
    let mut console = Console::new().await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    console.run("unknown", "unknown").await;
    console.proposed().await;
    for list in
        ["audit", "clients", "hosts", "incidents", "runs", "members", "invitations", "service-accounts", "secrets"]
    {
        let (_, _, whole) = console.ask_for(&format!("/api/v1/{list}?limit=200"), &token).await;
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let (status, _, page) = console.ask_for(&format!("/api/v1/{list}?limit=1{cursor}"), &token).await;
            assert_eq!(status, StatusCode::OK, "{list}: {page}");
            items.extend(page["items"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert!(!items.is_empty() && Value::Array(items) == whole["items"], "{list}");
    }
}

#[tokio::test]
async fn a_token_is_made_on_its_page_shown_once_and_revoked() {
    let mut console = Console::new().await;
    let (sam, sams) = console.seat("sam@ours.example").await;
    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    let form = |csrf: &str, more: &str| format!("csrf={csrf}&name=backup&days=30&networks=192.0.2.0%2F24{more}");
    let path = "/settings/tokens";
    assert_eq!(console.get(path, &viewer).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.post(path, &viewer, form(&viewers, "&scope=read")).await.0, StatusCode::FORBIDDEN);
    // Who is limited to some clients sees their own tokens alone.
    let (others, _) = console.token("owner@ours.example", &["read"], &[]).await;
    let (other, _) = console.seat("owner@ours.example").await;
    let limit = |clients: &str| {
        format!(
            "UPDATE memberships SET client_ids = {clients} WHERE name = 'A member' AND tenant_id = '{}'",
            console.ours.tenant
        )
    };
    let (some, all) = (limit(&format!("ARRAY['{}'::uuid]", console.ours.client)), limit("NULL"));
    assert!(console.get(path, &sam).await.2.contains("a test") && console.get(path, &other).await.2.contains("a test"));
    console.execute(some).await;
    let (status, _, page) = console.get(path, &sam).await;
    assert!(status == StatusCode::OK && !page.contains("a test"), "{page}");
    assert_eq!(
        console.post(&format!("{path}/{others}/revoke"), &sam, format!("csrf={sams}")).await.0,
        StatusCode::NOT_FOUND
    );
    console.execute(format!("{all}; DELETE FROM api_tokens")).await;
    for wrong in ["", "&scope=let_act", "&scope=everything"] {
        let (status, _, page) = console.post(path, &sam, form(&sams, wrong)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(page.contains("Choose what it may."));
    }
    assert_eq!(console.count("api_tokens").await, 0);
    let (status, headers, page) = console.post(path, &sam, form(&sams, "&scope=read&scope=work")).await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    let token = page.split("<code class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(console.ask_for("/api/v1/hosts", &token).await.0, StatusCode::OK);
    let (_, _, again) = console.get(path, &sam).await;
    assert!(!again.contains(&token) && again.contains(&token[..12]), "shown once, known by its beginning");
    assert_eq!(
        console
            .count("tenant_audit WHERE action = 'token.made' AND after @> '{\"scopes\": [\"read\", \"work\"]}'")
            .await,
        1
    );
    let of = "SELECT token_id FROM api_tokens";
    let id: Uuid = sqlx::query_scalar(of).fetch_one(&mut console.rows).await.unwrap();
    let revoke = format!("{path}/{id}/revoke");
    let (tess, tesss) = console.seat("tess@theirs.example").await;
    assert_eq!(console.post(&revoke, &tess, format!("csrf={tesss}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.post(&revoke, &sam, format!("csrf={sams}")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.ask_for("/api/v1/hosts", &token).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(console.count("tenant_audit WHERE action = 'token.revoked'").await, 1);
    let (_, theirs) = console.token("owner@ours.example", &["read"], &[]).await;
    let of = "SELECT token_id FROM api_tokens WHERE revoked_at IS NULL";
    let id: Uuid = sqlx::query_scalar(of).fetch_one(&mut console.rows).await.unwrap();
    assert_eq!(
        console.post(&format!("{path}/{id}/revoke"), &sam, format!("csrf={sams}")).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(console.ask_for("/api/v1/hosts", &theirs).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_document_and_its_page_are_everybodys() {
    let console = Console::new().await;
    let (status, _, document) = console.ask_for("/api/v1/openapi.json", "").await;
    assert_eq!((status, &document["openapi"]), (StatusCode::OK, &json!("3.1.0")));
    let (status, _, page) = console.get("/api/docs", "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("/api/v1/incidents/{id}/doubt") && page.matches("<script").count() == 1);
}

#[tokio::test]
async fn a_client_is_added_once_changed_archived_and_restored() {
    let mut console = Console::new().await;
    let (_, token) = console.token("owner@ours.example", &["read", "clients"], &[]).await;
    let new = json!({ "name": "Dock", "time_zone": "Europe/Berlin" });
    let (status, _, made) =
        console.api("POST", "/api/v1/clients", &token, &[("idempotency-key", "one")], Some(new.clone())).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let (_, _, again) =
        console.api("POST", "/api/v1/clients", &token, &[("idempotency-key", "one")], Some(new.clone())).await;
    assert_eq!(again, made, "the same request is answered as before");
    assert_eq!(console.count("clients WHERE name = 'Dock'").await, 1);
    for (body, field) in [
        (new.clone(), "name"),
        (json!({ "name": "", "time_zone": "UTC" }), "name"),
        (json!({ "name": "Pier", "time_zone": "Middle/Earth" }), "time_zone"),
        (json!({ "name": "Pier", "time_zone": "UTC", "state": "x" }), "state"),
    ] {
        let (status, _, problem) = console.tell("/api/v1/clients", &token, body).await;
        assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)), "{problem}");
    }
    let of = |what: &str| format!("/api/v1/clients/{}{what}", made["id"].as_str().unwrap());
    let renamed = json!({ "name": "Pier", "time_zone": "UTC" });
    for (path, body, changed) in [
        (of(""), renamed.clone(), true),
        (of(""), renamed, false),
        (of("/archive"), json!({}), true),
        (of("/archive"), json!({}), false),
        (of("/restore"), json!({}), true),
    ] {
        let (status, _, answer) = console.tell(&path, &token, body).await;
        assert_eq!((status, answer), (StatusCode::OK, json!({ "changed": changed })), "{path}");
    }
    assert_eq!(console.ask_for(&of(""), &token).await.2["name"], "Pier");
}

#[tokio::test]
async fn whoever_works_an_incident_says_so_by_the_api() {
    let mut console = Console::new().await;
    let (_, token) = console.token("sam@ours.example", &["work"], &[]).await;
    let path = format!("/api/v1/incidents/{}/owner", console.ours.incident);
    for (answer, changed, owned) in
        [("give_back", false, 0), ("acknowledge", true, 1), ("take", true, 1), ("give_back", true, 0)]
    {
        let (status, _, said) = console.tell(&path, &token, json!({ "answer": answer })).await;
        assert_eq!((status, said), (StatusCode::OK, json!({ "changed": changed })), "{answer}");
        assert_eq!(console.count("incidents WHERE owner IS NOT NULL").await, owned, "{answer}");
    }
    assert_eq!(console.count("hands_off WHERE ended_at IS NULL").await, 1, "who takes it has hands off its host");
    let (status, _, problem) = console.tell(&path, &token, json!({ "answer": "own" })).await;
    assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("answer")));
}
