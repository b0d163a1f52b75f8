//! The demo's own routes: nowhere but in a demo, for members only, and no press without the session's token.

use axum::http::{StatusCode, header};
use server::demo::{pages, sink::Sink};
use web::{Config, router_with};

use super::Console;

const ROUTES: &[(&str, &str)] = &[
    ("GET", "/demo"),
    ("POST", "/demo/break"),
    ("POST", "/demo/reset"),
    ("GET", "/demo/mails"),
    ("GET", "/demo/mails/{n}"),
    ("GET", "/demo/mails/{n}/page"),
];

impl Console {
    /// The console of a demo, in a folder where nothing runs.
    async fn of_a_demo() -> Console {
        let mut console = Console::new().await;
        let (_, sink) = Sink::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let routes = pages::routes(pages::Theatre::new("/nonexistent".into(), sink.into()));
        let declared: Vec<_> = routes.iter().map(|route| (route.method, route.path)).collect();
        assert_eq!(declared, ROUTES, "every route is tried");
        let app = console.app(Config::new("https://mend.example"));
        console.router = router_with(app, routes);
        console
    }
}

#[tokio::test]
async fn without_a_demo_its_pages_do_not_exist_and_no_link_leads_there() {
    let console = Console::new().await;
    let (cookie, csrf) = console.seat("owner@ours.example").await;
    for (method, path) in ROUTES {
        let path = path.replace("{n}", "1");
        let (status, ..) = match *method {
            "GET" => console.get(&path, &cookie).await,
            _ => console.post(&path, &cookie, format!("csrf={csrf}&victim=a")).await,
        };
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    assert!(!console.get("/incidents", &cookie).await.2.contains("/demo"));
}

#[tokio::test]
async fn a_stranger_of_a_demo_signs_in_and_comes_back() {
    let console = Console::of_a_demo().await;
    for (method, path) in ROUTES {
        let path = path.replace("{n}", "1");
        let (status, headers, _) = match *method {
            "GET" => console.get(&path, "").await,
            _ => console.post(&path, "", "csrf=guess&victim=a".to_owned()).await,
        };
        let to = headers[header::LOCATION].to_str().unwrap();
        assert!(status == StatusCode::SEE_OTHER && to.starts_with("/sign-in"), "{method} {path}: {status} {to}");
    }
    assert_eq!(console.get("/demo", "").await.1[header::LOCATION], "/sign-in?next=/demo");
}

#[tokio::test]
async fn a_press_needs_the_sessions_token_and_somebody_who_may_act() {
    let console = Console::of_a_demo().await;
    let (cookie, csrf) = console.seat("owner@ours.example").await;
    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    for path in ["/demo/break", "/demo/reset"] {
        for (cookie, form, wanted) in [
            (&cookie, "victim=a".to_owned(), StatusCode::BAD_REQUEST),
            (&cookie, "csrf=guess&victim=a".to_owned(), StatusCode::FORBIDDEN),
            (&cookie, format!("csrf={viewers}&victim=a"), StatusCode::FORBIDDEN),
            (&viewer, format!("csrf={viewers}&victim=a"), StatusCode::FORBIDDEN),
            (&cookie, format!("csrf={csrf}&victim=nobody"), StatusCode::NOT_FOUND),
        ] {
            assert_eq!(console.post(path, cookie, form.clone()).await.0, wanted, "{path} {form}");
        }
    }
    let (status, headers, _) = console.post("/demo/break", &cookie, format!("csrf={csrf}&victim=a")).await;
    assert_eq!((status, &headers[header::LOCATION]), (StatusCode::SEE_OTHER, &"/demo#victim-a".parse().unwrap()));
    assert!(console.get("/incidents", &cookie).await.2.contains("href=\"/demo\""));
    let empty = console.get("/demo/mails", &cookie).await.2;
    assert!(empty.contains("No mail yet"), "{empty}");
    for nobodys in ["/demo/mails/0", "/demo/mails/1", "/demo/mails/1/page", "/demo/mails/x"] {
        assert_eq!(console.get(nobodys, &cookie).await.0, StatusCode::NOT_FOUND, "{nobodys}");
    }
}
