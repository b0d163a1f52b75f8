//! The operators of the platform: how one begins, what they see, what they do, and that nobody else finds their pages.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use engine::lease::run_until_idle;
use engine::sweep::Sweep;
use jiff::SignedDuration;
use keys::token::{Kind, mint};
use keys::totp;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use server::cli::{OwnerArgs, Platform};
use store::auth::OperatorTx;
use store::platform;
use tokio_util::sync::CancellationToken;

use super::{Console, token as csrf_of};

const EMAIL: &str = "ops@mend.example";
const WORDS: &str = "another+long+enough+sentence";

/// An operator who is in, with their recovery codes.
struct Seat {
    cookie: String,
    csrf: String,
    codes: Vec<String>,
}

fn leads_to(headers: &HeaderMap) -> &str {
    headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default()
}

impl Console {
    /// The path of a link as the command line prints it.
    async fn operator_link(&self, seed: u64) -> String {
        let link = mint(Kind::Setup, &mut StdRng::seed_from_u64(seed));
        let mut operator = OperatorTx::begin(&self.store, &self.db.owner_url()).await.unwrap();
        platform::insert_link(&mut operator, EMAIL, &link.hash(), Duration::from_secs(3600)).await.unwrap();
        operator.commit().await.unwrap();
        format!("/operator/{}", link.reveal())
    }

    /// Follows the link, makes a second factor, and is in.
    async fn operator(&self) -> Seat {
        let path = self.operator_link(1).await;
        let (status, headers, _) = self.post(&path, "", format!("password={WORDS}")).await;
        assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/platform"));
        let cookie = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let (status, headers, _) = self.get("/platform", &cookie).await;
        assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/platform/second-factor"), "first of all");
        let (_, _, page) = self.get("/platform/second-factor", &cookie).await;
        let csrf = csrf_of(&page);
        let early = format!("csrf={csrf}&code=123456&to=stop");
        assert_eq!(self.post("/platform/brake", &cookie, early).await.0, StatusCode::FORBIDDEN);
        let spelled = page.split_once("<code class=\"wrap\">").unwrap().1.split_once('<').unwrap().0.replace(' ', "");
        let secret = super::people::base32(&spelled);
        let now = self.store.system().await.unwrap().now().await.unwrap().as_second().unsigned_abs();
        let code = totp::code_at(&secret, now).unwrap();
        let (status, _, page) = self.post("/platform/second-factor", &cookie, format!("csrf={csrf}&code={code}")).await;
        assert_eq!(status, StatusCode::OK);
        let codes: Vec<String> =
            page.split("<li><code>").skip(1).map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect();
        assert_eq!(codes.len(), 10);
        Seat { cookie, csrf, codes }
    }

    /// As [`Console::operator`], as everybody else's seat is told.
    pub(super) async fn operator_seat(&self) -> super::strangers::Seat {
        let Seat { cookie, csrf, .. } = self.operator().await;
        super::strangers::Seat { cookie, csrf }
    }

    async fn act(&self, seat: &mut Seat, path: &str, form: &str) -> StatusCode {
        let code = seat.codes.pop().unwrap();
        self.post(path, &seat.cookie, format!("csrf={}&code={code}{form}", seat.csrf)).await.0
    }
}

