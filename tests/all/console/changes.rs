//! The second person's word on what loosens, on the page.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;
use store::changes::{self, NewChange, Subject, mode_value};
use uuid::Uuid;

use super::Console;

impl Console {
    /// The mapping of ours, observed, and what the owner proposes for it.
    async fn proposal(&mut self, author: &str) -> Uuid {
        let tenant = self.ours.tenant;
        let mapping: Uuid = self.one(&format!("SELECT mapping_id FROM mappings WHERE tenant_id = '{tenant}'")).await;
        self.execute(format!("UPDATE mapping_versions SET mode = 'approve' WHERE mapping_id = '{mapping}'")).await;
        let author: Uuid = self.one(&format!("SELECT login_id FROM logins WHERE email = '{author}'")).await;
        let mut tx = self.tx().await;
        let new = NewChange {
            subject: Subject::Mode(mapping),
            name: "web",
            was: mode_value(1, "approve"),
            wanted: json!({"mode": "auto"}),
            why: "",
            by: "Whoever",
            login_id: Some(author),
        };
        assert!(changes::propose(&mut tx, &new).await.unwrap());
        tx.commit().await.unwrap();
        self.one("SELECT change_id FROM proposed_changes ORDER BY proposed_at DESC, change_id DESC LIMIT 1").await
    }

    async fn one<T>(&mut self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.rows).await.unwrap()
    }
}

