//! The console on a real database: two organizations, and requests as a browser sends them.

mod accounts;
mod acting;
mod api;
mod api_fleet;
mod api_owning;
mod api_people;
mod api_settings;
mod api_sign_on;
mod api_tokens;
mod approval;
mod authenticator;
mod board;
mod calls;
mod changes;
mod checks;
mod clients;
mod deleting;
mod demo;
mod doubt;
mod downloads;
mod enrolment;
mod events;
mod fuzz;
mod gallery;
mod groups;
mod guardrails;
mod guesses;
mod hosts;
mod incidents;
mod invitations;
mod limits;
mod mail;
mod matrix;
mod operators;
mod organization;
mod owners;
mod passkeys;
mod people;
mod plans;
mod program;
mod refusing;
mod retiring;
mod secrets;
mod services;
mod sessions;
mod sides;
mod sign_on;
mod spilled;
mod ssh_keys;
mod strangers;
mod support;
mod telling;
mod twins;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use domain::access::Role;
use futures_util::StreamExt as _;
use rand::SeedableRng as _;
use sqlx::Executor as _;
use store::{Clock, Store, TenantTx, auth::OperatorTx, clock::Moved, seeding, tenant_keys};
use tower::ServiceExt as _;
use uuid::Uuid;
use web::{App, Config, Vault, router};

use crate::support::TestDb;

const PASSWORD: &str = "correct horse battery staple";
const MALLORY: &str = "<script>alert(1)</script>";

/// What stands in one organization.
struct Organization {
    tenant: Uuid,
    technician: Uuid,
    client: Uuid,
    check: Uuid,
    host: Uuid,
    incident: Uuid,
}

struct Console {
    router: Router,
    store: Store,
    clock: Moved,
    /// As a superuser: the test's own view of the rows.
    rows: sqlx::PgConnection,
    ours: Organization,
    theirs: Organization,
    db: TestDb,
}

fn app_of(store: &Store, config: Config) -> App {
    let master = Arc::new(keys::seal::MasterKey::from_bytes([7; 32]));
    let starter = server::seed::starter(master.clone());
    // The test's own provider of sign-on answers on this machine.
    let egress = probe::Egress::new(vec!["127.0.0.1".parse().unwrap()]);
    let connector = probe::Connector::new(egress, probe::Names::system(), Arc::new(|| Duration::ZERO)).unwrap();
    App { store: store.clone(), config, vault: Vault::new(master), connector, starter }
}

impl Console {
    /// Two organizations with one host and one incident each: `ours` with the members sam (technician), owner and
    /// viewer, `theirs` with tess and owner.
    async fn new() -> Console {
        let db = TestDb::new().await;
        let clock = Moved::default();
        let store = db.store(Clock::Moved(clock.clone()));
        let mut rows = db.admin().await;
        let ours = organization(&store, &db, "Ours", "sam", &mut rows).await;
        let theirs = organization(&store, &db, "Theirs", "tess", &mut rows).await;
        let app = app_of(&store, Config::new("https://mend.example"));
        // As the server puts them together.
        let router = router(app).merge(gateway(&store).router());
        Console { router, store, clock, rows, ours, theirs, db }
    }

    /// The console's facts, with another configuration.
    fn app(&self, config: Config) -> App {
        app_of(&self.store, config)
    }