#[tokio::test]
async fn an_operator_begins_by_a_link_of_the_servers_own_machine_and_sees_counts_alone() {
    let mut console = Console::new().await;
    let seat = console.operator().await;
    let used = format!("/operator/{}", mint(Kind::Setup, &mut StdRng::seed_from_u64(1)).reveal());
    assert_eq!(console.post(&used, "", format!("password={WORDS}")).await.0, StatusCode::UNPROCESSABLE_ENTITY, "once");
    let late = console.operator_link(2).await;
    console.clock.advance(SignedDuration::from_mins(61));
    assert_eq!(console.get(&late, "").await.0, StatusCode::UNPROCESSABLE_ENTITY, "within the hour");

    let (status, _, page) = console.get("/platform", &seat.cookie).await;
    assert_eq!(status, StatusCode::OK);
    for shown in ["Ours", "Theirs", "plan unlimited", "1 hosts, 0 linked", "3 members", "1 open incidents"] {
        assert!(page.contains(shown), "{shown}");
    }
    for content in ["Ours client", "Ours-host", "owner@ours.example", "alert(1)"] {
        assert!(!page.contains(content), "{content} is shown");
    }
    // Members find nothing there, and the operator nothing of the organizations.
    let owner = console.member("owner@ours.example").await;
    assert_eq!(console.get("/platform", &owner.cookie).await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.get("/platform", "").await.0, StatusCode::NOT_FOUND);
    assert!(leads_to(&console.get("/incidents", &seat.cookie).await.1).starts_with("/sign-in"));
    assert_eq!(console.count("platform_audit WHERE action = 'operator.made'").await, 1);

    let at = OwnerArgs { database_owner_url: Some(console.db.owner_url()), data: None };
    let command = Platform::Operator { email: EMAIL.to_owned(), remove: true, public_url: String::new(), at };
    server::platform::run(command).await.unwrap();
    assert_eq!(console.get("/platform", &seat.cookie).await.0, StatusCode::NOT_FOUND, "from that moment on");
    assert_eq!(console.count("platform_audit WHERE action = 'operator.removed' AND actor = 'command line'").await, 1);
}

