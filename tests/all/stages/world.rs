//! A seeded tenant on a database of its own: real stages on real rows, hosts played by the test, time moved by hand.

use std::fmt::Write as _;
use std::path::Path;

use domain::detect::reading::{Seen, Severity, Verdict};
use domain::detect::{Signal, State};
use engine::lease::{Stage, run_until_idle};
use engine::remediate::Remediate;
use gateway::outcome;
use jiff::SignedDuration;
use keys::seal::MasterKey;
use serde_json::{Value, json};
use server::seed::{Seed, Seeded, apply};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use store::auth::Member;
use store::clock::Moved;
use store::detect::check_states::Subject;
use store::detect::observations::NewObservation;
use store::detect::{check_requests, check_states, observations, signals};
use store::remediate::hands_off::Whose;
use store::remediate::jobs::{self, JobKey, JobResult, Lease};
use store::{Clock, Store, StoreConfig, TenantTx, host_links, hosts, nodes};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::v1::{Ended, ResultBody};

use crate::support::TestDb;

/// What a test may change of the seed.
pub struct Setup {
    /// Hosts h1, h2, …, of each client.
    pub hosts: usize,
    /// Clients: Alder, Client 2, …
    pub clients: usize,
    /// The mapping's mode; none: there is no mapping.
    pub mode: Option<&'static str>,
    /// Rungs of the mapping's ladder, 1 or 2: `restart-service`, then `kick-service`.
    pub rungs: usize,
    /// Both playbooks declare how they are undone.
    pub undo: bool,
    /// A second check, of service `till`, on every host.
    pub neighbour: bool,
    /// The `limits` of the seed, YAML.
    pub limits: &'static str,
    /// The bounds on damage (unproven, bad, wave) are the rules', not lifted.
    pub bounded: bool,
    /// Connections of the store.
    pub connections: u32,
    /// A URL that the server asks for h1, every 10 s, and believes to be down at the third bad answer in a row.
    pub site: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            hosts: 1,
            clients: 1,
            mode: Some("auto"),
            rungs: 1,
            undo: false,
            neighbour: false,
            limits: "",
            bounded: false,
            connections: 4,
            site: None,
        }
    }
}

/// A host as it is played.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    pub host_id: Uuid,
    pub client_id: Uuid,
}

impl Host {
    /// The host, for hands off.
    pub fn whose(self) -> Whose {
        Whose::Host { client_id: self.client_id, host_id: self.host_id }
    }
}

pub struct World {
    pub store: Store,
    pub member: Member,
    pub login_id: Uuid,
    pub hosts: Vec<Host>,
    pub check_id: Uuid,
    pub node_id: Uuid,
    pub moved: Moved,
    rows: PgConnection,
    pub db: TestDb,
}

/// The playbooks, in the order of the ladder.
const LADDER: [&str; 2] = ["restart-service", "kick-service"];

#[expect(clippy::disallowed_methods, reason = "the node's own clock")]
fn since_start() -> store::clock::Elapsed {
    let start = std::time::Instant::now();
    std::sync::Arc::new(move || start.elapsed())
}

/// The file that the world is seeded with.
pub fn document(setup: &Setup) -> String {
    let mut yaml = String::from(
        "tenant: {name: Harbour, time_zone: UTC}\n\
         members: [{name: Owner, email: owner@harbour.example, role: owner, password_env: PASSWORD}]\n\
         notify: [oncall@harbour.example]\nclients:\n",
    );
    for client in 1..=setup.clients {
        let name = if client == 1 { "Alder".to_owned() } else { format!("Client {client}") };
        let _ = writeln!(yaml, "  - name: {name}\n    hosts:");
        for n in 1..=setup.hosts {
            let _ = writeln!(yaml, "      - {{name: h{n}, tags: {{role: web}}}}");
        }
    }
    yaml.push_str(
        "checks:\n  - {name: Shop runs, kind: service, target: shop, selector: {tags: {role: web}}, interval_secs: 2}\n\
         \x20 - {name: Host is heard of, kind: heartbeat, selector: {tags: {role: web}}}\n",
    );
    if let Some(url) = &setup.site {
        let _ = writeln!(
            yaml,
            "  - {{name: Site answers, kind: http, target: \"{url}\", selector: {{host: h1}}, failures: 3, limit_ms: 1000}}"
        );
    }
    if setup.neighbour {
        yaml.push_str(
            "  - {name: Till runs, kind: service, target: till, selector: {tags: {role: web}}, interval_secs: 2}\n",
        );
    }
    yaml.push_str("playbooks:\n");
    for name in LADDER {
        let _ = write!(
            yaml,
            "  - name: {name}\n    title: Start a failed service again\n    risk: L\n    effect: idempotent\n\
             \x20   parameters: {{service: {{type: service_name}}}}\n\
             \x20   steps: [{{title: Start it, argv: [\"{{service.start}}\"], limit_secs: 30}}]\n"
        );
        if setup.undo {
            yaml.push_str("    undo: [{title: Stop it again, argv: [\"{service.stop}\"], limit_secs: 30}]\n");
        }
    }
    if let Some(mode) = setup.mode {
        let _ = write!(
            yaml,
            "mappings:\n  - name: Shop is started again\n    mode: {mode}\n    when: {{check: Shop runs}}\n    ladder:\n"
        );
        for name in &LADDER[..setup.rungs] {
            let _ = writeln!(yaml, "      - {{playbook: {name}, parameters: {{service: \"{{target}}\"}}}}");
        }
        yaml.push_str("    verify: {settle_secs: 1, stable_secs: 3}\n");
        if setup.site.is_some() {
            let _ = write!(
                yaml,
                "  - name: Site is started again\n    mode: {mode}\n    when: {{check: Site answers}}\n\
                 \x20   ladder: [{{playbook: restart-service, parameters: {{service: shop}}}}]\n\
                 \x20   verify: {{settle_secs: 1, stable_secs: 3}}\n"
            );
        }
    }
    if !setup.limits.is_empty() {
        let _ = write!(yaml, "limits:\n{}", setup.limits);
    }
    yaml
}