    /// The operator's transaction in our organization.
    async fn tx(&self) -> TenantTx {
        let operator = OperatorTx::begin(&self.store, &self.db.owner_url()).await.unwrap();
        operator.into_tenant(self.ours.tenant).await.unwrap()
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        headers.get_all(header::SET_COOKIE).iter().for_each(is_kept_well);
        if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
            // It has no end: its first part.
            let part = response.into_body().into_data_stream().next().await.unwrap().unwrap();
            return (status, headers, String::from_utf8_lossy(&part).into_owned());
        }
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, headers, String::from_utf8_lossy(&body).into_owned())
    }

    async fn get(&self, path: &str, cookie: &str) -> (StatusCode, HeaderMap, String) {
        self.send(Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, cookie: &str, body: String) -> (StatusCode, HeaderMap, String) {
        let request = Request::post(path)
            .header("host", "mend.example")
            .header("origin", "https://mend.example")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", cookie);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn try_sign_in(&self, email: &str, password: &str) -> (StatusCode, HeaderMap, String) {
        let (email, password) = (email.replace('@', "%40"), password.replace(' ', "+"));
        self.post("/sign-in", "", format!("email={email}&password={password}")).await
    }

    /// Signs in and gives the cookie.
    async fn sign_in(&self, email: &str) -> String {
        let (status, headers, _) = self.try_sign_in(email, PASSWORD).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let cookie = headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with("__Host-session="), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Signs in and gives the cookie and the token of the session's forms.
    async fn seat(&self, email: &str) -> (String, String) {
        let cookie = self.sign_in(email).await;
        let (_, _, page) = self.get("/incidents", &cookie).await;
        (cookie, token(&page))
    }

    /// An interlock of ours on our host.
    async fn interlock(&mut self, id: Uuid) {
        let (tenant, host) = (self.ours.tenant, self.ours.host);
        let sql = format!(
            "INSERT INTO interlocks (tenant_id, interlock_id, scope_kind, scope_key, reason, ends_at, set_by, set_at)
             VALUES ('{tenant}', '{id}', 'host', '{host}', 'backup', clock_timestamp() + interval '1 hour', 'backup', clock_timestamp())"
        );
        self.rows.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }

    /// Rows of `table`, which may carry a condition.
    async fn count(&mut self, table: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&mut self.rows).await.unwrap()
    }

    async fn execute(&mut self, sql: String) {
        self.rows.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    }

    /// A run on our alert in a state of ours to choose, with its job and an admission of the host's bucket; its id.
    async fn run(&mut self, state: &str, job: &str) -> Uuid {
        let Organization { tenant, client, check, host, incident, .. } = self.ours;
        let run = Store::new_id();
        let waits = matches!(state, "held" | "awaiting_approval");
        let (admitted, due, hold) = if state == "awaiting_approval" {
            ("NULL", "NULL", "NULL")
        } else if waits {
            ("NULL", "clock_timestamp() + interval '1 hour'", "'held: something'")
        } else {
            ("clock_timestamp()", "NULL", "NULL")
        };
        self.execute(format!(
            "INSERT INTO remediations (tenant_id, client_id, remediation_id, alert_id, incident_id, mapping_id, mapping_version, opened_at)
               SELECT '{tenant}', '{client}', '{run}', '{incident}', '{incident}', mapping_id, 1, clock_timestamp() FROM mappings WHERE tenant_id = '{tenant}';
             INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung, playbook_id, playbook_digest, parameters, mode, state, attempt, planned_at, admitted_at, started_at, due_at, hold_reason)
               SELECT '{tenant}', '{client}', '{run}', '{run}', '{incident}', '{incident}', '{host}', '{check}', 'shop-web', 1, playbook_id, digest, '{{}}', 'auto', '{state}', 1, clock_timestamp(), {admitted}, {admitted}, {due}, {hold} FROM playbook_versions WHERE tenant_id = '{tenant}';"
        ))
        .await;
        if state == "awaiting_approval" {
            self.execute(format!(
                "INSERT INTO run_events (tenant_id, client_id, run_id, seq, at, from_state, to_state, cause, actor)
                   VALUES ('{tenant}', '{client}', '{run}', 1, clock_timestamp(), 'planned', 'awaiting_approval', 'its mapping asks first', 'test')"
            ))
            .await;
        }
        if !waits {
            let permitted = if job == "queued" { "NULL" } else { "clock_timestamp()" };
            self.execute(format!(
                "INSERT INTO jobs (tenant_id, client_id, host_id, run_id, leg, attempt, purpose, state, fence, instance_id, envelope_digest, expires_at, permitted_at, permit_ends_at, ended_at, result_digest)
                   VALUES ('{tenant}', '{client}', '{host}', '{run}', 1, 1, 'fix', '{job}', 1, '{run}', '\\x01', clock_timestamp() + interval '15 min', {permitted}, {permitted},
                     CASE WHEN '{job}' = 'finished' THEN clock_timestamp() END, CASE WHEN '{job}' = 'finished' THEN '\\x03'::bytea END);
                 INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank) VALUES ('{tenant}', 'host', '{host}', 5) ON CONFLICT DO NOTHING;
                 INSERT INTO guardrail_admissions (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until)
                   VALUES ('{tenant}', 'host', '{host}', '{run}', 1, 1, 1, clock_timestamp(), clock_timestamp() + interval '1 hour');
                 UPDATE incidents SET state = 'escalated', escalated_at = clock_timestamp(), escalation_reason = 'In doubt.' WHERE tenant_id = '{tenant}';"
            ))
            .await;
        }
        run
    }
}

/// Whatever flow sets a cookie, or takes one away: it is sent to us alone, over TLS, with no other site's request but a link, and no script
/// reads it.
fn is_kept_well(cookie: &axum::http::HeaderValue) {
    let cookie = cookie.to_str().unwrap();
    let mut parts = cookie.split(';').map(str::trim);
    let (name, _) = parts.next().unwrap().split_once('=').unwrap();
    assert!(["__Host-session", "__Host-ceremony"].contains(&name), "{cookie}");
    let attributes: Vec<&str> = parts.collect();
    for attribute in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(attributes.contains(&attribute), "{attribute} is missing in {cookie}");
    }
    assert!(!attributes.iter().any(|attribute| attribute.starts_with("Domain")), "{cookie}");
}

