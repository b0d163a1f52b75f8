//! The list of hosts: page by page, and by what they are called.

use axum::http::StatusCode;

use super::Console;

impl Console {
    /// So many more hosts of our client: `more-001` and on.
    async fn more_hosts(&mut self, count: u32) {
        let (tenant, client) = (self.ours.tenant, self.ours.client);
        self.execute(format!(
            "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at)
               SELECT '{tenant}', '{client}', id, 'more-' || lpad(n::text, 3, '0'), uuid_send(id), 'trusted', clock_timestamp()
               FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {count}) n) more"
        ))
        .await;
    }
}

fn rows(page: &str) -> usize {
    page.matches("<th scope=\"row\">").count()
}

#[tokio::test]
async fn every_host_is_on_one_page_of_the_list() {
    let mut console = Console::new().await;
    console.more_hosts(230).await;
    let cookie = console.sign_in("sam@ours.example").await;
    let mut path = "/hosts".to_owned();
    let mut seen = Vec::new();
    for expected in [100, 100, 31] {
        let (status, _, page) = console.get(&path, &cookie).await;
        assert_eq!((status, rows(&page)), (StatusCode::OK, expected), "{path}");
        assert!(page.contains("231 hosts"), "all are counted");
        seen.extend((1..=230).map(|n| format!("more-{n:03}")).filter(|name| page.contains(name.as_str())));
        let next = page.split_once("rel=\"next\" href=\"").map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
        assert_eq!(next.is_some(), expected == 100, "{path}");
        path = next.unwrap_or_default();
    }
    let all: Vec<_> = (1..=230).map(|n| format!("more-{n:03}")).collect();
    assert_eq!(seen, all, "each once, in order");
}

#[tokio::test]
async fn hosts_are_found_by_a_part_of_their_name_and_by_client() {
    let mut console = Console::new().await;
    console.more_hosts(30).await;
    let cookie = console.sign_in("sam@ours.example").await;
    let client = console.ours.client;
    for (query, expected) in [
        ("name=MORE-01", 10),
        ("name=e-0%25", 0),
        (&*format!("client={client}"), 31),
        (&*format!("client={client}&name=more-030"), 1),
        ("client=&name=", 31),
        (&*format!("client={}", console.theirs.client), 0),
        (&*format!("after={}", console.theirs.host), 0),
    ] {
        let (status, _, page) = console.get(&format!("/hosts?{query}"), &cookie).await;
        assert_eq!((status, rows(&page)), (StatusCode::OK, expected), "{query}");
    }
}