impl World {
    pub async fn new(setup: Setup) -> World {
        World::of(setup, document).await
    }

    /// The same, of another file.
    pub async fn of(setup: Setup, document: impl Fn(&Setup) -> String) -> World {
        let db = TestDb::new().await;
        let moved = Moved::default();
        let store = Store::connect(&StoreConfig {
            tenant_url: db.login_url(),
            system_url: db.system_url(),
            tenant_connections: setup.connections,
            clock: Clock::Moved(moved.clone()),
        })
        .unwrap()
        .watching_clock(since_start());
        store::migrate::ensure_days(&store).await.unwrap();
        let env = |_: &str| Some("a long password".to_owned());
        let seed = Seed::parse(Path::new("test.yaml"), &document(&setup), &env).unwrap_or_else(|e| panic!("{e}"));
        let master = MasterKey::from_bytes([7; 32]);
        let seeded = apply(&store, &db.owner_url(), &master, seed).await.unwrap();
        let member = store::auth::by_login(&store, seeded.members[0].login_id).await.unwrap().unwrap();
        let mut world = World {
            store,
            member,
            login_id: seeded.members[0].login_id,
            hosts: Vec::new(),
            check_id: Uuid::nil(),
            node_id: Store::new_id(),
            moved,
            rows: db.admin().await,
            db,
        };
        world.check_id = world.one("SELECT check_id FROM checks WHERE name = 'Shop runs'").await;
        world.enrol_all(&seeded).await;
        if !setup.bounded {
            let lifted = "UPDATE guardrail_buckets SET max_unproven = 1000, max_bad = 1000, max_wave = 1000, max_storm = 1000 WHERE scope_kind = 'client'";
            world.change(lifted).await;
            if setup.clients > 1 {
                let storms = "INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank, max_storm)
                    SELECT tenant_id, 'tenant', tenant_id::text, 1, 1000 FROM tenants
                    ON CONFLICT (tenant_id, scope_kind, scope_key) DO UPDATE SET max_storm = 1000";
                world.change(storms).await;
            }
        }
        world
    }

    /// Every host of the seed becomes one that is linked and trusted.
    async fn enrol_all(&mut self, seeded: &Seeded) {
        let node_id = self.node_id;
        nodes::insert(&self.store, node_id).await.unwrap();
        for (n, planned) in seeded.hosts.iter().enumerate() {
            let client_id: Uuid =
                self.one(&format!("SELECT client_id FROM clients WHERE name = '{}'", planned.client)).await;
            let mut tx = self.tx().await;
            let mut public_key = [0; 32];
            public_key[..8].copy_from_slice(&(n as u64 + 1).to_le_bytes());
            let tags = json!({"role": "web"});
            let new =
                hosts::NewHost { client_id, site_id: None, name: &planned.host, tags: &tags, public_key: &public_key };
            let host_id = hosts::insert(&mut tx, &new).await.unwrap();
            host_links::insert(&mut tx, client_id, host_id, node_id).await.unwrap();
            outcome::host_made(&mut tx, host_id).await.unwrap();
            tx.commit().await.unwrap();
            self.hosts.push(Host { host_id, client_id });
        }
    }

    pub async fn tx(&self) -> TenantTx {
        self.store.begin(&self.member.scope).await.unwrap()
    }

    /// The store of another node, which has just started.
    pub fn node(&self) -> Store {
        let (tenant_url, system_url) = (self.db.login_url(), self.db.system_url());
        let clock = Clock::Moved(self.moved.clone());
        let config = StoreConfig { tenant_url, system_url, tenant_connections: 2, clock };
        Store::connect(&config).unwrap().watching_clock(since_start())
    }

