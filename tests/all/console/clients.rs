//! Clients: the list, a client's own page.

use axum::http::StatusCode;

use super::{Console, Organization};

#[tokio::test]
async fn a_client_viewer_reads_their_own_clients_page_and_no_others() {
    let mut console = Console::new().await;
    let Organization { tenant, client, incident, .. } = console.ours;
    let other = uuid::Uuid::from_u128(77);
    console.execute(format!(
        "INSERT INTO clients (tenant_id, client_id, name, created_at) VALUES ('{tenant}', '{other}', 'Other client', clock_timestamp());
         INSERT INTO contacts (tenant_id, client_id, contact_id, name, email, is_told) VALUES ('{tenant}', '{client}', '{other}', 'Ana', 'ana@client.example', true);
         INSERT INTO sites (tenant_id, client_id, site_id, name) VALUES ('{tenant}', '{client}', '{other}', 'Quay');
         UPDATE hosts SET site_id = '{other}', tags = '{{\"role\": \"web\"}}' WHERE tenant_id = '{tenant}';
         UPDATE memberships SET role = 'client_viewer', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'viewer'"
    ))
    .await;
    let theirs = console.sign_in("viewer@ours.example").await;
    let page = format!("/clients/{client}");
    let (status, _, html) = console.get(&page, &theirs).await;
    assert_eq!(status, StatusCode::OK);
    for said in
        ["Ours client", "Ours-host", "Quay", "role=web", "ana@client.example", "told of incidents", "Client, 10"]
    {
        assert!(html.contains(said), "{said}: {html}");
    }
    assert!(
        html.contains(&format!("/incidents/{incident}")) && !html.contains("Change…") && !html.contains("Hands off…")
    );
    let (status, _, html) = console.get("/clients", &theirs).await;
    assert!(status == StatusCode::OK && html.contains("Ours client") && !html.contains("Other client"));
    assert!(!html.contains("Add a client"), "who sees some clients only adds none");
    assert_eq!(console.get(&format!("/clients/{other}"), &theirs).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_needed_nobody_is_counted_by_its_rule() {
    let mut console = Console::new().await;
    let Organization { tenant, client, incident, .. } = console.ours;
    console.run("held", "").await;
    let viewer = console.sign_in("viewer@ours.example").await;
    let share = async |console: &Console| {
        let (_, _, html) = console.get(&format!("/clients/{client}"), &viewer).await;
        let (_, rest) = html.split_once("handled automatically</abbr>").unwrap();
        let (head, _) = rest.split_once("</dd>").unwrap();
        head.replace("</dt><dd>", " ").replace("&nbsp;", "")
    };
    assert_eq!(share(&console).await, " –", "what is open is not counted");
    let end =
        |set: &str| format!("UPDATE incidents SET {set} WHERE tenant_id = '{tenant}' AND incident_id = '{incident}'");
    console.execute(end("state = 'closed', closed_at = clock_timestamp(), outcome = 'recovered'")).await;
    assert_eq!(share(&console).await, " –", "what recovered by itself is not counted");
    console.execute(end("outcome = 'fixed'")).await;
    assert_eq!(share(&console).await, ", 1 of 1 100%");
    console
        .execute(format!("UPDATE remediations SET relapsed_at = clock_timestamp() WHERE tenant_id = '{tenant}'"))
        .await;
    assert_eq!(share(&console).await, ", 0 of 1 0%", "it came back");
    console.execute(format!("UPDATE remediations SET relapsed_at = NULL WHERE tenant_id = '{tenant}'")).await;
    console
        .execute(
            "INSERT INTO approvals (tenant_id, client_id, approval_id, run_id, plan_digest, login_id, answer, reason, answered_at, expires_at)
               SELECT tenant_id, client_id, run_id, run_id, '\\x01', run_id, 'yes', '', clock_timestamp(), clock_timestamp() FROM runs"
        .to_owned())
        .await;
    assert_eq!(share(&console).await, ", 0 of 1 0%", "somebody was asked for a yes");
    console.execute("DELETE FROM approvals".to_owned()).await;
    console.execute(end("escalated_at = opened_at, escalation_reason = 'x'")).await;
    assert_eq!(share(&console).await, ", 0 of 1 0%", "somebody was called");
}
