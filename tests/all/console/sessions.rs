//! Signing in, sessions, whose rows a page shows.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use jiff::SignedDuration;
use sqlx::Executor as _;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{Console, MALLORY, PASSWORD, token};

#[tokio::test]
async fn a_member_signs_in_reads_their_pages_and_signs_out() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("SAM@ours.example").await;
    let (status, headers, list) = console.get("/incidents", &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert!(list.contains("Ours client") && list.contains("Ours-host") && list.contains("A member"));
    assert!(!list.contains(MALLORY), "what a host says is escaped");
    let (status, _, story) = console.get(&format!("/incidents/{}", console.ours.incident), &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert!(story.contains("Detected") && story.contains("answers (shop-web)"));
    let (status, _, hosts) = console.get("/hosts", &cookie).await;
    assert!(status == StatusCode::OK && hosts.contains("1 critical"));
    let host = hosts.split("href=\"/hosts/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let (status, _, host) = console.get(&format!("/hosts/{host}"), &cookie).await;
    assert!(status == StatusCode::OK && host.contains("stopped"));

    let (status, ..) = console.post("/sign-out", &cookie, format!("csrf={}%00", token(&list))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a NUL in a member's form");
    let (status, ..) = console.post("/sign-out", &cookie, "csrf=wrong".to_owned()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a form without the session's token");
    let (status, ..) = console.post("/sign-out", &cookie, format!("csrf={}", token(&list))).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.count("sessions").await, 0);
    let told = "tenant_audit WHERE action = 'account.signed_out' AND actor = 'member ' || subject_id AND request_id IS NOT NULL";
    let ours = format!("{told} AND tenant_id = '{}'", console.ours.tenant);
    assert_eq!((console.count(told).await, console.count(&ours).await), (1, 1), "where the session was, and once");
    console.sides_are_as_listed().await;
    let (status, headers, _) = console.get("/incidents", &cookie).await;
    assert_eq!(
        (status, headers[header::LOCATION].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/sign-in?next=/incidents")
    );
}

#[tokio::test]
async fn by_http_no_cookie_is_for_https_alone_neither_one_that_is_set_nor_one_that_is_taken_away() {
    let mut console = Console::new().await;
    let router = web::router(console.app(web::Config::new("http://127.0.0.1:8080")));
    let asks = async |request: Request<Body>| {
        let response = router.clone().oneshot(request).await.unwrap();
        let cookies = response.headers().get_all(header::SET_COOKIE).iter();
        cookies.map(|cookie| cookie.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let sign_in = Request::post("/sign-in")
        .header("host", "127.0.0.1:8080")
        .header("origin", "http://127.0.0.1:8080")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("email=sam%40ours.example&password={}", PASSWORD.replace(' ', "+"))))
        .unwrap();
    let set = asks(sign_in).await;
    assert_eq!(set.len(), 1, "{set:?}");
    assert!(set[0].starts_with("session=") && set[0].contains("HttpOnly") && !set[0].contains("Secure"), "{set:?}");
    let cookie = set[0].split(';').next().unwrap();
    console.execute("DELETE FROM sessions".to_owned()).await;
    let dead = Request::get("/incidents").header("cookie", cookie).body(Body::empty()).unwrap();
    let taken = asks(dead).await;
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert!(taken[0].contains("Max-Age=0") && !taken[0].contains("Secure"), "{taken:?}");
}

#[tokio::test]
async fn what_is_somebody_elses_answers_like_what_does_not_exist() {
    let console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let strip = |(status, headers, body): (StatusCode, HeaderMap, String)| {
        (status, body.replace(headers["x-request-id"].to_str().unwrap(), ""))
    };
    let theirs = strip(console.get(&format!("/incidents/{}", console.theirs.incident), &cookie).await);
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
async fn a_session_is_hashed_at_rest_new_at_each_sign_in_and_ends() {
    let mut console = Console::new().await;
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
async fn no_request_waits_for_another_one_of_its_session_that_writes_down_its_use() {
    let console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    console.clock.advance(SignedDuration::from_mins(2));
    let mut writes = console.db.admin().await;
    writes.execute("BEGIN; SELECT seen_at FROM sessions FOR UPDATE").await.unwrap();
    let page = console.get("/incidents", &cookie);
    let (status, ..) = tokio::time::timeout(Duration::from_secs(30), page).await.expect("it does not wait");
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn wrong_unknown_and_resting_accounts_get_the_same_answer() {
    let console = Console::new().await;
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
async fn guesses_side_by_side_are_all_counted() {
    let mut console = Console::new().await;
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
