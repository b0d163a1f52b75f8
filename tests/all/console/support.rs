//! The platform's staff: nothing without an owner's word, nothing after it, and never more than reading.

use axum::http::{HeaderMap, StatusCode, header};
use jiff::SignedDuration;

use super::people::{cookie_of, leads_to};
use super::strangers::{Gives, ROUTES, Seat};
use super::{Console, token as csrf_of};

impl Console {
    async fn link(&self) -> anyhow::Result<String> {
        server::platform::support_link(&self.store, &self.db.owner_url(), "Ours").await
    }

    async fn grant(&self, hours: &str) -> (StatusCode, HeaderMap, String) {
        let owner = self.sign_in("owner@ours.example").await;
        let form = format!("&hours={hours}&reason=The+digest+never+came");
        self.click(&owner, "/settings/support", "/settings/support", &form).await
    }

    /// The cookie of a support session.
    async fn begin_support(&self) -> String {
        let (status, headers, _) = self.post(&self.link().await.unwrap(), "", String::new()).await;
        assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/"));
        cookie_of(&headers)
    }

    /// A support session of ours under an owner's grant, and the token of its forms.
    pub(super) async fn support_seat(&self) -> Seat {
        assert_eq!(self.grant("4").await.0, StatusCode::SEE_OTHER);
        let cookie = self.begin_support().await;
        let csrf = csrf_of(&self.get("/hosts", &cookie).await.2);
        Seat { cookie, csrf }
    }
}

