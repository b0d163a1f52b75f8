//! What somebody who got at an account, or wants to, may not do with it.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;
use sqlx::Connection as _;
use store::Store;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use uuid::Uuid;

use super::api::ALL;
use super::people::{cookie_of, encoded, turn_on};
use super::{Console, PASSWORD};

/// Against a test that hangs.
const GUARD: std::time::Duration = std::time::Duration::from_secs(60);
const NEW: &str = "another long enough sentence";

async fn login(console: &mut Console, email: &str) -> Uuid {
    let id = sqlx::query_scalar("SELECT login_id FROM logins WHERE email = $1");
    id.bind(email).fetch_one(&mut console.rows).await.unwrap()
}

#[tokio::test]
async fn two_owners_who_remove_each_other_leave_one() {
    let mut console = Console::new().await;
    let ours = console.ours.tenant;
    console
        .execute(format!(
            "UPDATE memberships SET role = 'owner' WHERE tenant_id = '{ours}' AND email = 'sam@ours.example'"
        ))
        .await;
    let (owner, sam) = (console.sign_in("owner@ours.example").await, console.sign_in("sam@ours.example").await);
    let removes = |id: Uuid| format!("/settings/people/{id}/remove");
    let (of_owner, of_sam) = (
        removes(login(&mut console, "owner@ours.example").await),
        removes(login(&mut console, "sam@ours.example").await),
    );
    let mut holder = console.db.admin().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM memberships WHERE tenant_id = $1 FOR UPDATE")
        .bind(ours)
        .execute(&mut *held)
        .await
        .unwrap();
    let page = "/settings/people";
    let (one, other) = (console.click(&owner, page, &of_sam, ""), console.click(&sam, page, &of_owner, ""));
    let both_wait = async {
        let mut rows = console.db.admin().await;
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut rows).await.unwrap() < 2 {
            tokio::task::yield_now().await;
        }
        held.rollback().await.unwrap();
    };
    let all = async { tokio::join!(one, other, both_wait) };
    let ((one, ..), (other, ..), ()) = tokio::time::timeout(GUARD, all).await.expect("both come to the lock");
    let mut said = [one, other];
    said.sort();
    assert_eq!(said, [StatusCode::SEE_OTHER, StatusCode::FORBIDDEN]);
    assert_eq!(console.count(&format!("memberships WHERE tenant_id = '{ours}' AND role = 'owner'")).await, 1);
}

