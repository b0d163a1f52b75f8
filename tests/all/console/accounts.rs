//! What somebody who got at an account, or wants to, may not do with it.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use jiff::SignedDuration;
use sqlx::Connection as _;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use uuid::Uuid;

use super::people::encoded;
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
