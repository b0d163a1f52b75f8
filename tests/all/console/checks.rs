//! Checks that are made on a host's page.

use axum::http::StatusCode;
use uuid::Uuid;

use super::{Console, Organization};

impl Console {
    /// A host of a second client of ours that is called as our first, and the declared service of both.
    async fn namesake(&mut self) -> Organization {
        let second = self.second_client().await;
        let Organization { tenant, client, host, .. } = self.ours;
        let (their_client, their_host) = (second.client, second.host);
        self.execute(format!("UPDATE hosts SET name = 'Ours-host' WHERE host_id = '{their_host}'")).await;
        let extra = "{\"services\": [{\"name\": \"shop-web\", \"state\": \"running\", \"watched\": false}]}";
        self.execute(format!(
            "INSERT INTO host_now (tenant_id, client_id, host_id, at, layout, samples, extra)
               VALUES ('{tenant}', '{client}', '{host}', clock_timestamp(), 1, '{{}}', '{extra}'),
                 ('{tenant}', '{their_client}', '{their_host}', clock_timestamp(), 1, '{{}}', '{extra}')"
        ))
        .await;
        second
    }

    async fn watch(&self, cookie: &str, csrf: &str, host: Uuid) -> (StatusCode, String) {
        let form = format!("csrf={csrf}&service=shop-web");
        let (status, _, page) = self.post(&format!("/hosts/{host}/watch"), cookie, form).await;
        (status, page)
    }
}

#[tokio::test]
async fn one_service_is_watched_on_hosts_of_one_name_at_two_clients() {
    let mut console = Console::new().await;
    let second = console.namesake().await;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    for host in [console.ours.host, second.host] {
        assert_eq!(console.watch(&owner, &csrf, host).await.0, StatusCode::SEE_OTHER);
    }
    for client in ["Ours client", "Second company"] {
        let made = format!(
            "checks WHERE name = 'shop-web on Ours-host ({client})' AND definition->'selector'->>'client' = '{client}'"
        );
        assert_eq!(console.count(&made).await, 1, "{client}");
    }
    let (status, page) = console.watch(&owner, &csrf, second.host).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("There is a check “shop-web on Ours-host (Second company)” already"), "{page}");
}