#[tokio::test]
async fn what_was_asked_for_with_an_old_password_ends_with_it() {
    let console = Console::new().await;
    let thief = console.sign_in("sam@ours.example").await;
    console.click(&thief, "/settings", "/settings/address", "&email=thief%40new.example").await;
    let letters = console.letters().await;
    let to = |address: &str| letters.iter().find(|letter| letter.to == address).unwrap();
    assert_eq!(to("sam@ours.example").subject, "Your address is to be changed", "the owner hears of it at once");
    let confirm = to("thief@new.example").path.clone();
    console.post("/reset", "", "email=sam%40ours.example".to_owned()).await;
    let reset = console.letter().await.path;
    let form = format!("password={}", encoded(NEW));
    assert_eq!(console.post(&reset, "", form).await.0, StatusCode::OK);
    assert_eq!(console.letter().await.subject, "Your password was changed");
    assert_eq!(console.post(&confirm, "", String::new()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(console.try_sign_in("sam@ours.example", NEW).await.0, StatusCode::SEE_OTHER, "it is theirs still");
}

/// Comes back when so many wait for a lock.
pub(super) async fn waits_for_a_lock(console: &Console, how_many: i64) {
    let mut rows = console.db.admin().await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut rows).await.unwrap() < how_many {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn of_two_links_that_are_followed_at_once_one_sets_the_password_and_neither_waits_for_the_other() {
    let console = Console::new().await;
    let ask = async || {
        console.post("/reset", "", "email=sam%40ours.example".to_owned()).await;
        console.letter().await.path
    };
    let one = ask().await;
    console.clock.advance(SignedDuration::from_mins(6));
    let other = ask().await;
    let mut holder = console.db.admin().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM logins WHERE email = 'sam@ours.example' FOR UPDATE").execute(&mut *held).await.unwrap();
    let form = format!("password={}", encoded(NEW));
    let (first, second) = (console.post(&one, "", form.clone()), console.post(&other, "", form));
    let release = async {
        waits_for_a_lock(&console, 2).await;
        held.rollback().await.unwrap();
    };
    let all = async { tokio::join!(first, second, release) };
    let ((first, ..), (second, ..), ()) = tokio::time::timeout(GUARD, all).await.expect("both come to the lock");
    let mut said = [first, second];
    said.sort();
    assert_eq!(said, [StatusCode::OK, StatusCode::UNPROCESSABLE_ENTITY]);
}

#[tokio::test]
async fn signing_out_everywhere_ends_what_was_asked_for_too() {
    let console = Console::new().await;
    let thief = console.sign_in("sam@ours.example").await;
    console.click(&thief, "/settings", "/settings/address", "&email=thief%40new.example").await;
    let letters = console.letters().await;
    let confirm = &letters.iter().find(|letter| letter.to == "thief@new.example").unwrap().path;
    let sam = console.sign_in("sam@ours.example").await;
    console.click(&sam, "/settings", "/settings/sessions/end", "").await;
    assert_eq!(console.post(confirm, "", String::new()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

impl Console {
    /// What a program is answered that shows this token.
    async fn shown(&self, token: &str) -> StatusCode {
        self.api("GET", "/api/v1/hosts", token, &[], None).await.0
    }

    /// Asks for the letter that sets a new password, and sets it.
    async fn reset(&self, email: &str) {
        self.post("/reset", "", format!("email={}", encoded(email))).await;
        let letters = self.letters().await;
        let reset = letters.iter().find(|letter| letter.subject == "Set a new password").unwrap();
        let (status, _, page) = self.post(&reset.path, "", format!("password={}", encoded(NEW))).await;
        assert!(status == StatusCode::OK && page.contains("API tokens ended"), "{page}");
    }
}

#[tokio::test]
async fn a_token_ends_with_the_password_it_was_made_under_in_every_organization_and_with_what_it_made() {
    let mut console = Console::new().await;
    let (id, token) = console.token("owner@ours.example", &ALL, &[]).await;
    let (of_service, service) = console.token("owner@ours.example", &["read"], &[]).await;
    let child = json!({ "name": "child", "scopes": ["read"] });
    let (status, _, made) = console.api("POST", "/api/v1/tokens", &token, &[], Some(child)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let child = made["token"].as_str().unwrap().to_owned();
    let owner = login(&mut console, "owner@ours.example").await;
    let (ours, theirs, seat, elsewhere) =
        (console.ours.tenant, console.theirs.tenant, Store::new_id(), Store::new_id());
    console
        .execute(format!(
            "INSERT INTO service_seats (tenant_id, seat_id, name, role, sees_all, made_at, made_by)
               VALUES ('{ours}', '{seat}', 'Backup', 'viewer', true, clock_timestamp(), 'owner');
             UPDATE api_tokens SET seat_id = '{seat}' WHERE token_id = '{of_service}';
             INSERT INTO memberships (tenant_id, login_id, name, email, role)
               VALUES ('{theirs}', '{owner}', 'O.', 'owner@ours.example', 'viewer');
             INSERT INTO api_tokens (tenant_id, token_id, name, hint, login_id, scopes, networks, made_at, expires_at)
               SELECT '{theirs}', '{elsewhere}', name, hint, login_id, '{{read}}', networks, made_at, expires_at
               FROM api_tokens WHERE token_id = '{id}';
             INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id, expires_at)
               SELECT '{theirs}', 'api_token', '\\x01', '{elsewhere}', expires_at FROM api_tokens WHERE token_id = '{id}'"
        ))
        .await;
    for works in [&token, &child, &service] {
        assert_eq!(console.shown(works).await, StatusCode::OK);
    }
    console.reset("owner@ours.example").await;
    for ended in [&token, &child] {
        assert_eq!(console.shown(ended).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(console.shown(&service).await, StatusCode::OK, "a service account has no password");
    assert_eq!(console.count("api_tokens WHERE revoked_at IS NULL").await, 1);
    let told = format!(
        "tenant_audit WHERE action = 'token.revoked' AND actor = 'member {owner}' AND detail->>'why' = 'a new password'
           AND before = '{{\"revoked\": false}}' AND after = '{{\"revoked\": true}}'"
    );
    assert_eq!(console.count(&format!("{told} AND tenant_id = '{ours}'")).await, 2);
    assert_eq!(console.count(&format!("{told} AND tenant_id = '{theirs}'")).await, 1);
    assert_eq!(console.letter().await.subject, "Your password was changed");
}

#[tokio::test]
async fn a_token_ends_whenever_others_are_shut_out_of_its_account() {
    let mut console = Console::new().await;
    let settings = "/settings";
    let sam = console.sign_in("sam@ours.example").await;
    let (_, token) = console.token("sam@ours.example", &["read"], &[]).await;
    assert!(console.get(settings, &sam).await.2.contains("your API tokens end"), "it is said before");
    let form = format!("&old={}&new={}", encoded(PASSWORD), encoded(NEW));
    assert_eq!(console.click(&sam, settings, "/settings/password", &form).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.shown(&token).await, StatusCode::UNAUTHORIZED, "a password of one's own choice");

    let (_, token) = console.token("sam@ours.example", &["read"], &[]).await;
    let sam = cookie_of(&console.try_sign_in("sam@ours.example", NEW).await.1);
    assert_eq!(console.shown(&token).await, StatusCode::OK, "signing in ends nothing");
    console.click(&sam, settings, "/settings/sessions/end", "").await;
    assert_eq!(console.shown(&token).await, StatusCode::UNAUTHORIZED, "signed out everywhere");

    let (_, token) = console.token("owner@ours.example", &["read"], &[]).await;
    let (_, others) = console.token("viewer@ours.example", &["read"], &[]).await;
    let owner = console.sign_in("owner@ours.example").await;
    turn_on(&console, &owner).await;
    assert_eq!(console.shown(&token).await, StatusCode::UNAUTHORIZED, "a first second factor");
    let (_, token) = console.token("owner@ours.example", &["read"], &[]).await;
    console.click(&owner, settings, "/settings/second-factor/off", "").await;
    assert_eq!(console.shown(&token).await, StatusCode::OK, "it was made with both");
    assert_eq!(console.shown(&others).await, StatusCode::OK, "those of others go on");
}

/// Sam is invited by the owner, and joins.
async fn join_anew(console: &Console, owner: &str) {
    let people = "/settings/people";
    console.click(owner, people, people, "&email=sam%40ours.example&role=technician&sees=all").await;
    let letter = console.letter().await;
    let form = format!("name=Sam&password={}", encoded(PASSWORD));
    assert_eq!(console.post(&letter.path, "", form).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn who_is_removed_and_invited_anew_does_not_get_back_their_tokens() {
    let mut console = Console::new().await;
    let (_, token) = console.token("sam@ours.example", &["read"], &[]).await;
    let (people, sam) = ("/settings/people", console.ours.technician);
    let owner = console.sign_in("owner@ours.example").await;
    let (status, ..) = console.click(&owner, people, &format!("{people}/{sam}/remove"), "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.count("tenant_audit WHERE action = 'token.revoked'").await, 1);
    join_anew(&console, &owner).await;
    assert_eq!(console.shown(&token).await, StatusCode::UNAUTHORIZED);
    // Nor one that their removal did not end, as in an installation of before.
    console
        .execute(
            "DELETE FROM memberships WHERE email = 'sam@ours.example';
             UPDATE api_tokens SET revoked_at = NULL, revoked_by = NULL;
             UPDATE credentials SET revoked_at = NULL WHERE kind = 'api_token'"
                .to_owned(),
        )
        .await;
    join_anew(&console, &owner).await;
    assert_eq!(console.count("memberships WHERE email = 'sam@ours.example'").await, 1);
    assert_eq!(console.shown(&token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whoever_has_an_account_hears_of_each_token_that_is_made_with_it() {
    let mut console = Console::new().await;
    let (_, token) = console.token("owner@ours.example", &ALL, &[]).await;
    for n in 0..7 {
        let wanted = json!({ "name": format!("child {n}"), "scopes": ["read"] });
        assert_eq!(console.api("POST", "/api/v1/tokens", &token, &[], Some(wanted)).await.0, StatusCode::CREATED);
    }
    let owner = console.sign_in("owner@ours.example").await;
    let form = "&name=nightly&scope=read&days=30";
    assert_eq!(console.click(&owner, "/settings/tokens", "/settings/tokens", form).await.0, StatusCode::OK);
    let letters = console.letters().await;
    let told = letters.iter().filter(|letter| {
        letter.to == "owner@ours.example"
            && letter.subject == "An API token was made in your name"
            && letter.path == "/settings/tokens"
    });
    assert_eq!(told.count(), 8, "however many there are");
}

#[tokio::test]
async fn half_a_sign_in_ends_with_the_sessions_of_its_login() {
    let console = Console::new().await;
    let sam = console.sign_in("sam@ours.example").await;
    let (_, codes) = turn_on(&console, &sam).await;
    let half = async || cookie_of(&console.try_sign_in("sam@ours.example", PASSWORD).await.1);
    let (first, second) = (half().await, half().await);
    let page = console.get("/settings", &sam).await.2;
    assert_eq!(page.matches("/end\"").count(), 1, "half a sign-in is no place where somebody is signed in");
    let tries = async |cookie: &str, code: &str| {
        let (_, headers, _) = console.post("/sign-in/second", cookie, format!("code={code}")).await;
        super::people::leads_to(&headers).to_owned()
    };
    console.reset("sam@ours.example").await;
    assert_eq!(tries(&first, &codes[0]).await, "/sign-in", "the password that it was begun with is none any more");
    assert_eq!(tries(&second, &codes[1]).await, "/sign-in");
    let half = cookie_of(&console.try_sign_in("sam@ours.example", NEW).await.1);
    assert_eq!(tries(&half, &codes[2]).await, "/");
}

#[tokio::test]
async fn what_is_turned_on_ends_what_was_asked_for_before() {
    let console = Console::new().await;
    let sam = console.sign_in("sam@ours.example").await;
    console.click(&sam, "/settings", "/settings/address", "&email=thief%40new.example").await;
    console.post("/reset", "", "email=sam%40ours.example".to_owned()).await;
    let letters = console.letters().await;
    let path = |subject: &str| &letters.iter().find(|letter| letter.subject == subject).unwrap().path;
    turn_on(&console, &sam).await;
    let confirmed = console.post(path("Confirm your new address"), "", String::new()).await.0;
    assert_eq!(confirmed, StatusCode::UNPROCESSABLE_ENTITY);
    let form = format!("password={}", encoded(NEW));
    assert_eq!(console.post(path("Set a new password"), "", form).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_link_to_the_old_address_sets_no_password_of_the_new_one() {
    let console = Console::new().await;
    let sam = console.sign_in("sam@ours.example").await;
    console.click(&sam, "/settings", "/settings/address", "&email=sam%40new.example").await;
    console.post("/reset", "", "email=sam%40ours.example".to_owned()).await;
    let letters = console.letters().await;
    let path = |subject: &str| &letters.iter().find(|letter| letter.subject == subject).unwrap().path;
    assert_eq!(console.post(path("Confirm your new address"), "", String::new()).await.0, StatusCode::OK);
    let form = format!("password={}", encoded(NEW));
    assert_eq!(console.post(path("Set a new password"), "", form).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(console.try_sign_in("sam@new.example", PASSWORD).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nobody_silences_the_letters_of_an_account() {
    let mut console = Console::new().await;
    console.execute("UPDATE platform_state SET sign_up = 'open'".to_owned()).await;
    let asks = async || {
        for _ in 0..9 {
            console.post("/reset", "", "email=sam%40ours.example".to_owned()).await;
            console.post("/sign-up", "", "organization=Mine&email=sam%40ours.example".to_owned()).await;
        }
        let letters = console.letters().await;
        letters.iter().filter(|letter| letter.subject == "Set a new password").count()
    };
    assert_eq!(asks().await, 1, "the one that was sent does");
    console.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(asks().await, 1, "and there is another before it is over");
    let sam = console.sign_in("sam@ours.example").await;
    let form = format!("&old={}&new={}", encoded(PASSWORD), encoded(NEW));
    let (status, ..) = console.click(&sam, "/settings", "/settings/password", &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.letter().await.subject, "Your password was changed");
}

#[tokio::test]
async fn a_session_that_was_taken_lets_nothing_be_done() {
    let mut console = Console::new().await;
    let run = console.run("awaiting_approval", "none").await;
    let (host, incident) = (console.ours.host, console.ours.incident);
    let owner = console.sign_in("owner@ours.example").await;
    console.clock.advance(SignedDuration::from_mins(11));
    let id = Uuid::nil();
    let approval = format!("/incidents/{incident}/approval");
    let yes = format!("&run_id={run}&plan={}&answer=yes", "0".repeat(64));
    for (path, form) in [
        (approval.as_str(), yes.as_str()),
        ("/guardrails/go", ""),
        (&format!("/guardrails/{}/go", console.ours.client), ""),
        (&format!("/guardrails/interlocks/{id}/release"), ""),
        ("/guardrails/breaker", &format!("&breaker=host%3A{host}&reason=x")),
        ("/hosts/newcomers", &format!("&host={host}&answer=accept")),
        (&format!("/hosts/{host}/claim"), "&key=00&answer=same"),
        (&format!("/hosts/{host}/same-machine"), ""),
        ("/settings/enrolment", &format!("&place={}&profile=low-risk&days=1&whom=many&uses=2", console.ours.client)),
        (&format!("/settings/checks/{}/archive", console.ours.check), "&why=x"),
    ] {
        let (status, ..) = console.click(&owner, "/settings", path, form).await;
        assert_eq!(status, StatusCode::PRECONDITION_REQUIRED, "{path}");
    }
    // What holds back is nobody's to delay.
    for (path, form) in [
        (approval.as_str(), yes.replace("yes", "no").as_str()),
        ("/guardrails/stop", "&reason=x"),
        ("/hosts/newcomers", &format!("&host={host}&answer=refuse")),
    ] {
        let (status, ..) = console.click(&owner, "/settings", path, form).await;
        assert_ne!(status, StatusCode::PRECONDITION_REQUIRED, "{path}");
    }
}

#[tokio::test]
async fn guesses_side_by_side_are_all_counted_before_they_are_looked_at() {
    let mut console = Console::new().await;
    let accounts: Vec<String> = (0..60).map(|n| format!("nobody{n}@ours.example")).collect();
    let tries = accounts.iter().map(|account| console.try_sign_in_from("192.0.2.9", account, "guess"));
    futures_util::future::join_all(tries).await;
    let of_source = "(SELECT failed_count FROM sources WHERE source = '192.0.2.9') s WHERE failed_count < 40";
    assert_eq!(console.count(of_source).await, 1, "from the 31st on it rests");
}

/// The statements that the database was sent, in their order.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<String>>>);

impl Visit for Sent {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "summary" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl<S: tracing::Subscriber> Layer<S> for Sent {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            event.record(&mut self.clone());
        }
    }
}

#[tokio::test]
async fn whether_there_is_an_account_is_not_told_by_how_much_a_try_does() {
    let mut console = Console::new().await;
    let rests =
        "UPDATE logins SET locked_until = clock_timestamp() + interval '1 day' WHERE email = 'viewer@ours.example'";
    console.execute(rests.to_owned()).await;
    let sent = Sent::default();
    let listens = tracing::Dispatch::new(tracing_subscriber::registry().with(sent.clone()));
    // While there is one listener alone, whether anybody listens to a statement is asked of the thread that meets it first,
    // which may be another test's.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let _listening = tracing::dispatcher::set_default(&listens);
    let mut did = Vec::new();
    // Known, unknown, one that rests; each once before, so that its source is known too.
    for account in ["sam@ours.example", "nobody@ours.example", "viewer@ours.example"] {
        for _ in 0..2 {
            sent.0.lock().unwrap().clear();
            assert_eq!(console.try_sign_in_from("192.0.2.9", account, "guess").await, StatusCode::UNPROCESSABLE_ENTITY);
        }
        // Which connection of the pool is taken is chance, and whether it was used before.
        let mut statements = sent.0.lock().unwrap().clone();
        statements.retain(|statement| !statement.contains("BEGIN; ROLLBACK"));
        did.push(statements);
    }
    assert!(
        did[0].iter().any(|statement| statement.contains("synchronous_commit")),
        "none waits for the disk: {did:?}"
    );
    assert_eq!(did[0], did[1]);
    assert_eq!(did[0], did[2]);
}
