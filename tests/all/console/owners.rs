//! Who has an incident; and how days and nights went.

use axum::http::StatusCode;

use super::{Console, Organization};

#[tokio::test]
async fn who_takes_an_incident_has_it_and_nothing_acts_on_its_host() {
    let mut console = Console::new().await;
    let incident = console.ours.incident;
    console
        .execute(
            "UPDATE incidents SET state = 'escalated', escalated_at = opened_at, escalation_reason = 'x'".to_owned(),
        )
        .await;
    let page = format!("/incidents/{incident}");
    let (path, form) = (format!("{page}/owner"), |csrf: &str, answer: &str| format!("csrf={csrf}&answer={answer}"));
    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    assert_eq!(console.post(&path, &viewer, form(&viewers, "take")).await.0, StatusCode::FORBIDDEN);
    let (sam, sams) = console.seat("sam@ours.example").await;
    assert_eq!(console.post(&path, &sam, form(&sams, "steal")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(console.post(&path, &sam, form(&sams, "acknowledge")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("hands_off").await, 0, "who has seen it stops nothing");
    assert!(console.get(&page, &sam).await.2.contains("you have it"));
    let board = console.get("/", &viewer).await.2;
    assert!(board.contains("<b>A member</b> has it since"), "{board}");
    let (owner, owners) = console.seat("owner@ours.example").await;
    assert_eq!(console.post(&path, &owner, form(&owners, "take")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("hands_off WHERE scope_kind = 'host' AND ended_at IS NULL").await, 1);
    assert!(console.get("/incidents", &viewer).await.2.contains("owner has it"));
    assert!(console.get(&page, &sam).await.2.contains("<b>owner</b> has it"));
    assert_eq!(console.post(&path, &owner, form(&owners, "give_back")).await.0, StatusCode::SEE_OTHER);
    assert!(!console.get(&page, &sam).await.2.contains("has it"));
    assert_eq!(
        console.count("audit WHERE action IN ('incident.acknowledged', 'incident.taken', 'incident.given_back')").await,
        3
    );
}

#[tokio::test]
async fn many_are_taken_at_once_and_what_closed_meanwhile_is_nobodys() {
    let mut console = Console::new().await;
    let Organization { tenant, client, incident, .. } = console.ours;
    let second = uuid::Uuid::from_u128(71);
    console.execute(format!(
        "INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at, closed_at, outcome)
           VALUES ('{tenant}', '{client}', '{second}', 'x', 'warning', 'closed', clock_timestamp(), clock_timestamp(), 'fixed')"
    )).await;
    let (sam, csrf) = console.seat("sam@ours.example").await;
    let both = format!("csrf={csrf}&answer=take&incident={incident}&incident={second}");
    assert_eq!(console.post("/incidents/owners", &sam, both).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("incidents WHERE owner IS NOT NULL").await, 1);
    let theirs = console.theirs.incident;
    let stolen = format!("csrf={csrf}&answer=take&incident={theirs}");
    assert_eq!(console.post("/incidents/owners", &sam, stolen).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_night_counts_whom_we_woke_and_whom_we_did_not() {
    let mut console = Console::new().await;
    let Organization { tenant, client, incident, .. } = console.ours;
    // Everything is told in the organization's zone: 03:00 there is a night, 12:00 is none.
    let at = |hour: &str| {
        format!(
            "(date_trunc('day', clock_timestamp() AT TIME ZONE 'Asia/Tokyo') - interval '1 day' + interval '{hour}') AT TIME ZONE 'Asia/Tokyo'"
        )
    };
    console.execute(format!("UPDATE tenants SET time_zone = 'Asia/Tokyo' WHERE tenant_id = '{tenant}'")).await;
    console.execute(format!("UPDATE incidents SET opened_at = {} WHERE tenant_id = '{tenant}'", at("12 h"))).await;
    for (n, state, hour) in [
        (1_u128, "fixed", "3 h"),
        (2, "fixed", "4 h"),
        (3, "fixed", "12 h"),
        (4, "recovered", "3 h"),
        (5, "called", "2 h"),
    ] {
        let id = uuid::Uuid::from_u128(800 + n);
        let (outcome, called) = match state {
            "called" => ("by_person", format!("{}, 'x'", at(hour))),
            outcome => (outcome, "NULL, NULL".to_owned()),
        };
        console.execute(format!(
            "INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at, closed_at, outcome, escalated_at, escalation_reason)
               VALUES ('{tenant}', '{client}', '{id}', 'x', 'warning', 'closed', {0}, {0}, '{outcome}', {called})", at(hour)
        )).await;
    }
    for (n, incident, kind, hour) in [
        (1_u128, uuid::Uuid::from_u128(805), "needs_you", "2 h"),
        (2, uuid::Uuid::from_u128(805), "held", "3 h"),
        (3, incident, "needs_you", "13 h"),
        (4, uuid::Uuid::from_u128(801), "fixed", "3 h"),
    ] {
        let id = uuid::Uuid::from_u128(900 + n);
        console.execute(format!(
            "INSERT INTO outbox (tenant_id, client_id, outbox_id, incident_id, kind, message_id, address, state, created_at, ended_at, sender, subject, html, body_text)
               VALUES ('{tenant}', '{client}', '{id}', '{incident}', '{kind}', '{id}', 'a@b', 'sent', {0}, {0}, '', '', '', '')", at(hour)
        )).await;
    }
    let mut tx = console.tx().await;
    let since = tx.now().await.unwrap() - jiff::SignedDuration::from_hours(72);
    let days = store::pages::trend::list_days(&mut tx, since, "Asia/Tokyo").await.unwrap();
    tx.rollback().await.unwrap();
    let seen: Vec<_> = days.iter().map(|day| (day.healed, day.called, day.pages_sent, day.pages_avoided)).collect();
    assert_eq!(seen, [(3, 1, 1, 2)], "one person was woken about one incident, two were healed at night");
    let html = console.get("/", &console.sign_in("viewer@ours.example").await).await.2;
    assert!(
        html.contains("75&nbsp;%") && html.contains("3 of 4") && html.contains("3 without a person, 1 with"),
        "{html}"
    );
    // The past is remembered for a while, for whoever sees the same; today is counted each time.
    console.execute(format!("DELETE FROM outbox; DELETE FROM incidents WHERE opened_at < clock_timestamp() - interval '4 days';
        INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at, closed_at, outcome)
          VALUES ('{tenant}', '{client}', '{}', 'x', 'warning', 'closed', clock_timestamp(), clock_timestamp(), 'fixed')", uuid::Uuid::from_u128(880))).await;
    let html = console.get("/", &console.sign_in("sam@ours.example").await).await.2;
    assert!(html.contains("4 of 5"), "{html}");
    let limited = format!(
        "UPDATE memberships SET client_ids = ARRAY[gen_random_uuid()] WHERE tenant_id = '{tenant}' AND name = 'A member'"
    );
    console.execute(limited).await;
    let html = console.get("/", &console.sign_in("sam@ours.example").await).await.2;
    assert!(!html.contains("4 of 5"), "who sees less is shown less: {html}");
}
