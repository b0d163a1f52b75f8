//! The console on a real database: signing in, sessions, whose rows a page shows.

use std::os::unix::fs::PermissionsExt as _;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use domain::access::Role;
use embedded::{Cluster, Options};
use jiff::SignedDuration;
use rand::SeedableRng as _;
use sqlx::{ConnectOptions as _, Executor as _, postgres::PgConnectOptions};
use store::{Clock, Store, StoreConfig, auth::OperatorTx, clock::Moved, seeding};
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;
use web::{App, Config, router};

const PASSWORD: &str = "correct horse battery staple";
const MALLORY: &str = "<script>alert(1)</script>";

struct Console {
    router: Router,
    clock: Moved,
    /// As a superuser: the test's own view of the rows.
    rows: sqlx::PgConnection,
    ours: Uuid,
    theirs: Uuid,
    /// Stopped, then removed.
    _cluster: (Cluster, TempDir),
}

/// A cluster in a folder that the server's account may enter.
fn cluster() -> (Cluster, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster::start(&Options::new(folder.path().join("cluster")).without_fsync()).unwrap();
    (cluster, folder)
}

/// A fresh database with two organizations, one host and one incident in each.
async fn console() -> Console {
    let (cluster, folder) = tokio::task::spawn_blocking(cluster).await.unwrap();
    let url = |login: &str| cluster.url(login, "mendwright");
    store::migrate::prepare_cluster(&cluster.url(embedded::SUPERUSER, "postgres"), "mendwright").await.unwrap();
    store::migrate::migrate(&url("app_owner")).await.unwrap();
    let clock = Moved::default();
    let config = StoreConfig {
        tenant_url: url("app_login"),
        system_url: url("app_system"),
        tenant_connections: 4,
        clock: Clock::Moved(clock.clone()),
    };
    let store = Store::connect(&config).unwrap();
    let mut rows = url(embedded::SUPERUSER).parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    let ours = organization(&store, &url("app_owner"), "Ours", "sam@ours.example", &mut rows).await;
    let theirs = organization(&store, &url("app_owner"), "Theirs", "tess@theirs.example", &mut rows).await;
    let app = App { store, config: Config::new("https://mend.example") };
    Console { router: router(app), clock, rows, ours, theirs, _cluster: (cluster, folder) }
}

/// An organization with a member, a client, a host and an incident; the id of the incident.
async fn organization(store: &Store, owner_url: &str, name: &str, email: &str, rows: &mut sqlx::PgConnection) -> Uuid {
    let mut operator = OperatorTx::begin(store, owner_url).await.unwrap();
    let tenant = operator.insert_tenant(name).await.unwrap();
    let hash = keys::password::hash(PASSWORD, &mut rand::rngs::StdRng::seed_from_u64(7)).unwrap();
    let login = operator.insert_login(email, &hash).await.unwrap();
    let mut tx = operator.into_tenant(tenant).await.unwrap();
    seeding::insert_membership(&mut tx, login, "A member", email, Role::Technician).await.unwrap();
    let client = seeding::insert_client(&mut tx, &format!("{name} client"), "UTC").await.unwrap();
    let check =
        seeding::insert_check(&mut tx, "answers", "service", serde_json::json!({"hold_secs": 2})).await.unwrap();
    tx.commit().await.unwrap();
    let (host, incident) = (Store::new_id(), Store::new_id());
    let sql = format!(
        "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at) VALUES ('{tenant}', '{client}', '{host}', '{name}-host', '\\x01', 'trusted', clock_timestamp());
         INSERT INTO check_states (tenant_id, client_id, host_id, check_id, target, version, verdict, verdict_at, readings, observed_at)
           VALUES ('{tenant}', '{client}', '{host}', '{check}', 'shop-web', 1, 'critical', clock_timestamp(), '{{\"data\": {{\"state\": \"stopped\"}}}}', clock_timestamp());
         INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at) VALUES ('{tenant}', '{client}', '{incident}', '{name}: {MALLORY}', 'critical', 'open', clock_timestamp());
         INSERT INTO alerts (tenant_id, client_id, alert_id, incident_id, host_id, check_id, target, fingerprint, severity, state, opened_at, newest_version)
           VALUES ('{tenant}', '{client}', gen_random_uuid(), '{incident}', '{host}', '{check}', 'shop-web', '\\x02', 'critical', 'open', clock_timestamp(), 1);"
    );
    rows.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    incident
}

impl Console {
    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, headers, String::from_utf8_lossy(&body).into_owned())
    }

    async fn get(&self, path: &str, cookie: &str) -> (StatusCode, HeaderMap, String) {
        self.send(Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, cookie: &str, body: String) -> (StatusCode, HeaderMap, String) {
        let request = Request::post(path)
            .header("host", "mend.example")
            .header("origin", "https://mend.example")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", cookie);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn try_sign_in(&self, email: &str, password: &str) -> (StatusCode, HeaderMap, String) {
        self.post(
            "/sign-in",
            "",
            format!("email={}&password={}", email.replace('@', "%40"), password.replace(' ', "+")),
        )
        .await
    }

    /// Signs in and gives the cookie.
    async fn sign_in(&self, email: &str) -> String {
        let (status, headers, _) = self.try_sign_in(email, PASSWORD).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let cookie = headers[header::SET_COOKIE].to_str().unwrap().to_owned();
        for attribute in ["__Host-session=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{attribute} is missing in {cookie}");
        }
        assert!(!cookie.contains("Domain"));
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn count(&mut self, table: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&mut self.rows).await.unwrap()
    }
}

