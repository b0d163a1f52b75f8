//! What the pages tell of a host: its limits with their numbers, and whether it is heard.

use axum::http::StatusCode;
use jiff::SignedDuration;
use uuid::Uuid;

use super::Console;

#[tokio::test]
async fn a_host_page_tells_each_limit_with_what_is_used_and_why_it_is_that_number() {
    let mut console = Console::new().await;
    let (cookie, _) = console.seat("viewer@ours.example").await;
    let page = format!("/hosts/{}", console.ours.host);
    let said = |html: String| {
        html.replace('\u{a0}', " ")
            .split('<')
            .map(|part| part.split('>').next_back().unwrap_or_default().to_owned())
            .collect::<String>()
    };
    let (status, _, html) = console.get(&page, &cookie).await;
    let html = said(html);
    assert_eq!(status, StatusCode::OK);
    for words in [
        "Organization, 10 min",
        "0 of 5",
        "Client, 10 min",
        "Host, 1 h",
        "0 of 2",
        "Host, at once",
        "0 of 1",
        "halved in the first week",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    console.run("running", "permitted").await;
    let (tenant, host) = (console.ours.tenant, console.ours.host);
    console
        .execute(format!(
            "INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank, max_per_window, window_secs)
               SELECT '{tenant}', 'host_playbook', '{host}/' || playbook_id, 6, 1, 1200 FROM playbooks WHERE tenant_id = '{tenant}'"
        ))
        .await;
    let html = said(console.get(&page, &cookie).await.2);
    for words in ["1 of 2", "1 of 1", "“restart” here, 20 min", "set by a person", "frees"] {
        assert!(html.contains(words), "{words}: {html}");
    }
}

#[tokio::test]
async fn a_link_is_as_dead_as_the_node_that_holds_it() {
    let mut console = Console::new().await;
    let (cookie, _) = console.seat("viewer@ours.example").await;
    let page = format!("/hosts/{}", console.ours.host);
    assert!(console.get(&page, &cookie).await.2.contains("Never heard"));
    let (tenant, client, host) = (console.ours.tenant, console.ours.client, console.ours.host);
    let node = Uuid::from_u128(9);
    store::nodes::insert(&console.store, node).await.unwrap();
    let link = |epoch: u8| {
        format!(
            "INSERT INTO host_links (tenant_id, host_id, client_id, node_id, epoch, linked_at, unlinked_at) VALUES ('{tenant}', '{host}', '{client}', '{node}', {epoch}, clock_timestamp(), NULL)"
        )
    };
    console.execute(link(1)).await;
    assert!(console.get(&page, &cookie).await.2.contains(">Linked<"));
    console.clock.advance(SignedDuration::from_secs(20));
    assert!(console.get(&page, &cookie).await.2.contains(">Silent<"));
    assert!(console.get("/hosts", &cookie).await.2.contains("silent for"));
    store::nodes::mark_seen(&console.store, node).await.unwrap();
    assert!(console.get(&page, &cookie).await.2.contains(">Linked<"));
    console.execute("DELETE FROM nodes".to_owned()).await;
    assert!(console.get(&page, &cookie).await.2.contains(">Silent<"));
    // Made at enrolment, before any word of the agent.
    console.execute("UPDATE host_links SET epoch = 0, unlinked_at = linked_at".to_owned()).await;
    assert!(console.get(&page, &cookie).await.2.contains("Never heard"));
}