#[tokio::test]
async fn without_an_owners_word_nobody_looks_and_a_link_begins_one_session_in_time() {
    let console = Console::new().await;
    let refused = console.link().await.unwrap_err().to_string();
    assert!(refused.contains("/settings/support"), "{refused}");
    for (hours, status) in [
        ("73", StatusCode::UNPROCESSABLE_ENTITY),
        ("0", StatusCode::UNPROCESSABLE_ENTITY),
        ("x", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(console.grant(hours).await.0, status, "{hours}");
    }
    assert!(console.link().await.is_err());
    assert_eq!(console.grant("4").await.0, StatusCode::SEE_OTHER);
    let link = console.link().await.unwrap();
    let (status, headers, page) = console.get(&link, "").await;
    assert!(status == StatusCode::OK && page.contains("Begin a support session") && !page.contains("Ours"));
    assert!(headers.get(header::SET_COOKIE).is_none(), "looking uses nothing up");
    let answers = futures_util::future::join_all((0..5).map(|_| console.post(&link, "", String::new()))).await;
    let won = answers.iter().filter(|(status, ..)| *status == StatusCode::SEE_OTHER).count();
    assert_eq!(won, 1, "once");
    let link = console.link().await.unwrap();
    console.clock.advance(SignedDuration::from_secs(601));
    assert_eq!(console.post(&link, "", String::new()).await.0, StatusCode::UNPROCESSABLE_ENTITY, "too late");
    for odd in ["/support/x", "/support/mw_support_x", &link.replace("support_", "api_")] {
        assert_eq!(console.post(odd, "", String::new()).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{odd}");
    }
    // A link that was made before the end begins nothing after it.
    let link = console.link().await.unwrap();
    let owner = console.sign_in("owner@ours.example").await;
    console.click(&owner, "/settings/support", "/settings/support/end", "").await;
    assert_eq!(console.post(&link, "", String::new()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let again = console.click(&owner, "/settings/support", "/settings/support", "").await;
    assert_eq!(again.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_support_session_reads_our_pages_and_every_form_refuses_it() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await.to_string();
    console.proposed().await;
    console.grant("4").await;
    let cookie = console.begin_support().await;
    let (_, _, hosts) = console.get("/hosts", &cookie).await;
    assert!(hosts.contains("Ours-host") && !hosts.contains("Theirs-host") && hosts.contains("The platform’s support"));
    let csrf = csrf_of(&hosts);
    let host = console.ours.host.to_string();
    let (client, incident) = (console.ours.client.to_string(), console.ours.incident.to_string());
    let mut tried = 0;
    for (method, path, form, gives) in ROUTES.iter().filter(|(_, path, ..)| *path != "/sign-out") {
        let (real, _) = console.paths(path);
        if *method == "POST" && *gives != Gives::Everybody {
            let form = form
                .replace("{run}", &run)
                .replace("{host}", &host)
                .replace("{client}", &client)
                .replace("{incident}", &incident);
            let (status, ..) = console.post(&real, &cookie, format!("csrf={csrf}{form}")).await;
            // What is the operators' is not there for anybody else.
            let refused = if path.starts_with("/platform") { StatusCode::NOT_FOUND } else { StatusCode::FORBIDDEN };
            assert_eq!(status, refused, "{real}");
            tried += 1;
        }
        if *method == "GET" && (path.starts_with("/settings") || path.starts_with("/confirm") && *path == "/confirm") {
            assert_eq!(console.get(&real, &cookie).await.0, StatusCode::FORBIDDEN, "{real}");
        }
    }
    assert!(tried > 50, "{tried}");
    assert_eq!(console.get("/events", &cookie).await.0, StatusCode::FORBIDDEN);
    for path in [
        "/",
        "/incidents",
        "/clients",
        "/guardrails",
        "/approvals",
        &format!("/clients/{client}"),
        &format!("/guardrails/{client}"),
        &format!("/hosts/{host}"),
        &format!("/incidents/{incident}"),
    ] {
        assert_eq!(console.get(path, &cookie).await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(console.get(&format!("/hosts/{}", console.theirs.host), &cookie).await.0, StatusCode::NOT_FOUND);

    let looked = |page: &str| format!("tenant_audit WHERE action = 'support.looked' AND detail->>'page' = '{page}'");
    for page in ["/hosts", "/incidents", &format!("/hosts/{host}")] {
        assert_eq!(console.count(&looked(page)).await, 1, "{page}");
    }
    console.get("/hosts", &cookie).await;
    assert_eq!(console.count(&looked("/hosts")).await, 1, "once a session");
    for _ in 0..2 {
        console.get("/incidents?state=open", &cookie).await;
    }
    assert_eq!(console.count(&looked("/incidents")).await, 2, "what is looked for is another page");
    let asked = "tenant_audit WHERE action = 'support.looked' AND detail->>'query' = 'state=open'";
    assert_eq!(console.count(asked).await, 1);
    let long = format!("/incidents?q={}", "x".repeat(2001));
    assert_eq!(console.get(&long, &cookie).await.0, StatusCode::BAD_REQUEST);
    let (status, ..) = console.post("/sign-out", &cookie, format!("csrf={csrf}")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.get("/hosts", &cookie).await.0, StatusCode::SEE_OTHER);
    for action in ["support.granted", "support.link_made", "support.begun", "support.ended"] {
        assert_eq!(console.count(&format!("tenant_audit WHERE action = '{action}'")).await, 1, "{action}");
    }
    let tenant = console.theirs.tenant;
    let others = format!("tenant_audit WHERE tenant_id = '{tenant}' AND action LIKE 'support%'");
    assert_eq!(console.count(&others).await, 0);
}

#[tokio::test]
async fn a_support_session_writes_nothing_whatever_a_page_would_do() {
    let mut console = Console::new().await;
    console.grant("4").await;
    let tenant = console.ours.tenant;
    let grant: uuid::Uuid =
        sqlx::query_scalar("SELECT grant_id FROM support_grants").fetch_one(&mut console.rows).await.unwrap();
    let app = console.app(web::Config::new("https://mend.example"));
    let seat = store::auth::by_support(&console.store, tenant, grant).await.unwrap().unwrap();
    let scopes = domain::token::Scopes::of(["read"]);
    let support = web::Member::by_token(seat, scopes, store::Origin::default());
    let mut tx = support.begin(&app).await.unwrap();
    let wrote = store::audit::insert(&mut tx, None, store::audit::Entry::done("test", ("support", grant))).await;
    assert!(wrote.is_err(), "the role may, and the transaction does not");
}

#[tokio::test]
async fn what_an_owner_ends_or_time_does_is_over_with_the_next_request() {
    let mut console = Console::new().await;
    console.grant("4").await;
    let cookie = console.begin_support().await;
    assert_eq!(console.get("/hosts", &cookie).await.0, StatusCode::OK);
    let owner = console.sign_in("owner@ours.example").await;
    let (_, _, page) = console.get("/settings/support", &owner).await;
    assert!(page.contains("End it now") && page.contains("The digest never came"));
    let (status, ..) = console.click(&owner, "/settings/support", "/settings/support/end", "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(leads_to(&console.get("/hosts", &cookie).await.1), "/sign-in?next=/hosts");
    assert_eq!(console.count("tenant_audit WHERE action = 'support.withdrawn'").await, 1);
    assert!(console.link().await.is_err());

    // A new grant does not bring an old session back, and ends by itself.
    console.grant("4").await;
    assert_eq!(console.get("/hosts", &cookie).await.0, StatusCode::SEE_OTHER);
    let cookie = console.begin_support().await;
    console.clock.advance(SignedDuration::from_mins(239));
    assert_eq!(console.get("/hosts", &cookie).await.0, StatusCode::OK);
    console.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(console.get("/hosts", &cookie).await.0, StatusCode::SEE_OTHER);
    // Only owners say so, and only who has just proven who they are.
    let sam = console.sign_in("sam@ours.example").await;
    assert_eq!(console.get("/settings/support", &sam).await.0, StatusCode::FORBIDDEN);
    let owner = console.sign_in("owner@ours.example").await;
    console.clock.advance(SignedDuration::from_mins(11));
    let (status, ..) = console.click(&owner, "/settings/support", "/settings/support", "&hours=4&reason=x").await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
}
