//! Each page of the console and each list of the API at 50 requests a second, of an organization with 2,000 hosts and 20,000
//! incidents among 200 organizations. A request's time begins when it was due, not when it could be sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client};
use serde_json::json;
use sqlx::postgres::PgPool;

use super::{Bench, fleet, isolation};

/// Requests a second.
const A_SECOND: u32 = 50;
/// An API token may ask 20 times a second: so many take turns.
const TOKENS: usize = 5;
const PASSWORD: &str = "correct horse battery";

/// How large it is: `MENDWRIGHT_BENCH_SIZE` as a share in percent, for trying the bench itself.
fn size() -> u32 {
    std::env::var("MENDWRIGHT_BENCH_SIZE").ok().and_then(|n| n.parse().ok()).unwrap_or(100)
}

/// Somebody who is signed in, and tokens of theirs.
struct Visitor {
    http: Client,
    server: String,
    tokens: Vec<String>,
}

impl Visitor {
    async fn new(bench: &Bench) -> Visitor {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pem = std::fs::read(bench.installation.folder.keys().join("authority.pem")).unwrap();
        let authority = Certificate::from_pem(&pem).unwrap();
        let http = Client::builder().cookie_store(true).tls_certs_only([authority]).build().unwrap();
        let mut visitor = Visitor { http, server: bench.installation.node.public_url.clone(), tokens: Vec::new() };
        visitor.post("/sign-in", &[("email", "owner@bench.example"), ("password", PASSWORD)]).await;
        for n in 0..TOKENS {
            let page = visitor.get("/settings/tokens").await;
            let csrf = after(&page, "name=\"csrf\" value=\"").split('"').next().unwrap().to_owned();
            let name = format!("bench {n}");
            let form = [
                ("csrf", &*csrf),
                ("name", &*name),
                ("scope", "read"),
                ("scope", "audit"),
                ("scope", "enrol"),
                ("scope", "people"),
                ("scope", "settings"),
                ("scope", "own"),
                ("scope", "clients"),
                ("days", "30"),
            ];
            let made = visitor.post("/settings/tokens", &form).await;
            let token: String = after(&made, "mw_api_").chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            visitor.tokens.push(format!("mw_api_{token}"));
        }
        visitor
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.server)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> String {
        let request = self.http.post(format!("{}{path}", self.server)).header("origin", &self.server).form(form);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }

    /// Asks for it with a token of the turn if it is the API's.
    async fn ask(&self, path: &str, turn: usize) {
        let mut request = self.http.get(format!("{}{path}", self.server));
        if path.starts_with("/api/") {
            request = request.bearer_auth(&self.tokens[turn % TOKENS]);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.bytes().await.unwrap();
    }
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).unwrap_or_else(|| panic!("no {mark}")).1
}

/// Every page and list with the ids of rows, and what lists are asked for beyond their first page.
async fn paths(rows: &PgPool) -> Vec<String> {
    let newest = "SELECT tenant_id FROM hosts WHERE name = 'h1' LIMIT 1";
    let id = async |of: &str| -> String {
        let sql = format!("SELECT {of} AND tenant_id = ({newest}) LIMIT 1");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(rows).await.unwrap_or_else(|e| panic!("{of}: {e}"))
    };
    let host = id(
        "host_id::text FROM host_metrics WHERE client_id IS NOT NULL AND at < clock_timestamp() - interval '1 minute'",
    )
    .await;
    let client = id(&format!("client_id::text FROM hosts WHERE host_id = '{host}'")).await;
    let incident = id("incident_id::text FROM incidents WHERE state = 'escalated'").await;
    let closed = id("incident_id::text FROM incidents WHERE state = 'closed'").await;
    let run = id(&format!("run_id::text FROM runs WHERE incident_id = '{incident}'")).await;
    let (middle, at): (String, i64) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT incident_id::text, (extract(epoch FROM opened_at) * 1000000)::int8 FROM incidents WHERE state = 'closed' AND tenant_id = ({newest}) ORDER BY opened_at DESC OFFSET (SELECT count(*) / 2 FROM incidents WHERE tenant_id = ({newest})) LIMIT 1"
    )))
    .fetch_one(rows)
    .await
    .unwrap();
    let mut paths = Vec::new();
    for route in web::routes() {
        // What everybody gets alike, what is others', what never ends, and files.
        let api = route.path.starts_with("/api/v1/") && route.path != "/api/v1/openapi.json";
        let strange = [
            "/sign-",
            "/reset",
            "/invitation",
            "/confirm",
            "/assets",
            "/install",
            "/api/docs",
            "/platform",
            "/support",
            "/sso",
            "/passkey",
        ];
        let files = [
            "/events",
            "/api/v1/events",
            "/api/v1/openapi.json",
            "/api/v1/audit/file",
            "/api/v1/organization/file",
            "/settings/audit/file",
            "/settings/usage/months.csv",
        ];
        let is_strange = strange.iter().any(|start| route.path.starts_with(start))
            || files.contains(&route.path)
            || route.path.replace("{id}", "").contains('{');
        if route.method != "GET" || is_strange {
            continue;
        }
        let of = route.path.trim_start_matches("/api/v1");
        let id = match of.split('/').nth(1).unwrap_or_default() {
            "incidents" => &incident,
            "hosts" => &host,
            "runs" => &run,
            _ => &client,
        };
        paths.push(route.path.replace("{id}", id));
        if of == "/incidents" {
            let more = if api { "limit=100" } else { "state=fixed" };
            paths.push(format!("{}?{more}", route.path));
            paths.push(format!("{}?client={client}", route.path));
        }
    }
    paths.push(format!("/incidents/{closed}"));
    paths.push(format!("/incidents?after=closed.{at}.{middle}"));
    paths
}