fn gateway(store: &Store) -> gateway::Gateway {
    let config = gateway::GatewayConfig {
        node_id: Store::new_id(),
        server_name: "test".into(),
        dispatch_keys: tokio::sync::watch::channel(keys::SigningKey::from_bytes(&[8; 32]).into()).1,
        elapsed: Arc::new(|| Duration::ZERO),
        random: Arc::new(|| [5; 32]),
    };
    gateway::Gateway::new(store.clone(), config)
}

/// One hash for every login of these tests: it takes long to make by purpose.
fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| keys::password::hash(PASSWORD, &mut rand::rngs::StdRng::seed_from_u64(7)).unwrap())
}

async fn organization(
    store: &Store,
    db: &TestDb,
    name: &str,
    technician: &str,
    rows: &mut sqlx::PgConnection,
) -> Organization {
    let mut operator = OperatorTx::begin(store, &db.owner_url()).await.unwrap();
    let tenant = operator.insert_tenant(name).await.unwrap();
    let domain = name.to_lowercase();
    let mut members = Vec::new();
    for (member, role) in [(technician, Role::Technician), ("owner", Role::Owner), ("viewer", Role::Viewer)] {
        let email = format!("{member}@{domain}.example");
        members.push((operator.insert_login(&email, password_hash()).await.unwrap(), email, role));
    }
    let logins: Vec<Uuid> = members.iter().map(|(login, ..)| *login).collect();
    let mut tx = operator.into_tenant(tenant).await.unwrap();
    for (login, email, role) in members {
        let name = if role == Role::Technician { "A member" } else { role.word() };
        seeding::insert_membership(&mut tx, login, name, &email, role).await.unwrap();
    }
    let client = seeding::insert_client(&mut tx, &format!("{name} client"), "UTC").await.unwrap();
    let check = seeding::insert_check(
        &mut tx,
        "answers",
        "service",
        serde_json::json!({"name": "answers", "kind": "service", "target": "shop-web", "hold_secs": 2}),
    )
    .await
    .unwrap();
    let key_id = Store::new_id();
    let key =
        tenant_keys::TenantKey { key_id, version: 1, public_key: vec![1; 32], sealed: None, sealing_version: None };
    tenant_keys::insert(&mut tx, &key).await.unwrap();
    let version = seeding::SignedVersion {
        name: "restart",
        content: r#"{"risk":"L","steps":[],"title":"Restart it"}"#,
        digest: [9; 32],
        signature: "00",
        key_id,
    };
    seeding::insert_playbook_version(&mut tx, &version).await.unwrap();
    let mapping =
        serde_json::json!({"name": "web", "when": {}, "ladder": [], "verify": {"settle_secs": 1, "stable_secs": 1}});
    seeding::insert_mapping(&mut tx, "web", "auto", mapping).await.unwrap();
    tx.commit().await.unwrap();
    let (host, incident) = host_and_incident(rows, tenant, client, check, name).await;
    Organization { tenant, technician: logins[0], client, check, host, incident }
}

/// A host with a critical check and its incident; both are named after `name`.
async fn host_and_incident(
    rows: &mut sqlx::PgConnection,
    tenant: Uuid,
    client: Uuid,
    check: Uuid,
    name: &str,
) -> (Uuid, Uuid) {
    let (host, incident) = (Store::new_id(), Store::new_id());
    let sql = format!(
        "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at) VALUES ('{tenant}', '{client}', '{host}', '{name}-host', uuid_send('{host}'), 'trusted', clock_timestamp());
         INSERT INTO check_states (tenant_id, client_id, host_id, check_id, target, version, verdict, verdict_at, readings, observed_at)
           VALUES ('{tenant}', '{client}', '{host}', '{check}', 'shop-web', 1, 'critical', clock_timestamp(), '{{\"data\": {{\"state\": \"stopped\"}}}}', clock_timestamp());
         INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at) VALUES ('{tenant}', '{client}', '{incident}', '{name}: {MALLORY}', 'critical', 'open', clock_timestamp());
         INSERT INTO alerts (tenant_id, client_id, alert_id, incident_id, host_id, check_id, target, fingerprint, severity, state, opened_at, newest_version)
           VALUES ('{tenant}', '{client}', '{incident}', '{incident}', '{host}', '{check}', 'shop-web', uuid_send('{incident}'), 'critical', 'open', clock_timestamp(), 1);"
    );
    rows.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    (host, incident)
}

fn token(page: &str) -> String {
    page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split('"').next()).unwrap().to_owned()
}