#[tokio::test]
async fn each_act_of_an_operator_asks_for_a_code_that_counts_once_and_stands_in_the_platforms_audit() {
    let mut console = Console::new().await;
    let mut seat = console.operator().await;
    let (ours, tenant) = (format!("/platform/organizations/{}", console.ours.tenant), console.ours.tenant);
    let sam = console.member("sam@ours.example").await;
    let suspend = format!("{ours}/suspend");
    let wrong = format!("csrf={}&code=abcd-efgh-jkmn-pqrs&reason=x", seat.csrf);
    assert_eq!(console.post(&suspend, &seat.cookie, wrong).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let foreign = format!("csrf=other&code={}&reason=x", seat.codes[0]);
    assert_eq!(console.post(&suspend, &seat.cookie, foreign).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.get("/", &sam.cookie).await.0, StatusCode::OK, "nothing was done");

    let code = seat.codes[9].clone();
    assert_eq!(console.act(&mut seat, &suspend, "&reason=unpaid").await, StatusCode::SEE_OTHER);
    assert!(leads_to(&console.get("/", &sam.cookie).await.1).starts_with("/sign-in"), "its members are out");
    let twice = format!("csrf={}&code={code}", seat.csrf);
    assert_eq!(console.post(&format!("{ours}/resume"), &seat.cookie, twice).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    run_until_idle(&console.store, &Sweep, &CancellationToken::new()).await.unwrap();
    let frozen = format!(
        "guardrail_buckets WHERE frozen AND tenant_id = '{tenant}' AND frozen_by = 'the operator of the platform'"
    );
    assert_eq!(console.count(&frozen).await, 1, "and its actions stop");
    assert_eq!(console.count("guardrail_buckets WHERE frozen").await, 1, "nobody else's");

    assert_eq!(console.act(&mut seat, &format!("{ours}/resume"), "").await, StatusCode::SEE_OTHER);
    assert_eq!(console.get("/", &sam.cookie).await.0, StatusCode::OK);
    assert_eq!(console.count(&frozen).await, 1, "they let it act again themselves");
    console.execute("INSERT INTO plans (plan, max_hosts) VALUES ('team', 50)".to_owned()).await;
    assert_eq!(console.act(&mut seat, &format!("{ours}/plan"), "&plan=team").await, StatusCode::SEE_OTHER);
    assert_eq!(console.act(&mut seat, &format!("{ours}/plan"), "&plan=none").await, StatusCode::NOT_FOUND);
    assert_eq!(console.count(&format!("tenants WHERE plan = 'team' AND tenant_id = '{tenant}'")).await, 1);
    assert_eq!(console.act(&mut seat, "/platform/brake", "&to=stop&reason=a+bad+release").await, StatusCode::SEE_OTHER);
    assert_eq!(console.count("platform_state WHERE frozen").await, 1);
    let (_, _, page) = console.get("/platform", &seat.cookie).await;
    assert!(page.contains("brake is on") && page.contains("a bad release") && page.contains("unpaid"));
    assert_eq!(console.act(&mut seat, "/platform/brake", "&to=go").await, StatusCode::SEE_OTHER);
    assert_eq!(console.count("platform_state WHERE frozen").await, 0);
    assert_eq!(console.count("platform_audit WHERE actor = 'operator ops@mend.example'").await, 6);
    // The organization reads what was done to it: by the operator, and not by whom or from where.
    let told = format!(
        "tenant_audit WHERE tenant_id = '{tenant}' AND actor = 'operator' AND source IS NULL AND request_id IS NOT NULL AND action"
    );
    for (action, detail, after) in [
        ("organization.suspended", r#"{"reason": "unpaid"}"#, r#"{"state": "suspended"}"#),
        ("organization.resumed", r#"{"reason": ""}"#, r#"{"state": "active"}"#),
        ("organization.plan", "{}", r#"{"plan": "team"}"#),
    ] {
        let entry = format!("{told} = '{action}' AND detail = '{detail}' AND after = '{after}' AND before <> after");
        assert_eq!(console.count(&entry).await, 1, "{action}");
    }
    assert_eq!(console.count("tenant_audit WHERE action LIKE 'organization.%' AND actor = 'operator'").await, 3);
    console.sides_are_as_listed().await;
}

#[tokio::test]
async fn an_operator_holds_every_fix_for_some_hours_with_a_reason_and_ends_it_and_tenants_read_only_that_it_is() {
    let mut console = Console::new().await;
    let mut seat = console.operator().await;
    let begin = "&to=begin&hours=4&reason=a+bad+agent+release";
    for wrong in ["&to=begin&reason=x", "&to=begin&hours=99&reason=x", "&to=end&hours=4&reason=x", "&to=x&reason=x"] {
        let form = format!("csrf={}&code={}{wrong}", seat.csrf, seat.codes[0]);
        assert_eq!(console.post("/platform/storm", &seat.cookie, form).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let no_code = format!("csrf={}&code=abcd-efgh-jkmn-pqrs{begin}", seat.csrf);
    assert_eq!(console.post("/platform/storm", &seat.cookie, no_code).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(console.act(&mut seat, "/platform/storm", "&to=begin&hours=4").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(console.act(&mut seat, "/platform/storm", "&to=end&reason=x").await, StatusCode::CONFLICT, "none is on");
    assert_eq!(console.count("platform_state WHERE storm").await, 0);

    assert_eq!(console.act(&mut seat, "/platform/storm", begin).await, StatusCode::SEE_OTHER);
    let until =
        "platform_state WHERE storm AND storm_kind = 'set' AND storm_ends_at = storm_since + interval '4 hours'";
    assert_eq!(console.count(until).await, 1);
    let (_, _, page) = console.get("/platform", &seat.cookie).await;
    for shown in ["A storm: no fix begins anywhere", "An operator set it", "a bad agent release", "platform.storm_set"]
    {
        assert!(page.contains(shown), "{shown}");
    }
    let sam = console.member("sam@ours.example").await;
    let (_, _, guardrails) = console.get("/guardrails", &sam.cookie).await;
    assert!(guardrails.contains("every organization on this platform"));
    assert!(!guardrails.contains("bad agent release"), "why is the operators'");

    assert_eq!(console.act(&mut seat, "/platform/storm", "&to=end&reason=it+is+back").await, StatusCode::SEE_OTHER);
    assert_eq!(console.count("platform_state WHERE NOT storm AND storm_looked_at IS NOT NULL").await, 1);
    let (_, _, guardrails) = console.get("/guardrails", &sam.cookie).await;
    assert!(!guardrails.contains("every organization on this platform"));
    assert_eq!(console.count("platform_audit WHERE action LIKE 'platform.storm%' AND detail ? 'reason'").await, 2);
}
