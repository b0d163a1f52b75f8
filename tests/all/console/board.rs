//! The board: what needs somebody, what did not run, whether we look, what was fixed.

use axum::http::StatusCode;
use jiff::SignedDuration;

use super::{Console, Organization};

/// The part of the page under a heading.
fn section<'a>(html: &'a str, id: &str) -> &'a str {
    let (_, rest) = html.split_once(&format!("aria-labelledby=\"{id}\"")).unwrap();
    rest.split("</section>").next().unwrap()
}

#[tokio::test]
async fn what_needs_a_person_says_why_and_who_was_told() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let (status, _, html) = console.get("/", &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert!(section(&html, "needs").contains("nothing") && html.contains("aria-current=\"page\""));

    let Organization { tenant, client, incident, .. } = console.ours;
    console.execute("UPDATE incidents SET state = 'escalated', escalated_at = clock_timestamp() - interval '2 h', escalation_reason = 'No known fix.'".to_owned()).await;
    let (_, _, html) = console.get("/", &cookie).await;
    let needs = section(&html, "needs");
    assert!(html.contains("One thing needs you") && needs.contains("No known fix · nobody was told"));
    assert!(needs.contains("Ours client") && needs.contains("2\u{a0}h") && !html.contains("Theirs"), "{needs}");
    assert!(section(&html, "clients").contains("1 needs you"));

    console.execute(format!(
        "INSERT INTO outbox (tenant_id, client_id, outbox_id, incident_id, kind, message_id, address, state, created_at, ended_at)
         VALUES ('{tenant}', '{client}', '{incident}', '{incident}', 'needs_you', 'm', 'desk@ours.example', 'failed', clock_timestamp(), clock_timestamp())"
    ))
    .await;
    let (_, _, html) = console.get("/", &cookie).await;
    assert!(section(&html, "needs").contains("the mail to desk@ours.example was not delivered"));
    assert!(section(&html, "watching").contains("Not delivered"));
    console
        .execute("UPDATE outbox SET state = 'sent', sender = '', subject = '', html = '', body_text = ''".to_owned())
        .await;
    let (_, _, html) = console.get("/", &cookie).await;
    assert!(section(&html, "needs").contains("desk@ours.example told "));
}

#[tokio::test]
async fn what_wanted_to_act_says_what_held_it() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let (_, _, html) = console.get("/", &cookie).await;
    assert!(section(&html, "unrun").contains("nothing stands against one"));
    let run = console.run("held", "").await;
    let Organization { tenant, host, .. } = console.ours;
    console.execute(format!("INSERT INTO breakers (tenant_id, scope_kind, scope_key, state, changed_at) VALUES ('{tenant}', 'host', '{host}', 'open', clock_timestamp())")).await;
    let (_, _, html) = console.get("/", &cookie).await;
    let unrun = section(&html, "unrun");
    assert!(unrun.contains("held: something") && unrun.contains("“restart” on Ours-host"), "{unrun}");
    assert!(unrun.contains("<b>Breaker</b> · Ours-host at Ours client"));

    console.execute(format!("UPDATE runs SET state = 'expired', mode = 'approve', due_at = NULL, hold_reason = NULL, end_reason = 'nobody answered', ended_at = clock_timestamp() WHERE run_id = '{run}'")).await;
    let (_, _, html) = console.get("/", &cookie).await;
    let unrun = section(&html, "unrun");
    assert!(unrun.contains("Approval lapsed") && unrun.contains("nobody answered"));
    console.clock.advance(SignedDuration::from_hours(7));
    let (_, _, html) = console.get("/", &console.sign_in("viewer@ours.example").await).await;
    assert!(section(&html, "unrun").contains("Approval lapsed"));
    console.clock.advance(SignedDuration::from_hours(18));
    let (_, _, html) = console.get("/", &console.sign_in("viewer@ours.example").await).await;
    assert!(!section(&html, "unrun").contains("Approval lapsed"), "a day later it is no news");
}

#[tokio::test]
async fn a_quiet_night_is_not_the_same_as_a_blind_one() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let (_, _, html) = console.get("/", &cookie).await;
    assert!(html.contains("Nothing is seen: no agent is linked") && section(&html, "watching").contains("Never heard"));
    let Organization { tenant, client, host, .. } = console.ours;
    let node = store::Store::new_id();
    store::nodes::insert(&console.store, node).await.unwrap();
    console.execute(format!(
        "INSERT INTO host_links (tenant_id, host_id, client_id, node_id, epoch, linked_at) VALUES ('{tenant}', '{host}', '{client}', '{node}', 1, clock_timestamp())
           ON CONFLICT (tenant_id, host_id) DO UPDATE SET node_id = excluded.node_id, epoch = 1, unlinked_at = NULL"
    ))
    .await;
    let (_, _, html) = console.get("/", &cookie).await;
    assert!(html.contains("Nothing needs you") && section(&html, "watching").contains("every agent is linked"));
    console.clock.advance(SignedDuration::from_secs(60));
    let (_, _, html) = console.get("/", &cookie).await;
    let watching = section(&html, "watching");
    assert!(watching.contains("blind") && watching.contains("Ours-host</a> for"), "a dead node hears nobody");
}

#[tokio::test]
async fn what_came_back_stands_before_what_stayed_fixed() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let first = console.run("held", "").await;
    console.run("held", "").await;
    console.execute(format!("UPDATE remediations SET outcome = 'fixed', closed_at = clock_timestamp() - CASE WHEN remediation_id = '{first}' THEN interval '2 h' ELSE interval '1 h' END, opened_at = clock_timestamp() - interval '3 h'")).await;
    let (_, _, html) = console.get("/", &cookie).await;
    assert!(html.contains("2 fixed and verified in 24 hours") && !html.contains("came back"));
    console
        .execute(format!("UPDATE remediations SET relapsed_at = clock_timestamp() WHERE remediation_id = '{first}'"))
        .await;
    let (_, _, html) = console.get("/", &cookie).await;
    let fixed = section(&html, "fixed");
    assert_eq!(fixed.matches("<li>").count(), 2);
    assert!(fixed.split("<li>").nth(1).unwrap().contains("came back"), "{fixed}");
}