fn token(page: &str) -> String {
    page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split('"').next()).unwrap().to_owned()
}

#[tokio::test]
async fn console_a_member_signs_in_reads_their_pages_and_signs_out() {
    let mut console = console().await;
    let cookie = console.sign_in("SAM@ours.example").await;
    let (status, headers, list) = console.get("/incidents", &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert!(list.contains("Ours client") && list.contains("Ours-host") && list.contains("A member"));
    assert!(!list.contains(MALLORY), "what a host says is escaped");
    let (status, _, story) = console.get(&format!("/incidents/{}", console.ours), &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert!(story.contains("Detected") && story.contains("answers (shop-web)"));
    let (status, _, hosts) = console.get("/hosts", &cookie).await;
    assert!(status == StatusCode::OK && hosts.contains("1 critical"));
    let host = hosts.split("href=\"/hosts/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let (status, _, host) = console.get(&format!("/hosts/{host}"), &cookie).await;
    assert!(status == StatusCode::OK && host.contains("stopped"));

    let (status, ..) = console.post("/sign-out", &cookie, "csrf=wrong".to_owned()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a form without the session's token");
    let (status, ..) = console.post("/sign-out", &cookie, format!("csrf={}", token(&list))).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.count("sessions").await, 0);
    let (status, headers, _) = console.get("/incidents", &cookie).await;
    assert_eq!(
        (status, headers[header::LOCATION].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/sign-in?next=/incidents")
    );
}

#[tokio::test]
async fn console_what_is_somebody_elses_answers_like_what_does_not_exist() {
    let console = console().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let strip = |(status, headers, body): (StatusCode, HeaderMap, String)| {
        (status, body.replace(headers["x-request-id"].to_str().unwrap(), ""))
    };
    let theirs = strip(console.get(&format!("/incidents/{}", console.theirs), &cookie).await);
    let unknown = strip(console.get(&format!("/incidents/{}", Uuid::nil()), &cookie).await);
    let nonsense = strip(console.get("/incidents/not-an-id", &cookie).await);
    assert_eq!(theirs.0, StatusCode::NOT_FOUND);
    assert_eq!(theirs, unknown);
    assert_eq!(theirs, nonsense);
    for path in ["/incidents", "/hosts"] {
        let (_, _, page) = console.get(path, &cookie).await;
        assert!(!page.contains("Theirs"), "{path}");
    }
}

#[tokio::test]
async fn console_a_session_is_hashed_at_rest_new_at_each_sign_in_and_ends() {
    let mut console = console().await;
    let first = console.sign_in("sam@ours.example").await;
    let value = first.split_once('=').unwrap().1.to_owned();
    let dump: String =
        sqlx::query_scalar("SELECT string_agg(encode(session_hash, 'escape') || data::text, '') FROM sessions")
            .fetch_one(&mut console.rows)
            .await
            .unwrap();
    assert!(!dump.contains(&value));

    // Signing in again over a session gives another id, and the old one is dead.
    let body = format!("email=sam%40ours.example&password={}", PASSWORD.replace(' ', "+"));
    let (_, headers, _) = console.post("/sign-in", &first, body).await;
    let second = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(console.get("/incidents", &first).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.get("/incidents", &second).await.0, StatusCode::OK);

    // It lasts while it is used, up to a day.
    for _ in 0..3 {
        console.clock.advance(SignedDuration::from_hours(7));
        assert_eq!(console.get("/incidents", &second).await.0, StatusCode::OK);
    }
    console.clock.advance(SignedDuration::from_hours(4));
    assert_eq!(console.get("/incidents", &second).await.0, StatusCode::SEE_OTHER, "a day in any case");
    let third = console.sign_in("sam@ours.example").await;
    console.clock.advance(SignedDuration::from_hours(9));
    assert_eq!(console.get("/incidents", &third).await.0, StatusCode::SEE_OTHER, "eight hours idle");
}

#[tokio::test]
async fn console_wrong_unknown_and_resting_accounts_get_the_same_answer() {
    let console = console().await;
    let strip = |(status, headers, body): (StatusCode, HeaderMap, String), email: &str| {
        assert!(!headers.contains_key(header::SET_COOKIE));
        (status, body.replace(email, ""))
    };
    let wrong = strip(console.try_sign_in("sam@ours.example", "guess").await, "sam@ours.example");
    let unknown = strip(console.try_sign_in("nobody@ours.example", "guess").await, "nobody@ours.example");
    assert_eq!(wrong.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong, unknown);
    for _ in 0..9 {
        console.try_sign_in("sam@ours.example", "guess").await;
        console.clock.advance(SignedDuration::from_secs(20));
    }
    let resting = strip(console.try_sign_in("sam@ours.example", PASSWORD).await, "sam@ours.example");
    assert_eq!(resting, wrong, "the right password, while it rests, is answered like a wrong one");
    console.clock.advance(SignedDuration::from_mins(16));
    console.sign_in("sam@ours.example").await;
}

#[tokio::test]
async fn console_guesses_side_by_side_are_all_counted() {
    let mut console = console().await;
    let guesses = (0..20).map(|_| console.try_sign_in("sam@ours.example", "guess"));
    for (status, ..) in futures_util::future::join_all(guesses).await {
        assert!(matches!(status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::SERVICE_UNAVAILABLE));
    }
    let counted: i32 = sqlx::query_scalar("SELECT failed_count FROM logins WHERE email = 'sam@ours.example'")
        .fetch_one(&mut console.rows)
        .await
        .unwrap();
    assert!((5..=6).contains(&counted), "four free tries, then it rests: {counted}");
}