#[tokio::test]
async fn somebody_else_than_its_author_confirms_a_change_and_it_waits_for_its_time() {
    let mut console = Console::new().await;
    let tenant = console.ours.tenant;
    let change = console.proposal("owner@ours.example").await;
    let path = format!("/changes/{change}");
    let (author, csrf) = console.seat("owner@ours.example").await;
    let form = |csrf: &str, answer: &str| format!("csrf={csrf}&answer={answer}&reason=known");

    let (_, _, page) = console.get("/changes", &author).await;
    assert!(page.contains("1 change waits") && page.contains("somebody else confirms it"), "{page}");
    assert!(!page.contains("value=\"yes\""), "nobody is asked about their own");
    assert_eq!(console.post(&path, &author, form(&csrf, "yes")).await.0, StatusCode::FORBIDDEN);
    let (technician, sams) = console.seat("sam@ours.example").await;
    assert_eq!(console.post(&path, &technician, form(&sams, "yes")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.count("proposed_changes WHERE state = 'proposed'").await, 1);

    // Sam is an admin from now on.
    console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND role = 'technician'"))
        .await;
    let (_, _, page) = console.get("/changes", &technician).await;
    assert!(page.contains("ask first → fixes by itself") && page.contains("value=\"yes\""), "{page}");
    assert_eq!(console.post(&path, &technician, form(&sams, "perhaps")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(console.post(&path, &technician, form(&sams, "yes")).await.0, StatusCode::SEE_OTHER);
    // One person alone owns it: a day.
    let waits: i64 = console.one("SELECT extract(epoch FROM due_at - answered_at)::bigint FROM proposed_changes").await;
    assert_eq!(waits, 24 * 3600);
    assert_eq!(console.count("proposed_changes WHERE state = 'confirmed' AND reason = 'known'").await, 1);
    assert_eq!(console.count("mapping_versions WHERE mode = 'auto' AND version = 2").await, 0);
    assert_eq!(console.post(&path, &technician, form(&sams, "yes")).await.0, StatusCode::CONFLICT);
    // Until then its author, too, may take it back.
    assert_eq!(console.post(&path, &author, form(&csrf, "no")).await.0, StatusCode::SEE_OTHER);
    let (_, _, page) = console.get("/changes", &author).await;
    assert!(page.contains("No change waits") && page.contains("rejected by owner"), "{page}");
}

#[tokio::test]
async fn a_yes_to_what_was_changed_meanwhile_ends_the_change() {
    let mut console = Console::new().await;
    let change = console.proposal("sam@ours.example").await;
    console.execute("UPDATE mapping_versions SET mode = 'observe'".to_owned()).await;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    let path = format!("/changes/{change}");
    assert_eq!(console.post(&path, &owner, format!("csrf={csrf}&answer=yes")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("proposed_changes WHERE state = 'stale'").await, 1);
    let (_, _, page) = console.get("/changes", &owner).await;
    assert!(page.contains("was changed meanwhile"), "{page}");
}

#[tokio::test]
async fn two_owners_wait_half_an_hour() {
    let mut console = Console::new().await;
    let tenant = console.ours.tenant;
    let change = console.proposal("sam@ours.example").await;
    console
        .execute(format!("UPDATE memberships SET role = 'owner' WHERE tenant_id = '{tenant}' AND role = 'technician'"))
        .await;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    console.post(&format!("/changes/{change}"), &owner, format!("csrf={csrf}&answer=yes")).await;
    let waits: i64 = console.one("SELECT extract(epoch FROM due_at - answered_at)::bigint FROM proposed_changes").await;
    assert_eq!(waits, 1800);
}

#[tokio::test]
async fn what_was_confirmed_takes_effect_only_while_whoever_asked_for_it_and_said_yes_may_do_so() {
    let mut console = Console::new().await;
    let tenant = console.ours.tenant;
    let role = |name: &str, role: &str| {
        format!("UPDATE memberships SET role = '{role}' WHERE tenant_id = '{tenant}' AND name = '{name}'")
    };
    console.execute(format!("{}; {}", role("viewer", "owner"), role("A member", "admin"))).await;
    // Their seats are changed behind everybody's back: what is looked at is how they are when the time has come.
    for (whose, had, why) in [
        ("viewer", "owner", "whoever said yes may not say it any more"),
        ("A member", "admin", "whoever proposed it may not propose it any more"),
    ] {
        let change = console.proposal("sam@ours.example").await;
        let second = console.sign_in("viewer@ours.example").await;
        let (status, ..) = console.click(&second, "/changes", &format!("/changes/{change}"), "&answer=yes").await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        console.execute(role(whose, "technician")).await;
        console.clock.advance(SignedDuration::from_mins(31));
        console.changes_pass().await;
        let ended =
            format!("proposed_changes WHERE change_id = '{change}' AND state = 'stale' AND end_reason = '{why}'");
        assert_eq!(console.count(&ended).await, 1, "{why}");
        let told = format!("tenant_audit WHERE action = 'change.stale' AND detail->>'why' = '{why}'");
        assert_eq!(console.count(&told).await, 1, "{why}");
        assert_eq!(console.count("mapping_versions WHERE mode = 'auto' AND version = 2").await, 0);
        console.execute(role(whose, had)).await;
        let (_, _, page) = console.get("/changes", &second).await;
        assert!(page.contains(why), "{page}");
    }
}

#[tokio::test]
async fn who_is_removed_or_demoted_leaves_nothing_behind_that_they_proposed_or_said_yes_to() {
    let mut console = Console::new().await;
    let (tenant, sam) = (console.ours.tenant, console.ours.technician);
    console
        .execute(format!(
            "UPDATE memberships SET role = 'owner' WHERE tenant_id = '{tenant}' AND role = 'viewer';
             UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND role = 'technician'"
        ))
        .await;
    let viewer: Uuid = console.one("SELECT login_id FROM logins WHERE email = 'viewer@ours.example'").await;
    let owner = console.sign_in("owner@ours.example").await;
    let of = |change: Uuid, state: &str| format!("proposed_changes WHERE change_id = '{change}' AND state = '{state}'");

    let change = console.proposal("owner@ours.example").await;
    let second = console.sign_in("viewer@ours.example").await;
    let (status, ..) = console.click(&second, "/changes", &format!("/changes/{change}"), "&answer=yes").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    // Who still may is asked nothing.
    let path = format!("/settings/people/{viewer}");
    let (status, ..) = console.click(&owner, "/settings/people", &path, "&role=admin&sees=all").await;
    assert_eq!((status, console.count(&of(change, "confirmed")).await), (StatusCode::SEE_OTHER, 1));
    let (status, ..) = console.click(&owner, "/settings/people", &path, "&role=technician&sees=all").await;
    assert_eq!((status, console.count(&of(change, "stale")).await), (StatusCode::SEE_OTHER, 1));

    let change = console.proposal("sam@ours.example").await;
    let (status, ..) = console.click(&owner, "/settings/people", &format!("/settings/people/{sam}/remove"), "").await;
    assert_eq!((status, console.count(&of(change, "stale")).await), (StatusCode::SEE_OTHER, 1));
    let (_, _, page) = console.get("/changes", &owner).await;
    assert!(page.contains("whoever proposed it may not propose it any more"), "{page}");
}
