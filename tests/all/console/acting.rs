//! Hands off, release, and the end of a quarantine.

use axum::http::{StatusCode, header};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::Console;

#[tokio::test]
async fn hands_off_takes_back_what_has_no_permit_and_a_release_looks_at_what_is_held() {
    let mut console = Console::new().await;
    console.run("admitted", "queued").await;
    let host = console.ours.host;
    let page = format!("/hosts/{host}");
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let say = |hours: u8| format!("csrf={csrf}&hours={hours}&reason=%20disks%20are%20swapped%20");
    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    let forbidden =
        console.post(&format!("{page}/hands-off"), &viewer, format!("csrf={viewers}&hours=4&reason=")).await;
    assert_eq!(forbidden.0, StatusCode::FORBIDDEN);
    assert_eq!(console.post(&format!("{page}/hands-off"), &cookie, say(5)).await.0, StatusCode::BAD_REQUEST);

    let (status, headers, _) = console.post(&format!("{page}/hands-off"), &cookie, say(4)).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, page.as_str()));
    let row = "hands_off WHERE reason = 'disks are swapped' AND started_by = 'A member' AND ends_at = started_at + interval '4 hours'";
    assert_eq!(console.count(row).await, 1);
    assert_eq!(console.count("jobs WHERE state = 'withdrawn'").await, 1);
    assert_eq!(console.count("runs WHERE state = 'held' AND hold_reason = 'hands off'").await, 1);
    assert_eq!(console.count("audit WHERE action = 'hands_off.start' AND actor LIKE 'member %'").await, 1);
    let (_, _, html) = console.get(&page, &cookie).await;
    assert!(html.contains("Hands off until") && html.contains("disks are swapped") && html.contains("Release now"));
    let (_, _, html) = console.get(&page, &viewer).await;
    assert!(html.contains("Hands off until") && !html.contains("Release now"));

    let remediate = engine::remediate::Remediate::default();
    engine::lease::run_until_idle(&console.store, &remediate, &CancellationToken::new()).await.unwrap();
    assert_eq!(console.count("runs WHERE state = 'held' AND due_at > clock_timestamp()").await, 1);
    let release = format!("{page}/release");
    assert_eq!(console.post(&release, &viewer, format!("csrf={viewers}")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.post(&release, &cookie, format!("csrf={csrf}")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("hands_off WHERE ended_by = 'A member'").await, 1);
    assert_eq!(console.count("audit WHERE action = 'hands_off.release' AND actor LIKE 'member %'").await, 1);
    engine::lease::run_until_idle(&console.store, &remediate, &CancellationToken::new()).await.unwrap();
    assert_eq!(console.count("runs WHERE state = 'held'").await, 0, "it was looked at again");
}

#[tokio::test]
async fn hands_off_ends_by_itself() {
    let console = Console::new().await;
    let page = format!("/hosts/{}", console.ours.host);
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let form = format!("csrf={csrf}&hours=1&reason=");
    assert_eq!(console.post(&format!("{page}/hands-off"), &cookie, form).await.0, StatusCode::SEE_OTHER);
    assert!(console.get(&page, &cookie).await.2.contains("no reason given"));
    console.clock.advance(SignedDuration::from_mins(61));
    assert!(!console.get(&page, &cookie).await.2.contains("no reason given"));
}

#[tokio::test]
async fn an_owner_says_that_a_quarantined_host_is_the_same_machine() {
    let mut console = Console::new().await;
    console.run("held", "").await;
    let (host, page) = (console.ours.host, format!("/hosts/{}", console.ours.host));
    let path = format!("{page}/same-machine");
    let (owner, owners) = console.seat("owner@ours.example").await;
    let form = format!("csrf={owners}");
    assert!(!console.get(&page, &owner).await.2.contains("It is the same machine"), "it is trusted");
    let (status, _, answer) = console.post(&path, &owner, form.clone()).await;
    assert!(status == StatusCode::CONFLICT && answer.contains(&page));

    console.execute(format!("UPDATE hosts SET state = 'quarantined', quarantined_at = clock_timestamp(), quarantine_reason = 'the agent''s journal is damaged', seen_fence = 7 WHERE host_id = '{host}'")).await;
    let (_, _, html) = console.get(&page, &owner).await;
    assert!(html.contains("journal is damaged. Nothing is sent to it") && html.contains("It is the same machine"));
    let (sam, sams) = console.seat("sam@ours.example").await;
    let (_, _, html) = console.get(&page, &sam).await;
    assert!(html.contains("An owner or an admin can say so.") && !html.contains("It is the same machine"));
    assert_eq!(console.post(&path, &sam, format!("csrf={sams}")).await.0, StatusCode::FORBIDDEN);

    assert_eq!(console.post(&path, &owner, form.clone()).await.0, StatusCode::SEE_OTHER);
    let trusted =
        "hosts WHERE state = 'trusted' AND seen_fence = 0 AND quarantine_reason IS NULL AND attested_at IS NOT NULL";
    assert_eq!(console.count(trusted).await, 1);
    let audit = "audit WHERE action = 'host.attested' AND actor LIKE 'member %' AND before->>'seen_fence' = '7' AND after->>'state' = 'trusted' AND request_id IS NOT NULL";
    assert_eq!(console.count(audit).await, 1);
    assert_eq!(console.count("runs WHERE state = 'held' AND due_at <= clock_timestamp()").await, 1);
    assert_eq!(console.count("tenant_wakeups WHERE queue = 'remediate' AND due_at <= clock_timestamp()").await, 1);
    let (status, ..) = console.post(&path, &owner, form).await;
    assert_eq!(status, StatusCode::CONFLICT, "once");
}
