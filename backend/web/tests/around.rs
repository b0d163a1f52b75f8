//! What holds around every route, also with no database: headers, pages for errors, origins, limits.
#![forbid(unsafe_code)]

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use store::{Clock, Store, StoreConfig};
use tower::ServiceExt as _;
use web::{App, Config, Starter, Vault, router};

/// A console whose database cannot be reached.
fn app(public_url: &str) -> App {
    let url = "postgres://nobody@127.0.0.1:1/nothing".to_owned();
    let store = Store::connect(&StoreConfig {
        tenant_url: url.clone(),
        system_url: url,
        tenant_connections: 1,
        clock: Clock::Database,
    });
    let elapsed = std::sync::Arc::new(|| std::time::Duration::ZERO);
    let connector = probe::Connector::new(probe::Egress::default(), probe::Names::system(), elapsed).unwrap();
    let (config, starter) = (Config::new(public_url), Starter::nothing());
    App { store: store.unwrap(), config, vault: vault(), connector, starter }
}

fn vault() -> Vault {
    Vault::new(std::sync::Arc::new(keys::seal::MasterKey::from_bytes([7; 32])))
}

async fn ask(public_url: &str, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = router(app(public_url)).oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, headers, String::from_utf8_lossy(&body).into_owned())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request =
        Request::post(path).header("host", "mend.example").header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

const SECURE: &str = "https://mend.example";
const LOOPBACK: &str = "http://127.0.0.1:8080";

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_an_id_errors_too() {
    for request in [
        get("/sign-in"),
        get("/nothing-here"),
        get("/assets/none.css"),
        get("/incidents"),
        post("/sign-in", &[("sec-fetch-site", "cross-site")], ""),
    ] {
        let path = request.uri().path().to_owned();
        let (_, headers, _) = ask(SECURE, request).await;
        let value = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        assert!(
            value("content-security-policy").contains("default-src 'none'")
                && value("content-security-policy").contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!value("content-security-policy").contains("unsafe"), "{path}");
        assert_eq!(value("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(value("x-frame-options"), "DENY", "{path}");
        assert_eq!(value("referrer-policy"), "same-origin", "{path}");
        assert!(value("strict-transport-security").starts_with("max-age=63072000"), "{path}");
        assert_eq!(value("cache-control"), "no-store", "{path}");
        assert_eq!(value("x-request-id").len(), 36, "{path}");
    }
    let (_, headers, _) = ask(LOOPBACK, get("/sign-in")).await;
    assert!(!headers.contains_key("strict-transport-security"), "HSTS on http would be a lie");
}

#[tokio::test]
async fn an_unknown_path_is_a_page_with_the_requests_id_and_no_more() {
    let (status, headers, body) = ask(SECURE, get("/nothing-here/at/all")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let id = headers["x-request-id"].to_str().unwrap();
    assert!(body.contains(id) && body.contains("Nothing here"));
    let (_, headers, other) = ask(SECURE, get("/another")).await;
    assert_eq!(
        body.replace(id, ""),
        other.replace(headers["x-request-id"].to_str().unwrap(), ""),
        "the same body for everything unknown"
    );
}

#[tokio::test]
async fn an_id_that_came_along_is_not_taken_over() {
    let request = Request::get("/x").header("x-request-id", "evil").body(Body::empty()).unwrap();
    assert_ne!(ask(SECURE, request).await.1["x-request-id"], "evil");
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused_before_anything_is_read() {
    let elsewhere: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://other.mend.example")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ];
    for headers in elsewhere {
        for path in ["/sign-in", "/sign-out"] {
            let (status, _, body) = ask(SECURE, post(path, headers, "email=a&password=b")).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {headers:?}");
            assert!(body.contains("not allowed"));
        }
    }
    let (status, ..) = ask(
        SECURE,
        post("/sign-in", &[("sec-fetch-site", "same-origin"), ("origin", SECURE)], "email=a%40b.example&password=b"),
    )
    .await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "our own form gets as far as the database");
}

#[tokio::test]
async fn without_a_database_a_page_says_busy_and_when_to_ask_again() {
    let (status, headers, body) = ask(LOOPBACK, post("/sign-in", &[], "email=a%40b.example&password=b")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers[header::RETRY_AFTER], "5");
    assert!(body.contains("Too busy") && !body.contains("postgres") && !body.contains("127.0.0.1"));
}

#[tokio::test]
async fn too_large_a_form_and_one_with_unknown_fields_are_refused() {
    let (status, ..) = ask(LOOPBACK, post("/sign-in", &[], &format!("email=a&password={}", "x".repeat(70_000)))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, ..) = ask(LOOPBACK, post("/sign-in", &[], "email=a&password=b&role=owner")).await;
    assert!(status.is_client_error());
}

#[tokio::test]
async fn a_nul_in_a_form_is_refused_before_anything_is_asked_of_the_database() {
    let token = "a".repeat(64);
    for (path, form) in [
        ("/sign-in".to_owned(), "email=a%00b%40c.example&password=b"),
        ("/sign-in".to_owned(), "email=a%40b.example&password=b&next=%00"),
        ("/sign-in/second".to_owned(), "code=%00"),
        ("/sign-in/passkey".to_owned(), "credential=%00"),
        ("/sign-up".to_owned(), "organization=Harbor%00IT&name=Noor&email=noor%40harbor.example"),
        ("/reset".to_owned(), "email=a%00b%40c.example"),
        (format!("/reset/{token}"), "password=%00"),
        (format!("/invitation/{token}"), "name=a%00b&password=b"),
    ] {
        let (status, ..) = ask(LOOPBACK, post(&path, &[], form)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {form}");
    }
}

#[tokio::test]
async fn a_destination_elsewhere_does_not_reach_the_form() {
    let (_, _, body) = ask(LOOPBACK, get("/sign-in?next=https%3A%2F%2Fevil.example")).await;
    assert!(!body.contains("evil.example"));
    let (_, _, body) = ask(LOOPBACK, get("/sign-in?next=/hosts")).await;
    assert!(body.contains("value=\"/hosts\""));
}

#[tokio::test]
async fn looking_at_the_sign_in_page_makes_no_session() {
    let (status, headers, _) = ask(SECURE, get("/sign-in")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!headers.contains_key(header::SET_COOKIE));
}
