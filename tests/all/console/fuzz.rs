//! `make api-fuzz`: requests made from the API's own document, at a server on loopback, by schemathesis.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use serde_json::{Value, json};
use store::Store;
use tokio::net::TcpListener;

use super::Console;
use super::api::{ALL, ROUTES};

/// What schemathesis holds each answer against. Refusing what a schema does not say is left out: strings are looked at when
/// they are used, and a filter that finds nothing is no error.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth";

/// What need not be done once: a trusted host is no quarantined one, no other machine claims to be it and it declares no
/// service, made up tags of a group seldom fit, nothing is called what is to be deleted, no provider of sign-on answers, the
/// token ends within the day, and of what is taken away by these requests there may be nothing left when one fits.
const SELDOM: &[&str] = &[
    "/api/v1/hosts/{id}/same-machine",
    "/api/v1/hosts/{id}/claim",
    "/api/v1/hosts/{id}/watch",
    "/api/v1/clients/{id}/contacts/{contact}",
    "/api/v1/clients/{id}/groups",
    "/api/v1/clients/{id}/groups/{group}",
    "/api/v1/enrolment-tokens",
    "/api/v1/members/{id}",
    "/api/v1/secrets/{id}/replace",
    "/api/v1/tokens",
    "/api/v1/organization/delete",
    "/api/v1/clients/{id}/delete",
    "/api/v1/sign-on",
    "/api/v1/sign-on/remove",
];

/// What is not asked. A stream has no end to wait for; who asks everybody for a second factor and has none is shut out with it.
const NOT_ASKED: [&str; 2] = ["/api/v1/events", "/api/v1/organization/second-factor"];

