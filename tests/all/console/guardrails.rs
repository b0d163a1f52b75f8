//! The kill switch, hands off on a client, interlocks and breakers, on their page.

use axum::http::StatusCode;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Console;

#[tokio::test]
async fn a_technician_stops_a_client_at_once_and_an_owner_lets_it_act_again() {
    let mut console = Console::new().await;
    console.run("admitted", "queued").await;
    let page = format!("/guardrails/{}", console.ours.client);
    let (stop, go) = (format!("{page}/stop"), format!("{page}/go"));
    let (sam, sams) = console.seat("sam@ours.example").await;
    let (owner, owners) = console.seat("owner@ours.example").await;
    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    let say = |csrf: &str, reason: &str| format!("csrf={csrf}&reason={reason}");

    assert_eq!(console.post(&stop, &viewer, say(&viewers, "no")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.post(&stop, &sam, say(&sams, "++")).await.0, StatusCode::BAD_REQUEST, "a stop says why");
    assert_eq!(console.count("guardrail_buckets WHERE frozen").await, 0);
    let (_, _, html) = console.get(&page, &sam).await;
    assert!(html.contains("Stop all actions here") && html.contains("1 fix that waits is held"), "{html}");
    assert_eq!(console.post(&stop, &sam, say(&sams, "restarts+make+it+worse")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("jobs WHERE state = 'withdrawn'").await, 1);
    let row = "guardrail_buckets WHERE frozen AND scope_kind = 'client' AND frozen_by = 'A member' AND frozen_why = 'restarts make it worse'";
    assert_eq!(console.count(row).await, 1);
    assert_eq!(console.count("audit WHERE action = 'freeze.set' AND actor LIKE 'member %'").await, 1);
    let remediate = engine::remediate::Remediate::default();
    engine::lease::run_until_idle(&console.store, &remediate, &CancellationToken::new()).await.unwrap();
    assert_eq!(console.count("runs WHERE state = 'held'").await, 1);

    let (_, _, html) = console.get(&page, &sam).await;
    assert!(html.contains("all actions are stopped") && html.contains("restarts make it worse"));
    assert!(!html.contains("Let it act again") && html.contains("An owner or an admin"));
    let (_, _, html) = console.get("/guardrails", &viewer).await;
    assert!(html.contains("Stopped") && !html.contains("Stop all actions…"));
    assert_eq!(console.post(&go, &sam, format!("csrf={sams}")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.post(&go, &owner, format!("csrf={owners}")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("guardrail_buckets WHERE frozen").await, 0);
    engine::lease::run_until_idle(&console.store, &remediate, &CancellationToken::new()).await.unwrap();
    assert_eq!(console.count("runs WHERE state = 'held'").await, 0, "it was looked at again");
}

#[tokio::test]
async fn the_kill_switch_of_the_organization_is_told_on_every_page() {
    let mut console = Console::new().await;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    let form = format!("csrf={csrf}&reason=an+attack");
    assert_eq!(console.post("/guardrails/stop", &owner, form.clone()).await.0, StatusCode::SEE_OTHER);
    let (_, _, html) = console.get("/hosts", &owner).await;
    assert!(html.contains("All actions stopped"));
    let (_, _, html) = console.get(&format!("/guardrails/{}", console.ours.client), &owner).await;
    assert!(html.contains("Stopped with everything else") && !html.contains("Stop all actions here"));
    assert_eq!(console.post("/guardrails/stop", &owner, form).await.0, StatusCode::SEE_OTHER, "twice is once");
    assert_eq!(console.count("tenant_audit WHERE action = 'freeze.set'").await, 1);
    assert_eq!(console.post("/guardrails/go", &owner, format!("csrf={csrf}")).await.0, StatusCode::SEE_OTHER);
    let (_, _, html) = console.get("/guardrails", &owner).await;
    assert!(html.contains("Acting normally") && html.contains("Stop all actions…"));
}

#[tokio::test]
async fn hands_off_on_a_client_begins_and_ends_on_its_page() {
    let mut console = Console::new().await;
    let page = format!("/guardrails/{}", console.ours.client);
    let (sam, csrf) = console.seat("sam@ours.example").await;
    let say = |hours: u8| format!("csrf={csrf}&hours={hours}&reason=racks");
    assert_eq!(console.post(&format!("{page}/hands-off"), &sam, say(3)).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(console.post(&format!("{page}/hands-off"), &sam, say(4)).await.0, StatusCode::SEE_OTHER);
    let (_, _, html) = console.get(&page, &sam).await;
    assert!(html.contains("Hands off: Ours client") && html.contains("A member: racks"), "{html}");
    assert_eq!(console.post(&format!("{page}/hands-on"), &sam, format!("csrf={csrf}")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("hands_off WHERE ended_by = 'A member'").await, 1);
    let (_, _, html) = console.get(&page, &sam).await;
    assert!(!html.contains("Hands off: "));
}

#[tokio::test]
async fn an_owner_who_has_looked_closes_a_breaker_and_ends_an_interlock() {
    let mut console = Console::new().await;
    let (tenant, host, id) = (console.ours.tenant, console.ours.host, console.ours.incident);
    console
        .execute(format!(
            "INSERT INTO breakers (tenant_id, scope_kind, scope_key, state, changed_at, reopened_count)
             VALUES ('{tenant}', 'host', '{host}', 'open', clock_timestamp(), 2)"
        ))
        .await;
    console.interlock(id).await;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    let (sam, sams) = console.seat("sam@ours.example").await;
    let (_, _, html) = console.get("/guardrails", &owner).await;
    assert!(html.contains("Breaker: Ours-host at Ours client, every fix"), "{html}");
    assert!(html.contains("opened again 2 times") && html.contains("Interlock: Ours-host at Ours client"), "{html}");
    let close = |csrf: &str, why: &str| format!("csrf={csrf}&breaker=host%3A{host}&reason={why}");
    let send = |cookie: String, form: String| (cookie, form);
    for ((cookie, form), status) in [
        (send(sam.clone(), close(&sams, "x")), StatusCode::FORBIDDEN),
        (send(owner.clone(), close(&csrf, "+")), StatusCode::BAD_REQUEST),
        (send(owner.clone(), format!("csrf={csrf}&breaker=nonsense&reason=x")), StatusCode::BAD_REQUEST),
        (send(owner.clone(), close(&csrf, "a+wrong+setting")), StatusCode::SEE_OTHER),
    ] {
        assert_eq!(console.post("/guardrails/breaker", &cookie, form).await.0, status);
    }
    assert_eq!(console.count("breakers WHERE state = 'closed'").await, 1);
    assert_eq!(console.count("tenant_audit WHERE action = 'breaker.closed_by_person'").await, 1);
    let end = format!("/guardrails/interlocks/{id}/release");
    assert_eq!(console.post(&end, &sam, format!("csrf={sams}")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.post(&end, &owner, format!("csrf={csrf}")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("interlocks WHERE ended_by <> ''").await, 1);
    let (_, _, html) = console.get("/guardrails", &owner).await;
    assert!(html.contains("Nothing: no hands off, no interlock, no maintenance, no open breaker"), "{html}");
}

#[tokio::test]
async fn what_is_stopped_at_a_client_is_told_to_those_alone_who_see_it() {
    let mut console = Console::new().await;
    let (tenant, client, other) = (console.ours.tenant, console.ours.client, Uuid::from_u128(77));
    console
        .execute(format!(
            "INSERT INTO clients (tenant_id, client_id, name, time_zone, created_at) VALUES ('{tenant}', '{other}', 'Birch', 'UTC', now());
             UPDATE memberships SET client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND email = 'sam@ours.example'"
        ))
        .await;
    let owner = console.sign_in("owner@ours.example").await;
    for (client, why) in [(other, "canary"), (client, "harmless")] {
        let form = format!("&reason={why}");
        let (status, ..) = console.click(&owner, "/guardrails", &format!("/guardrails/{client}/stop"), &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
    }
    let sam = console.sign_in("sam@ours.example").await;
    let (_, of_owner) = console.token("owner@ours.example", &["read"], &[]).await;
    let (_, of_sam) = console.token("sam@ours.example", &["read"], &[]).await;
    let asks = async |token: &str| console.api("GET", "/api/v1/guardrails", token, &[], None).await.2.to_string();
    let all = asks(&of_owner).await;
    assert!(all.contains("canary") && all.contains("harmless"), "{all}");
    for told in [asks(&of_sam).await, console.get("/guardrails", &sam).await.2] {
        assert!(told.contains("harmless") && !told.contains("canary") && !told.contains(&other.to_string()), "{told}");
    }
}