    /// Moves the time.
    pub fn pass(&self, secs: i64) {
        self.moved.advance(SignedDuration::from_secs(secs));
    }

    /// One value, as a superuser sees it.
    pub async fn one<T>(&mut self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.rows).await;
        row.unwrap_or_else(|e| panic!("{sql}: {e}")).get(0)
    }

    /// The first column of all rows, as text.
    pub async fn list(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.rows).await;
        rows.unwrap_or_else(|e| panic!("{sql}: {e}")).iter().map(|row| row.get(0)).collect()
    }

    /// Waits until so many wait for a row's lock in this database.
    pub async fn until_waiting(&mut self, workers: i64) {
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let wait = async {
            while self.one::<i64>(waits).await < workers {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("they come to the lock");
    }

    /// Changes rows behind the product's back.
    pub async fn change(&mut self, sql: &str) {
        sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.rows)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    fn subject(&self, host: Host) -> Subject {
        Subject { client_id: host.client_id, host_id: host.host_id, check_id: self.check_id, target: "shop".into() }
    }

    fn seen(state: &str) -> Seen {
        serde_json::from_value(json!({"data": {"state": state}})).unwrap()
    }

    async fn signal(&mut self, host: Host, raised: bool) {
        let sql = format!("SELECT coalesce(max(version), 0) FROM check_states WHERE host_id = '{}'", host.host_id);
        let version: i64 = self.one::<i64>(&sql).await + 1;
        let subject = self.subject(host);
        let mut tx = self.tx().await;
        let now = tx.now().await.unwrap();
        let (verdict, seen) =
            if raised { (Verdict::Critical, Self::seen("failed")) } else { (Verdict::Ok, Self::seen("running")) };
        let new = NewObservation { subject: &subject, observed_at: now, seen: &seen, verdict, request_id: None };
        let observation_id = observations::insert(&mut tx, &new).await.unwrap();
        let state = State { version, verdict, verdict_at: now, raised, seen, observed_at: now, ..State::unseen(now) };
        check_states::save(&mut tx, &subject, &state).await.unwrap();
        let severity = Severity::Critical;
        let signal = if raised { Signal::Raised(severity) } else { Signal::Cleared(severity) };
        signals::insert(&mut tx, &subject, signal, version, observation_id).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The check of a host turns critical.
    pub async fn breaks(&mut self, host: Host) {
        self.signal(host, true).await;
    }

    /// What `Till runs` says of a host, and has said since the last change.
    pub async fn till(&mut self, host: Host, verdict: Verdict) {
        let check_id = self.one("SELECT check_id FROM checks WHERE name = 'Till runs'").await;
        let subject = Subject { check_id, target: "till".into(), ..self.subject(host) };
        let sql = format!("SELECT coalesce(max(version), 0) FROM check_states WHERE check_id = '{check_id}'");
        let version: i64 = self.one::<i64>(&sql).await + 1;
        let mut tx = self.tx().await;
        let now = tx.now().await.unwrap();
        let seen = Self::seen(if verdict == Verdict::Ok { "running" } else { "failed" });
        let state = State { version, verdict, verdict_at: now, seen, observed_at: now, ..State::unseen(now) };
        check_states::save(&mut tx, &subject, &state).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// `Till runs` says something of a host that nobody asked for.
    pub async fn till_says(&mut self, host: Host, verdict: Verdict) {
        let check_id = self.one("SELECT check_id FROM checks WHERE name = 'Till runs'").await;
        let subject = Subject { check_id, target: "till".into(), ..self.subject(host) };
        let mut tx = self.tx().await;
        let observed_at = tx.now().await.unwrap();
        let seen = Self::seen(if verdict == Verdict::Ok { "running" } else { "failed" });
        let new = NewObservation { subject: &subject, observed_at, seen: &seen, verdict, request_id: None };
        observations::insert(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The check of a host is ok again.
    pub async fn recovers(&mut self, host: Host) {
        self.signal(host, false).await;
    }

    /// A stage works until nothing is due.
    pub async fn work(&self, stage: &impl Stage) {
        run_until_idle(&self.store, stage, &CancellationToken::new()).await.unwrap();
    }

    /// Classify, remediate and verify, until nothing is due.
    pub async fn settle(&self) {
        self.work(&engine::classify::Classify).await;
        self.work(&Remediate::default()).await;
        self.work(&engine::verify::Verify).await;
        self.work(&Remediate::default()).await;
    }

    /// The host takes its job and gets its permit: now it would run.
    pub async fn permit(&mut self, host: Host) -> JobKey {
        let mut tx = self.tx().await;
        let found = jobs::find_to_lease(&mut tx, host.host_id).await.unwrap().expect("the host has a job");
        let fence = hosts::take_fence(&mut tx, host.host_id).await.unwrap().expect("the host is trusted");
        let lease = Lease {
            fence,
            instance_id: Uuid::from_u128(1),
            envelope_digest: &[1; 32],
            lasts: std::time::Duration::from_secs(30),
        };
        jobs::mark_leased(&mut tx, &found.job.key, &lease).await.unwrap();
        assert!(
            jobs::mark_permitted(&mut tx, &found.job.key, fence, std::time::Duration::from_secs(30)).await.unwrap()
        );
        assert!(outcome::permitted(&mut tx, &found.job).await.unwrap());
        tx.commit().await.unwrap();
        found.job.key
    }

    /// The host says how the job ended.
    pub async fn ends(&mut self, key: &JobKey, ended: Ended) {
        let mut tx = self.tx().await;
        let job = jobs::find_locked(&mut tx, key).await.unwrap().unwrap();
        let body = ResultBody { ended, ..body(key, job.fence.unwrap()) };
        let result = JobResult { fence: job.fence.unwrap(), body: "{}", digest: &[2; 32], signature: "s", output: b"" };
        assert_eq!(jobs::mark_finished(&mut tx, &job, &result).await.unwrap(), jobs::Stored::Now);
        outcome::ended(&mut tx, &job, &body).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// How many questions of verify the host owes an answer.
    pub async fn asked(&mut self, host: Host) -> usize {
        let mut tx = self.tx().await;
        check_requests::list_open(&mut tx, host.host_id).await.unwrap().len()
    }

    /// The host answers every open question of verify about its shop; about other targets with `ok`.
    pub async fn answers(&mut self, host: Host, verdict: Verdict) {
        self.answers_of(host, |target| if target == "shop" { verdict } else { Verdict::Ok }).await;
    }

    /// The host answers every open question of verify.
    pub async fn answers_of(&mut self, host: Host, of: impl Fn(&str) -> Verdict) {
        let mut tx = self.tx().await;
        let now = tx.now().await.unwrap();
        for open in check_requests::list_open(&mut tx, host.host_id).await.unwrap() {
            let verdict = of(&open.target);
            let subject = Subject { check_id: open.check_id, target: open.target.clone(), ..self.subject(host) };
            let seen = Self::seen(if verdict == Verdict::Ok { "running" } else { "failed" });
            let request_id = Some(open.request_id);
            let new = NewObservation { subject: &subject, observed_at: now, seen: &seen, verdict, request_id };
            observations::insert(&mut tx, &new).await.unwrap();
            assert!(check_requests::mark_answered(&mut tx, &subject, open.request_id).await.unwrap());
        }
        tx.commit().await.unwrap();
    }

    /// From a permitted job to its verdict: it exits with 0, and both looks say `verdict`.
    pub async fn plays_out(&mut self, host: Host, key: &JobKey, verdict: Verdict) {
        self.plays_out_beside(host, key, verdict, Verdict::Ok).await;
    }

    /// The same, and other targets of the host say `beside`.
    pub async fn plays_out_beside(&mut self, host: Host, key: &JobKey, verdict: Verdict, beside: Verdict) {
        self.ends_and_looks(host, key, Ended::Exited { code: 0 }, verdict, beside).await;
    }

    /// From a permitted job that ends so to its verdict.
    pub async fn ends_and_looks(&mut self, host: Host, key: &JobKey, ended: Ended, verdict: Verdict, beside: Verdict) {
        self.ends(key, ended).await;
        for _ in 0..2 {
            self.pass(4);
            self.settle().await;
            self.answers_of(host, |target| if target == "shop" { verdict } else { beside }).await;
            self.settle().await;
        }
    }

    /// The states of all runs, oldest first.
    pub async fn runs(&mut self) -> Vec<String> {
        self.list("SELECT state FROM runs ORDER BY planned_at, run_id").await
    }

    /// The newest record that a stage stored.
    pub async fn record(&mut self, stage: &str) -> Value {
        let sql = format!(
            "SELECT record FROM decisions WHERE stage = '{stage}' ORDER BY decided_at DESC, decision_id DESC LIMIT 1"
        );
        self.one(&sql).await
    }
}

fn body(key: &JobKey, fence: i64) -> ResultBody {
    ResultBody {
        host_id: Uuid::nil(),
        job: wire::v1::JobKey {
            run_id: key.run_id,
            purpose: wire::v1::Purpose::Fix,
            leg: key.leg,
            attempt: key.attempt,
        },
        fence,
        envelope_digest: String::new(),
        ended: Ended::Exited { code: 0 },
        steps: Vec::new(),
        output_digest: String::new(),
        output_bytes: 0,
        took_ms: 1,
    }
}