/// What the made up requests name, so that they come further than to what is not there: a word of ours, and what it stands for.
type Words = Vec<(&'static str, Vec<Value>)>;

/// How often each route was answered with what, and what was wrong with answers.
#[derive(Default)]
struct Answers {
    of_routes: BTreeMap<(String, String), BTreeMap<u16, u32>>,
    wrong: BTreeSet<String>,
}

impl Answers {
    /// Counts an answer. What says that something cannot be used says what.
    async fn take(answers: &Mutex<Answers>, route: (String, String), response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let status = parts.status;
        let (body, wrong) = if status == StatusCode::UNPROCESSABLE_ENTITY {
            let bytes = to_bytes(body, 1 << 20).await.unwrap();
            let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let wrong = (!said["field"].is_string()).then(|| format!("{} {}: {said} names no field", route.0, route.1));
            (Body::from(bytes), wrong)
        } else {
            (body, None)
        };
        let mut answers = answers.lock().unwrap();
        answers.wrong.extend(wrong);
        *answers.of_routes.entry(route).or_default().entry(status.as_u16()).or_default() += 1;
        Response::from_parts(parts, body)
    }
}

/// What stands in our organization for each word.
async fn words(console: &mut Console, token: &str) -> Words {
    let run = console.run("unknown", "unknown").await;
    let asking = console.run("awaiting_approval", "queued").await;
    let interlock = Store::new_id();
    console.interlock(interlock).await;
    let (tenant, client, host) = (console.ours.tenant, console.ours.client, console.ours.host);
    let spare = Store::new_id();
    console
        .execute(format!(
            "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at)
               VALUES ('{tenant}', '{client}', '{spare}', 'spare', uuid_send('{spare}'), 'trusted', clock_timestamp());
             INSERT INTO checks (tenant_id, check_id, name, kind, definition, created_at)
               SELECT tenant_id, '{spare}', 'spare', kind, jsonb_set(definition, '{{name}}', '\"spare\"'), created_at FROM checks WHERE tenant_id = '{tenant}'"
        ))
        .await;
    // A second factor, so that asking for one does not end the token; and somebody whose changes wait for us.
    console
        .execute(format!(
            "UPDATE logins SET totp_sealed = '\\x01', totp_version = 1, totp_since = clock_timestamp() WHERE email = 'owner@ours.example';
             UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer'"
        ))
        .await;
    let (_, other) = console.token("viewer@ours.example", &ALL, &[]).await;
    let made = async |path: &str, token: &str, body: Value| {
        let (status, _, said) = console.api("POST", &format!("/api/v1/{path}"), token, &[], Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {said}");
        said["id"].clone()
    };
    // The audit's file begins with what is linked.
    let mut tx = console.tx().await;
    store::audit::insert(&mut tx, None, store::audit::Entry::done("test", ("tenant", tenant))).await.unwrap();
    let key = keys::SigningKey::from_bytes(&[8; 32]);
    store::audit::chain::link(&mut tx, &key, jiff::Timestamp::UNIX_EPOCH, 100).await.unwrap();
    tx.commit().await.unwrap();
    let person = json!({ "name": "Somebody", "email": "somebody@dock.example", "told": true });
    let idle = made("clients", token, json!({ "name": "Dock", "time_zone": "UTC" })).await;
    let site = made(&format!("clients/{client}/sites"), token, json!({ "name": "Pier" })).await;
    let contact = made(&format!("clients/{client}/contacts"), token, person).await;
    let pool = json!({ "name": "Pool", "tags": { "pool": "web" } });
    let group = made(&format!("clients/{client}/groups"), token, pool).await;
    let enrolment = made("enrolment-tokens", token, json!({ "client": client, "uses": 1, "days": 1 })).await;
    let invited = json!({ "email": "new@dock.example", "role": "viewer", "clients": null });
    let invitation = made("invitations", token, invited).await;
    let account = json!({ "name": "Backup", "role": "viewer", "clients": null });
    let service = made("service-accounts", token, account).await;
    let minted = made("tokens", token, json!({ "name": "one", "scopes": ["read"] })).await;
    let secret = made("secrets", token, json!({ "name": "one", "kind": "smtp_password", "value": "x" })).await;
    made("channels", token, json!({ "address": "one@dock.example" })).await;
    let channel = made("channels", token, json!({ "address": "two@dock.example" })).await;
    made("limits/tenant.in_flight", &other, json!({ "count": 2 })).await;
    made("limits/tenant.in_flight", &other, json!({ "count": 3, "why": "More hosts" })).await;
    let (_, _, changes) = console.api("GET", "/api/v1/changes", token, &[], None).await;
    let change = changes["items"][0]["id"].clone();
    vec![
        ("incident", vec![json!(console.ours.incident)]),
        ("run", vec![json!(run)]),
        ("asking", vec![json!(asking)]),
        ("host", vec![json!(host)]),
        ("spare", vec![json!(spare)]),
        ("interlock", vec![json!(interlock)]),
        ("client", vec![json!(client)]),
        ("idle", vec![idle]),
        ("site", vec![site]),
        ("contact", vec![contact]),
        ("group", vec![group]),
        ("enrolment", vec![enrolment]),
        ("invitation", vec![invitation]),
        ("service", vec![service]),
        ("secret", vec![secret]),
        ("channel", vec![channel]),
        ("check", vec![json!(spare)]),
        ("minted", vec![minted]),
        ("change", vec![change]),
        ("member", vec![json!(console.ours.technician)]),
        ("limit", vec![json!("client.in_flight"), json!("client.runs_per_window")]),
        ("zone", vec![json!("UTC"), json!("Europe/Berlin")]),
        ("address", vec![json!("a@dock.example"), json!("b@dock.example")]),
        ("breaker", vec![json!(format!("host:{host}"))]),
        ("hours", vec![json!(1), json!(4), json!(12)]),
        ("name", vec![json!("two"), json!("three")]),
        ("relay", vec![json!("smtp.dock.example")]),
    ]
}

/// Which word stands at which place of a route's requests.
fn bound(route: &str) -> Vec<(&'static str, &'static str)> {
    let below = route.trim_start_matches("/api/v1/");
    let mut bound = match below.split('/').next().unwrap_or_default() {
        "incidents" => vec![("path.id", "incident"), ("body.run", "run")],
        "runs" => vec![("path.id", "run")],
        "approvals" => vec![("path.id", "asking")],
        // One that stands by itself, so that the others' host stays.
        "hosts" if below.ends_with("retire") => vec![("path.id", "spare")],
        "hosts" => vec![("path.id", "host")],
        "guardrails" => vec![("path.id", "interlock"), ("body.breaker", "breaker")],
        "clients" if ["archive", "restore", "delete", "keep"].iter().any(|act| below.ends_with(act)) => {
            vec![("path.id", "idle")]
        }
        "clients" => vec![("path.id", "client"), ("body.time_zone", "zone"), ("body.email", "address")],
        "enrolment-tokens" => vec![("path.id", "enrolment"), ("body.client", "client")],
        "invitations" => vec![("path.id", "invitation"), ("body.email", "address")],
        "service-accounts" => vec![("path.id", "service"), ("body.name", "name")],
        "secrets" => vec![("path.id", "secret"), ("body.name", "name")],
        "changes" => vec![("path.id", "change")],
        "tokens" => vec![("path.id", "minted"), ("body.name", "name")],
        "members" => vec![("path.id", "member")],
        "limits" => vec![("path.limit", "limit")],
        "organization" => vec![("body.time_zone", "zone")],
        "checks" => vec![("path.id", "check")],
        "channels" => vec![("path.id", "channel"), ("body.address", "address")],
        "mail-relay" => vec![("body.host", "relay"), ("body.sender", "address")],
        _ => Vec::new(),
    };
    bound.retain(|(place, _)| place.starts_with("body.") || route.contains('{'));
    bound.extend(
        [("path.site", "site"), ("path.contact", "contact"), ("path.group", "group")]
            .into_iter()
            .filter(|(place, _)| route.contains(&place.replace("path.", "{"))),
    );
    if below.ends_with("hands-off") {
        bound.push(("body.hours", "hours"));
    }
    bound
}

/// The file that schemathesis is told all this with.
fn settings(words: &Words) -> String {
    let mut file = String::new();
    for (word, values) in words {
        writeln!(file, "[dictionaries.{word}]\nvalues = {}", json!(values)).unwrap();
    }
    let routes: BTreeSet<_> = ROUTES.iter().map(|(_, route)| *route).collect();
    for route in routes {
        let bound = bound(route);
        if !bound.is_empty() {
            writeln!(file, "[[operations]]\ninclude-path = \"{route}\"\n[operations.parameters]").unwrap();
            for (place, word) in bound {
                writeln!(file, "\"{place}\" = {{ dictionary = \"{word}\", probability = 0.8 }}").unwrap();
            }
        }
    }
    file
}

#[tokio::test]
#[ignore = "needs schemathesis: make api-fuzz"]
async fn the_api_holds_against_what_its_document_makes_up() {
    let Ok(program) = std::env::var("MENDWRIGHT_SCHEMATHESIS") else { panic!("say where schemathesis is") };
    let mut console = Console::new().await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let words = words(&mut console, &token).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(Mutex::new(Answers::default()));
    let counted = answers.clone();
    let asked = Arc::new(AtomicU16::new(0));
    let router = console.router.clone().layer(from_fn(move |mut request: Request, next: Next| {
        let answers = counted.clone();
        // From many addresses: one that shows so many strange tokens is slowed down.
        let [high, low] = asked.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        async move {
            request.extensions_mut().insert(web::Peer(SocketAddr::from(([10, 0, high, low], 4_000))));
            let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
            let route = (request.method().to_string(), path);
            let response = next.run(request).await;
            Answers::take(&answers, route, response).await
        }
    }));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), settings(&words)).unwrap();
    let status = tokio::process::Command::new(program)
        .args(["run", &format!("{url}/api/v1/openapi.json"), "--url", &url, "--checks", CHECKS])
        .args(["--header", &format!("Authorization: Bearer {token}"), "--rate-limit", "18/s"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--continue-on-failure"])
        .args(NOT_ASKED.iter().flat_map(|path| ["--exclude-path", path]))
        .args(["--suppress-health-check", "all", "--no-color"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .status()
        .await
        .expect("schemathesis runs");
    server.abort();
    let (still, _, said) = console.api("GET", "/api/v1/organization", &token, &[], None).await;
    assert_eq!(still, StatusCode::OK, "the token ended, so what came later was not looked at: {said}");
    let Answers { of_routes, wrong } = std::mem::take(&mut *answers.lock().unwrap());
    let mut never = Vec::new();
    for (method, route) in ROUTES.iter().filter(|(_, route)| !NOT_ASKED.contains(route)) {
        let got = of_routes.get(&((*method).to_owned(), (*route).to_owned())).cloned().unwrap_or_default();
        println!("{method} {route}: {got:?}");
        let is_done = got.contains_key(&200) || got.contains_key(&201);
        // The token may all of it, so what was sent is looked at everywhere.
        let is_looked_at = [404, 409, 422].iter().any(|status| got.contains_key(status));
        if !(is_done || SELDOM.contains(route) && is_looked_at) {
            never.push(format!("{method} {route}: {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(never.is_empty(), "nothing of this was ever done, so little of it was tried: {never:#?}");
    assert!(status.success(), "schemathesis found something");
}
