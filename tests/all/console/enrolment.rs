//! Enrolment tokens on their page, and the hosts that wait for a person.

use axum::http::{StatusCode, header};

use super::{Console, Organization};

#[tokio::test]
async fn a_token_is_shown_once_and_kept_as_a_hash() {
    let mut console = Console::new().await;
    let (sam, token) = console.seat("sam@ours.example").await;
    let client = console.ours.client;
    let make = |more: &str| format!("csrf={token}&place={client}&profile=low-risk{more}");
    for (more, wrong) in [
        ("&days=31&whom=many&uses=5", "1 to 30 days"),
        ("&days=1&whom=many&uses=501", "1 to 500 hosts"),
        ("&days=1&whom=one&host=", "says its name"),
        ("&days=1&whom=many&uses=5&networks=office", "“office” is no network"),
        ("&days=1&whom=many&uses=5&tags=web", "“web” is no tag"),
    ] {
        let (status, _, html) = console.post("/settings/enrolment", &sam, make(more)).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains(wrong), "{wrong}: {html}");
    }
    assert_eq!(console.count("enrolment_tokens").await, 0);
    let many = "&days=30&whom=many&uses=500&networks=192.0.2.9%2F24&tags=role%3Dweb";
    let (status, headers, html) = console.post("/settings/enrolment", &sam, make(many)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let (_, rest) = html.split_once("mw_enroll_").unwrap();
    let secret = format!("mw_enroll_{}", rest.split('<').next().unwrap());
    assert!(keys::token::parse(&secret).is_ok(), "{secret}");
    let row = format!(
        "credentials WHERE kind = 'enrolment_token' AND uses_left = 500 AND secret_hash = '\\x{}'",
        hex::encode(keys::token::hash(&secret))
    );
    assert_eq!(console.count(&row).await, 1);
    assert_eq!(console.count("enrolment_tokens WHERE networks = '{192.0.2.0/24}' AND tags = '{\"role\": \"web\"}' AND created_by = 'A member'").await, 1);
    assert_eq!(console.count("audit WHERE action = 'enrolment_token.made'").await, 1);
    let (_, _, html) = console.get("/settings/enrolment", &sam).await;
    assert!(html.contains(&secret[..14]) && !html.contains(&secret) && html.contains("500 of 500 uses left"));
    let (_, rest) = html.split_once("/settings/enrolment/").unwrap();
    let revoke = format!("/settings/enrolment/{}", rest.split('"').next().unwrap());
    assert_eq!(console.post(&revoke, &sam, format!("csrf={token}")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("credentials WHERE kind = 'enrolment_token' AND revoked_at IS NOT NULL").await, 1);
    // A viewer makes none.
    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    assert_eq!(console.get("/settings/enrolment", &viewer).await.0, StatusCode::FORBIDDEN);
    let form = format!("csrf={viewers}&place={client}&profile=low-risk{many}");
    assert_eq!(console.post("/settings/enrolment", &viewer, form).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn newcomers_are_accepted_together_by_those_who_may_trust_a_host() {
    let mut console = Console::new().await;
    let Organization { tenant, client, host, .. } = console.ours;
    let (first, second) = (uuid::Uuid::from_u128(101), uuid::Uuid::from_u128(102));
    for (id, name) in [(first, "lab-01"), (second, "lab-02")] {
        console.execute(format!(
            "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, quarantine_reason, quarantined_at, enrolled_at, token_id)
               VALUES ('{tenant}', '{client}', '{id}', '{name}', decode(md5('{name}'), 'hex'), 'quarantined', 'x', clock_timestamp(), clock_timestamp(), '{id}')"
        )).await;
    }
    let (sam, token) = console.seat("sam@ours.example").await;
    let both =
        |token: &str, answer: &str| format!("csrf={token}&host={first}&host={second}&host={host}&answer={answer}");
    let (_, _, html) = console.get("/hosts", &sam).await;
    assert!(html.contains("Wait to be accepted") && html.contains("An owner or an admin accepts them"));
    assert_eq!(console.post("/hosts/newcomers", &sam, both(&token, "accept")).await.0, StatusCode::FORBIDDEN);
    let (owner, owners) = console.seat("owner@ours.example").await;
    let page = format!("/hosts/{first}");
    assert!(console.get(&page, &owner).await.2.contains("Waits to be accepted"));
    let same = format!("{page}/same-machine");
    assert_eq!(console.post(&same, &owner, format!("csrf={owners}")).await.0, StatusCode::CONFLICT);
    let away = format!("csrf={owners}&host={second}&answer=refuse");
    assert_eq!(console.post("/hosts/newcomers", &owner, away).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.post("/hosts/newcomers", &owner, both(&owners, "accept")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(
        console
            .count(&format!("hosts WHERE host_id = '{first}' AND state = 'trusted' AND accepted_at IS NOT NULL"))
            .await,
        1
    );
    assert_eq!(
        console.count(&format!("hosts WHERE host_id = '{second}' AND state = 'retired'")).await,
        1,
        "sent away stays away"
    );
    let (_, _, html) = console.get("/hosts", &owner).await;
    assert!(!html.contains("Wait to be accepted") && html.contains("lab-01") && !html.contains("lab-02"));
    let odd = format!("csrf={owners}&host={first}&answer=accept&more=x");
    assert_eq!(console.post("/hosts/newcomers", &owner, odd).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_answer_to_a_claim_is_about_the_key_that_was_shown() {
    let mut console = Console::new().await;
    let Organization { tenant, client, host, .. } = console.ours;
    console
        .execute(format!(
            "INSERT INTO host_claims (tenant_id, client_id, host_id, public_key, key_id, hostname, address, asked_at)
           VALUES ('{tenant}', '{client}', '{host}', '\\x0a0b', '\\x0c', '<b>web', '192.0.2.7', clock_timestamp())"
        ))
        .await;
    let (owner, token) = console.seat("owner@ours.example").await;
    let page = format!("/hosts/{host}");
    let (_, _, html) = console.get(&page, &owner).await;
    assert!(
        html.contains("A machine says it is Ours-host") && html.contains("from 192.0.2.7") && !html.contains("<b>web")
    );
    let answer = |key: &str| format!("csrf={token}&answer=same&key={key}");
    let claim = format!("{page}/claim");
    assert_eq!(console.post(&claim, &owner, answer("0a0c")).await.0, StatusCode::CONFLICT);
    assert_eq!(console.post(&claim, &owner, answer("0a0b")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("hosts WHERE public_key = '\\x0a0b' AND state = 'trusted'").await, 1);
    assert_eq!(console.count("audit WHERE action = 'host.enrolled_again'").await, 1);
    console.sides_are_as_listed().await;
}
