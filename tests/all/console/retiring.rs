//! Hosts that are cut off.

use axum::http::{StatusCode, header};
use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Console, Organization};

#[tokio::test]
async fn a_host_that_is_retired_opens_nothing_and_what_was_open_about_it_ends() {
    let mut console = Console::new().await;
    console.run("admitted", "queued").await;
    let Organization { tenant, client, host, .. } = console.ours;
    console.interlock(Uuid::from_u128(7)).await;
    console
        .execute(format!(
            "INSERT INTO breakers (tenant_id, scope_kind, scope_key, state, changed_at) VALUES ('{tenant}', 'host', '{host}', 'open', clock_timestamp())"
        ))
        .await;
    console
        .execute(format!(
            "INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id) VALUES ('{tenant}', 'host_key', uuid_send('{host}'), '{host}')"
        ))
        .await;
    let (page, retire) = (format!("/hosts/{host}"), format!("/hosts/{host}/retire"));
    let (sam, sams) = console.seat("sam@ours.example").await;
    assert!(!console.get(&page, &sam).await.2.contains("Yes, retire it"), "a technician is not offered it");
    assert_eq!(console.post(&retire, &sam, format!("csrf={sams}")).await.0, StatusCode::FORBIDDEN);
    let (owner, owners) = console.seat("owner@ours.example").await;
    console.clock.advance(SignedDuration::from_mins(11));
    let form = format!("csrf={owners}");
    let (status, ..) = console.post(&retire, &owner, form).await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED, "it was proven too long ago");
    assert_eq!(console.count("hosts WHERE state = 'retired'").await, 0);

    let (owner, owners) = console.seat("owner@ours.example").await;
    assert!(console.get(&page, &owner).await.2.contains("Yes, retire it"));
    let form = format!("csrf={owners}");
    let (status, headers, _) = console.post(&retire, &owner, form.clone()).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/hosts"));
    for (rows, expected) in [
        (format!("hosts WHERE host_id = '{host}' AND state = 'retired' AND name = 'Ours-host (retired {host})'"), 1),
        (format!("credentials WHERE subject_id = '{host}' AND revoked_at IS NULL"), 0),
        (format!("check_states WHERE host_id = '{host}'"), 0),
        (format!("alerts WHERE host_id = '{host}' AND close_cause = 'by_person'"), 1),
        (format!("incidents WHERE tenant_id = '{tenant}' AND outcome = 'by_person'"), 1),
        ("jobs WHERE state = 'withdrawn'".to_owned(), 1),
        ("interlocks WHERE ended_by = 'the host was retired'".to_owned(), 1),
        ("breakers".to_owned(), 0),
        ("runs WHERE state = 'cancelled' AND end_reason = 'the host was retired'".to_owned(), 1),
        ("remediations WHERE outcome = 'cancelled'".to_owned(), 1),
        (
            "audit WHERE action = 'host.retired' AND detail->>'name' = 'Ours-host' AND actor LIKE 'member %'"
                .to_owned(),
            1,
        ),
        // The other organization's host is as it was.
        ("hosts WHERE state = 'trusted'".to_owned(), 1),
        ("incidents WHERE state = 'open'".to_owned(), 1),
    ] {
        assert_eq!(console.count(&rows).await, expected, "{rows}");
    }
    let remediate = engine::remediate::Remediate::default();
    engine::lease::run_until_idle(&console.store, &remediate, &CancellationToken::new()).await.unwrap();
    assert_eq!(console.count("guardrail_admissions WHERE released_at IS NULL").await, 0, "its slots are given back");
    assert_eq!(console.get(&page, &owner).await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.post(&retire, &owner, form.clone()).await.0, StatusCode::NOT_FOUND, "once");
    // Nothing is stopped there any more: it would stand in the list of stops, for a host that nobody finds.
    let hands_off = format!("/hosts/{host}/hands-off");
    let status = console.post(&hands_off, &owner, format!("{form}&hours=1&reason=x")).await.0;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, token) = console.token("owner@ours.example", &["work"], &[]).await;
    let hours = Some(json!({ "hours": 1 }));
    assert_eq!(console.api("POST", &format!("/api/v1{hands_off}"), &token, &[], hours).await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.count("hands_off").await, 0);
    console
        .execute(format!(
            "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at)
               VALUES ('{tenant}', '{client}', gen_random_uuid(), 'Ours-host', '\\x0a', 'trusted', clock_timestamp())"
        ))
        .await;
}

#[tokio::test]
async fn no_host_is_retired_while_a_fix_is_at_work_there() {
    let mut console = Console::new().await;
    let run = console.run("running", "permitted").await;
    let retire = format!("/hosts/{}/retire", console.ours.host);
    let (owner, owners) = console.seat("owner@ours.example").await;
    let (_, token) = console.token("owner@ours.example", &["trust"], &[]).await;
    for ends in [None, Some("unknown")] {
        if let Some(state) = ends {
            console.execute(format!("UPDATE jobs SET state = '{state}' WHERE run_id = '{run}'")).await;
            console.execute(format!("UPDATE runs SET state = '{state}' WHERE run_id = '{run}'")).await;
        }
        let (status, _, html) = console.post(&retire, &owner, format!("csrf={owners}")).await;
        assert!(status == StatusCode::CONFLICT && html.contains("A fix is at work on this host"), "{status}: {html}");
        let (status, _, said) = console.api("POST", &format!("/api/v1{retire}"), &token, &[], Some(json!({}))).await;
        assert!(status == StatusCode::CONFLICT && said.to_string().contains("A fix is at work on this host"), "{said}");
    }
    assert_eq!(console.count("hosts WHERE state = 'trusted'").await, 2);
    assert_eq!(console.count("audit WHERE action = 'host.retired'").await, 0);
    // A person says how it ended.
    console
        .execute(format!(
            "UPDATE jobs SET state = 'finished', ended_at = clock_timestamp() WHERE run_id = '{run}';
             UPDATE runs SET state = 'not_run', ended_at = clock_timestamp() WHERE run_id = '{run}'"
        ))
        .await;
    let (status, _, said) = console.api("POST", &format!("/api/v1{retire}"), &token, &[], Some(json!({}))).await;
    assert_eq!((status, said), (StatusCode::OK, json!({ "changed": true })));
    let (status, _, said) = console.api("POST", &format!("/api/v1{retire}"), &token, &[], Some(json!({}))).await;
    assert_eq!((status, said), (StatusCode::OK, json!({ "changed": false })));
    assert_eq!(console.count("audit WHERE action = 'host.retired'").await, 1);
}
