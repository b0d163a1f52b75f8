//! The page of the limits: tightened at once, loosened by two people and in time.

use axum::http::{HeaderMap, StatusCode};
use domain::remediate::guardrails::BucketKind;
use engine::changes::Changes;
use engine::lease::run_until_idle;
use jiff::SignedDuration;
use store::remediate::guardrails;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Console;
use super::people::leads_to;

const PAGE: &str = "/settings/limits";

impl Console {
    async fn limit(&self, cookie: &str, limit: &str, form: &str) -> (StatusCode, HeaderMap, String) {
        self.click(cookie, PAGE, PAGE, &format!("&limit={limit}{form}")).await
    }

    /// Sets a limit and tells what came of it, as the page says it.
    async fn comes_of(&self, cookie: &str, limit: &str, form: &str) -> String {
        let (status, headers, page) = self.limit(cookie, limit, form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
        leads_to(&headers).trim_start_matches("/settings/limits?done=").to_owned()
    }

    /// What is set for every client's fixes at once.
    async fn in_flight(&self) -> Option<u32> {
        let mut tx = self.tx().await;
        let found = guardrails::find(&mut tx, BucketKind::Client, "*").await.unwrap();
        tx.rollback().await.unwrap();
        found.set.max_in_flight
    }

    /// The changes whose time has come.
    pub(super) async fn changes_pass(&self) {
        run_until_idle(&self.store, &Changes, &CancellationToken::new()).await.unwrap();
    }

    pub(super) async fn change_id(&mut self) -> Uuid {
        let sql = "SELECT change_id FROM proposed_changes WHERE state IN ('proposed', 'confirmed')";
        sqlx::query_scalar(sql).fetch_one(&mut self.rows).await.unwrap()
    }
}

#[tokio::test]
async fn a_limit_is_tightened_at_once_and_loosened_by_a_second_person_in_time() {
    let mut console = Console::new().await;
    let tenant = console.ours.tenant;
    // Two owners, so that the delay is the short one; one of them is not the author.
    console
        .execute(format!("UPDATE memberships SET role = 'owner' WHERE tenant_id = '{tenant}' AND role = 'viewer'"))
        .await;
    let (owner, second) = (console.sign_in("owner@ours.example").await, console.sign_in("viewer@ours.example").await);

    assert_eq!(console.comes_of(&owner, "client.in_flight", "&count=4").await, "set", "nothing was limited before");
    assert_eq!(console.in_flight().await, Some(4));
    assert_eq!(console.comes_of(&owner, "client.in_flight", "&count=2").await, "set");
    assert_eq!(console.in_flight().await, Some(2));
    assert_eq!(console.comes_of(&owner, "client.in_flight", "&count=2").await, "same");
    assert_eq!(console.count("tenant_audit WHERE action = 'limit.tightened'").await, 2);
    let (_, _, page) = console.get("/guardrails", &owner).await;
    assert!(!page.contains("waits for a second person"));

    // What loosens says why, and changes nothing yet.
    let (status, _, page) = console.limit(&owner, "client.in_flight", "&count=3&why=+").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("say why, for the second person"), "{status}");
    assert_eq!(console.count("proposed_changes").await, 0);
    assert_eq!(console.comes_of(&owner, "client.in_flight", "&count=3&why=More+hosts").await, "proposed");
    assert_eq!(console.comes_of(&owner, "client.in_flight", "&count=3&why=More+hosts").await, "waits");
    assert_eq!(console.in_flight().await, Some(2));
    let (_, _, page) = console.get(PAGE, &owner).await;
    assert!(page.contains("3 waits for a second person"));

    // Its author is no second person.
    let id = console.change_id().await;
    let path = format!("/changes/{id}");
    let (status, ..) = console.click(&owner, "/changes", &path, "&answer=yes").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (_, _, page) = console.get("/changes", &second).await;
    assert!(page.contains("Client: runs at once") && page.contains("“More hosts”"), "{page}");
    console.clock.advance(SignedDuration::from_mins(11));
    let (status, _, page) = console.click(&second, "/changes", &path, "&answer=yes").await;
    assert!(status == StatusCode::PRECONDITION_REQUIRED && page.contains("/confirm?next=/changes"), "proven first");
    let second = console.sign_in("viewer@ours.example").await;
    assert_eq!(console.click(&second, "/changes", &path, "&answer=yes").await.0, StatusCode::SEE_OTHER);
    console.changes_pass().await;
    assert_eq!(console.in_flight().await, Some(2), "its time has not come");
    assert!(console.get(PAGE, &owner).await.2.contains("3 is confirmed and waits for its time"));
    console.clock.advance(SignedDuration::from_mins(29));
    console.changes_pass().await;
    assert_eq!(console.in_flight().await, Some(2));
    console.clock.advance(SignedDuration::from_mins(2));
    console.changes_pass().await;
    assert_eq!(console.in_flight().await, Some(3));
    let told = "tenant_audit WHERE action IN ('change.proposed', 'change.confirmed', 'change.applied')";
    assert_eq!(console.count(told).await, 3);
}

#[tokio::test]
async fn what_was_confirmed_is_taken_back_by_anybody_who_may_confirm_it_until_it_holds() {
    let mut console = Console::new().await;
    let tenant = console.ours.tenant;
    console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND role = 'viewer'"))
        .await;
    let (owner, admin) = (console.sign_in("owner@ours.example").await, console.sign_in("viewer@ours.example").await);
    console.comes_of(&owner, "client.in_flight", "&count=1").await;
    // Back to no number at all is the loosest there is.
    assert_eq!(console.comes_of(&admin, "client.in_flight", "&count=&why=No+need").await, "proposed");
    let path = format!("/changes/{}", console.change_id().await);
    assert_eq!(console.click(&owner, "/changes", &path, "&answer=yes").await.0, StatusCode::SEE_OTHER);
    console.clock.advance(SignedDuration::from_hours(23));
    console.changes_pass().await;
    assert_eq!(console.in_flight().await, Some(1), "one person alone owns it: a day");
    let admin = console.sign_in("viewer@ours.example").await;
    assert_eq!(console.click(&admin, "/changes", &path, "&answer=no").await.0, StatusCode::SEE_OTHER);
    console.clock.advance(SignedDuration::from_hours(2));
    console.changes_pass().await;
    assert_eq!(console.in_flight().await, Some(1));
    assert_eq!(console.count("proposed_changes WHERE state = 'rejected'").await, 1);
}

#[tokio::test]
async fn tightening_is_open_to_whoever_is_signed_in_and_loosening_is_proven_first() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    console.comes_of(&owner, "tenant.runs_per_window", "&count=4&secs=600").await;
    console.clock.advance(SignedDuration::from_mins(11));
    let (status, _, page) = console.limit(&owner, "tenant.runs_per_window", "&count=5&secs=600&why=x").await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
    assert!(page.contains("/confirm?next=/settings/limits"));
    assert_eq!(console.comes_of(&owner, "tenant.runs_per_window", "&count=3&secs=600").await, "set");
    for (limit, form, why) in [
        ("tenant.runs_per_window", "&count=0&secs=600", "whole number from 1"),
        ("tenant.runs_per_window", "&count=5&secs=", "A window has"),
        ("host_playbook.cooldown_secs", "&secs=x", "whole number of seconds"),
    ] {
        let (status, _, page) = console.limit(&owner, limit, form).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains(why), "{form}: {status}");
    }
    assert_eq!(console.limit(&owner, "tenant.everything", "&count=1").await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.count("proposed_changes").await, 0);
}
