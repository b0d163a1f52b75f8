//! How many hosts would refuse a mapping by their own limits, on the pages that tell of it.

use axum::http::StatusCode;
use serde_json::{Value, json};
use store::{Store, hosts, seeding};
use uuid::Uuid;

use super::Console;

impl Console {
    /// Another host of ours, whose agent has not linked yet.
    async fn another_host(&mut self, client: Uuid, name: &str) -> Uuid {
        let (tenant, host) = (self.ours.tenant, Store::new_id());
        self.execute(format!(
            "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at)
               VALUES ('{tenant}', '{client}', '{host}', '{name}', uuid_send('{host}'), 'trusted', clock_timestamp())"
        ))
        .await;
        host
    }

    /// What the agent of a host of ours tells of its own limits when it links.
    async fn tells_its_limits(&self, host: Uuid, own_limits: Value) {
        let said = hosts::Said {
            agent_version: "1".to_owned(),
            boot_id: host,
            booted_at: jiff::Timestamp::UNIX_EPOCH,
            own_limits,
            notes: json!([]),
        };
        let mut tx = self.tx().await;
        hosts::mark_said(&mut tx, host, &said).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A mapping of ours that restarts what its condition names.
    async fn restarts(&self, name: &str, when: Value) {
        let mapping = json!({
            "name": name, "when": when, "ladder": [{ "playbook": "restart" }],
            "verify": { "settle_secs": 1, "stable_secs": 1 },
        });
        let mut tx = self.tx().await;
        seeding::insert_mapping(&mut tx, name, "auto", mapping).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The mappings that a page says hosts would refuse, each with how many of how many.
    async fn refused(&self, path: &str, cookie: &str) -> Vec<(String, String)> {
        let (status, _, page) = self.get(path, cookie).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let (panel, _) = page.split_once("<h2 id=\"refused\">").unwrap().1.split_once("</section>").unwrap();
        let rows: Vec<_> = panel
            .split("<li>")
            .skip(1)
            .map(|row| (between(row, "<b>", "</b>"), between(row, "<div class=\"end\">", "</div>")))
            .collect();
        assert_eq!(rows.is_empty(), panel.contains("No mapping would be refused"), "{panel}");
        rows
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0.to_owned()
}

/// As the pages' rows are told.
fn rows<const N: usize>(rows: [(&str, &str); N]) -> Vec<(String, String)> {
    rows.into_iter().map(|(mapping, many)| (mapping.to_owned(), many.to_owned())).collect()
}

#[tokio::test]
async fn each_member_reads_how_many_of_the_hosts_they_see_would_refuse_a_mapping() {
    let mut console = Console::new().await;
    let (tenant, client, web, birch) = (console.ours.tenant, console.ours.client, console.ours.host, Store::new_id());
    console
        .execute(format!(
            "INSERT INTO clients (tenant_id, client_id, name, time_zone, created_at) VALUES ('{tenant}', '{birch}', 'Birch', 'UTC', clock_timestamp());
             UPDATE memberships SET client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND email = 'sam@ours.example'"
        ))
        .await;
    let db = console.another_host(client, "db").await;
    let away = console.another_host(birch, "birch-web").await;
    console.restarts("everywhere", json!({})).await;
    console.restarts("birch", json!({ "host": "birch-web" })).await;
    let owner = console.sign_in("owner@ours.example").await;
    let sam = console.sign_in("sam@ours.example").await;
    let (of_client, of_birch) = (format!("/clients/{client}"), format!("/clients/{birch}"));
    assert_eq!(console.refused("/guardrails", &owner).await, rows([]), "no host was ever heard");

    console.tells_its_limits(web, json!({ "profile": "low-risk" })).await;
    console.tells_its_limits(db, json!({ "profile": "read-only" })).await;
    console.tells_its_limits(away, json!({ "profile": "low-risk", "allowed_playbooks": ["clean"] })).await;
    let all = rows([("everywhere", "2 of 3 hosts"), ("birch", "1 of 1 host")]);
    assert_eq!(console.refused("/guardrails", &owner).await, all);
    let here = rows([("everywhere", "1 of 2 hosts")]);
    for path in ["/guardrails".to_owned(), format!("/guardrails/{client}"), of_client.clone()] {
        assert_eq!(console.refused(&path, &sam).await, here, "{path} of who sees one client");
    }
    assert_eq!(console.refused(&of_client, &owner).await, here, "a client's page counts its own hosts");
    let there = rows([("birch", "1 of 1 host"), ("everywhere", "1 of 1 host")]);
    assert_eq!(console.refused(&of_birch, &owner).await, there);
    assert_eq!(console.get(&of_birch, &sam).await.0, StatusCode::NOT_FOUND);
    let stranger = console.sign_in("owner@theirs.example").await;
    assert_eq!(console.refused("/guardrails", &stranger).await, rows([]), "another organization");

    // Its file says something else now, and its agent was started again.
    console.tells_its_limits(db, json!({ "profile": "all-signed" })).await;
    assert_eq!(console.refused("/guardrails", &sam).await, rows([]));
    let left = rows([("birch", "1 of 1 host"), ("everywhere", "1 of 3 hosts")]);
    assert_eq!(console.refused("/guardrails", &owner).await, left);
    console.tells_its_limits(web, json!({ "profile": "low-risk", "allowed_playbooks": ["clean", "restart"] })).await;
    console.tells_its_limits(away, json!({ "profile": "low-risk" })).await;
    assert_eq!(console.refused("/guardrails", &owner).await, rows([]), "all of them allow it");
}