/// Times in ms of so many requests, one every 20 ms.
#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
async fn load(visitor: &Arc<Visitor>, path: &str, requests: u32) -> Vec<f64> {
    let every = Duration::from_secs(1) / A_SECOND;
    let start = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..requests {
        let due = start + every * n;
        tokio::time::sleep_until(due.into()).await;
        let (visitor, path) = (visitor.clone(), path.to_owned());
        asked.spawn(async move {
            visitor.ask(&path, n as usize).await;
            due.elapsed().as_secs_f64() * 1_000.0
        });
    }
    asked.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench"]
async fn pages_and_lists_of_a_large_organization() {
    let bench = Bench::new(5).await;
    bench.crash(0).await;
    bench.fixed(1).await;
    let over = "SELECT count(*)::float8 FROM incidents WHERE state = 'closed'";
    super::until(&bench.rows, "its incident is over", over, 1.0).await;
    let measured = "SELECT count(*)::float8 FROM host_now";
    super::until(&bench.rows, "its figures are there", measured, 1.0).await;
    let (tenants, hosts, incidents) = (2 * size() - 1, 20 * size(), 200 * size());
    let sql = [
        fleet::others(tenants) + &fleet::hosts(2, 10) + fleet::STANDING + &fleet::incidents(100, 90),
        fleet::itself() + &fleet::hosts(40, hosts) + fleet::STANDING + &fleet::incidents(incidents, 90),
        fleet::told() + &fleet::unsolved(300),
        "VACUUM ANALYZE".to_owned(),
    ];
    for sql in sql {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&bench.rows).await.unwrap();
    }
    // These organizations came at once, and all were due; from their first turn on each has a moment of its own.
    let turns = "SELECT count(DISTINCT tenant_id)::float8 FROM tenant_wakeups WHERE queue = 'sweep' AND due_at > clock_timestamp()";
    super::until(&bench.rows, "every organization had its first turn", turns, f64::from(tenants + 1)).await;
    let visitor = Arc::new(Visitor::new(&bench).await);
    let paths = paths(&bench.rows).await;
    // The agent and its services have done their part.
    let (rows, installation, _folder) = bench.without_agent();

    println!("\npages and lists, {A_SECOND} requests/s each (median and p99 in ms):");
    let (mut all, mut worst) = (Vec::new(), (0.0, String::new()));
    for path in &paths {
        // A second in which the connections plan the page's statements, each once.
        load(&visitor, path, A_SECOND).await;
        let spread = super::spread(load(&visitor, path, 3 * size()).await);
        let (median, p99) = (spread["median"].as_f64().unwrap(), spread["p99"].as_f64().unwrap());
        println!("  {median:>6.1} {p99:>6.1}  {path}");
        all.push(median);
        if p99 > worst.0 {
            worst = (p99, path.clone());
        }
    }
    let of_all = super::spread(all);
    println!(
        "{}",
        json!({ "pages": paths.len(), "requests_per_s": A_SECOND, "hosts": hosts, "incidents": incidents, "tenants": tenants + 1,
            "median_ms": of_all, "worst_p99_ms": worst.0, "worst": worst.1 })
    );
    isolation::cost(&rows, &installation, async || {
        for path in &paths {
            visitor.ask(path, 0).await;
        }
    })
    .await;
    rows.close().await;
    installation.stop().await.unwrap();
}
