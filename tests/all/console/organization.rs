//! The organization's own name and time zone.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use super::Console;
use super::people::leads_to;
use super::program::{Program, UNPROCESSABLE};

const PAGE: &str = "/settings/organization";
const CHANGE: &str = "/settings/organization/details";

#[tokio::test]
async fn an_owner_renames_the_organization_and_moves_it_to_another_time_zone() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    for (form, why) in [
        ("&name=+&zone=UTC", "The name is missing."),
        ("&name=www.spam.example&zone=UTC", "A name holds no link."),
        ("&name=Harbor+IT&zone=Europe%2FAtlantis", "“Europe/Atlantis” is no time zone"),
    ] {
        let (status, _, page) = console.click(&owner, PAGE, CHANGE, form).await;
        assert!(status == UNPROCESSABLE && page.contains(why), "{why}: {status}");
    }
    assert_eq!(console.count("tenants WHERE name = 'Ours'").await, 1);
    let (status, headers, _) = console.click(&owner, PAGE, CHANGE, "&name=+Harbor+IT+&zone=Europe%2FVienna").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/organization?done=changed"));
    let (_, _, page) = console.get(PAGE, &owner).await;
    assert!(page.contains("Harbor IT") && page.contains("Europe/Vienna"), "{page}");
    console.click(&owner, PAGE, CHANGE, "&name=Harbor+IT&zone=Europe%2FVienna").await;
    let told = "tenant_audit WHERE action = 'organization.changed' AND before->>'name' = 'Ours' AND after->>'time_zone' = 'Europe/Vienna'";
    assert_eq!(console.count(told).await, 1, "the same again changes nothing");
    assert_eq!(console.count("tenants WHERE name = 'Theirs'").await, 1);

    let tenant = console.ours.tenant;
    console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer'"))
        .await;
    let (admin, csrf) = console.seat("viewer@ours.example").await;
    assert_eq!(console.get(PAGE, &admin).await.0, StatusCode::FORBIDDEN);
    let form = format!("csrf={csrf}&name=Mine&zone=UTC");
    assert_eq!(console.post(CHANGE, &admin, form).await.0, StatusCode::FORBIDDEN);
    console.clock.advance(SignedDuration::from_mins(11));
    let (status, ..) = console.click(&owner, PAGE, CHANGE, "&name=Ours&zone=UTC").await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
}

#[tokio::test]
async fn a_program_renames_the_organization() {
    let mut p = Program::new().await;
    let of = |name: &str, zone: &str| json!({ "name": name, "time_zone": zone });
    p.refuses("organization", &[(of("", "UTC"), "name"), (of("Harbor IT", "Moon"), "time_zone")]).await;
    assert_eq!(p.post("organization", of("Harbor IT", "UTC")).await.1, json!({ "changed": true }));
    assert_eq!(p.post("organization", of("Harbor IT", "UTC")).await.1, json!({ "changed": false }));
    assert_eq!(p.get("organization").await.1["name"], json!("Harbor IT"));
    assert_eq!(p.console.count("tenant_audit WHERE action = 'organization.changed' AND actor LIKE 'token %'").await, 1);
    let p = p.with("owner@ours.example", &["settings"]).await;
    assert_eq!(p.post("organization", of("Mine", "UTC")).await.0, StatusCode::FORBIDDEN, "it is the scope own's");
}
