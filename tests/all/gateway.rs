//! The agents' gateway on a real database, spoken to by an agent made of this file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway::{DispatchKeys, Gateway, GatewayConfig};
use keys::{Context, PublicKey, SigningKey, digest};
use serde_json::json;
use sqlx::Executor as _;
use store::auth::OperatorTx;
use store::detect::check_requests;
use store::detect::check_states::Subject;
use store::remediate::jobs;
use store::{Clock, Store, TenantTx, nodes, seeding, tenant_keys};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::v1::*;

use crate::support::TestDb;

mod diagnose;
mod enrolment;
mod inventory;
mod look_again;
mod maintenance;
mod metrics;
mod progress;
mod rotation;

const GUARD: Duration = Duration::from_secs(30);
const TOKEN: &str = "mw_enroll_a_token_of_this_test";

struct World {
    url: String,
    store: Store,
    /// As a superuser: the test's own view of the rows.
    rows: sqlx::PgConnection,
    node: Uuid,
    tenant: Uuid,
    client: Uuid,
    check: Uuid,
    playbook: String,
    playbook_key: SigningKey,
    dispatch_key: PublicKey,
    /// The version of the dispatch key that the next link's host says it holds.
    holds: Option<u32>,
    /// Gives the gateway newer keys.
    rotate: watch::Sender<DispatchKeys>,
    cancel: CancellationToken,
    db: TestDb,
}

impl Drop for World {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

async fn world() -> World {
    world_on(|db| db.store(Clock::Database)).await
}

async fn world_on(store: impl Fn(&TestDb) -> Store) -> World {
    let db = TestDb::new().await;
    let store = store(&db);
    store::migrate::ensure_days(&store).await.unwrap();

    let mut operator = OperatorTx::begin(&store, &db.owner_url()).await.unwrap();
    let tenant = operator.insert_tenant("Ours").await.unwrap();
    let mut tx = operator.into_tenant(tenant).await.unwrap();
    let client = seeding::insert_client(&mut tx, "Alder", "UTC").await.unwrap();
    let plan = seeding::HostPlan {
        client_id: client,
        site_id: None,
        name: "alder-web",
        tags: json!({"role": "web"}),
        token_hash: keys::token::hash(TOKEN),
        lives: Duration::from_secs(3600),
    };
    seeding::insert_host_plan(&mut tx, &plan).await.unwrap();
    let definition = json!({"name": "web", "kind": "service", "target": "shop", "hold_secs": 1, "selector": {"tags": {"role": "web"}}});
    let check = seeding::insert_check(&mut tx, "web", "service", definition).await.unwrap();
    let (playbook_key, key_id) = (key(9), Store::new_id());
    let public_key = playbook_key.public().to_bytes().to_vec();
    tenant_keys::insert(
        &mut tx,
        &tenant_keys::TenantKey { key_id, version: 1, public_key, sealed: None, sealing_version: None },
    )
    .await
    .unwrap();
    let playbook = keys::to_canonical(&json!({"name": "restart", "title": "t", "risk": "L", "effect": "idempotent",
        "parameters": {"service": {"type": "service_name"}},
        "steps": [{"title": "a", "argv": ["{service.start}"], "limit_secs": 30}]}))
    .unwrap();
    let signature = playbook_key.sign(Context::Playbook, &playbook);
    let version = seeding::SignedVersion {
        name: "restart",
        content: &playbook,
        digest: digest(playbook.as_bytes()).0,
        signature: &signature,
        key_id,
    };
    seeding::insert_playbook_version(&mut tx, &version).await.unwrap();
    seeding::insert_mapping(&mut tx, "web", "auto", json!({})).await.unwrap();
    tx.commit().await.unwrap();

    let node_id = Store::new_id();
    nodes::insert(&store, node_id).await.unwrap();
    let (rotate, dispatch_keys) = watch::channel(DispatchKeys::from(key(8)));
    let config = GatewayConfig {
        node_id,
        server_name: "test".into(),
        dispatch_keys,
        elapsed: crate::support::monotonic(),
        random: Arc::new(|| [5; 32]),
    };
    let gateway = Gateway::new(store.clone(), config);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (router, cancel) = (gateway.router(), CancellationToken::new());
    tokio::spawn(async move { axum::serve(listener, router).await });
    tokio::spawn(gateway.run(cancel.clone()));
    World {
        url: format!("ws://{address}"),
        store,
        rows: db.admin().await,
        node: node_id,
        tenant,
        client,
        check,
        playbook,
        playbook_key,
        dispatch_key: key(8).public(),
        holds: Some(1),
        rotate,
        cancel,
        db,
    }
}

impl World {
    async fn tx(&self) -> TenantTx {
        OperatorTx::begin(&self.store, &self.db.owner_url()).await.unwrap().into_tenant(self.tenant).await.unwrap()
    }

    async fn count(&mut self, what: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {what}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut self.rows).await.unwrap()
    }

    /// Waits until `what` has a row.
    async fn appears(&mut self, what: &str) {
        let wait = async {
            while self.count(what).await == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(GUARD, wait).await.unwrap_or_else(|_| panic!("{what} appears"));
    }

    async fn enrol(&self, key: &SigningKey) -> Result<Enrolled, u16> {
        self.enrol_with(key, TOKEN).await
    }

    async fn enrol_with(&self, key: &SigningKey, token: &str) -> Result<Enrolled, u16> {
        self.enrol_as(key, token, "h", None).await
    }

    /// As a machine that calls itself something.
    async fn enrol_as(
        &self,
        key: &SigningKey,
        token: &str,
        hostname: &str,
        machine: Option<&str>,
    ) -> Result<Enrolled, u16> {
        let mut peer = Peer::open(&format!("{}{ENROLL_PATH}", self.url)).await;
        let Ok(Down::Challenge(challenge)) = peer.next().await else { panic!("no challenge") };
        let public_key = key.public().to_string();
        let signature = key.sign(Context::Enroll, &Enroll::signed_text(&challenge, &public_key));
        let enroll = Enroll {
            protocol: PROTOCOL,
            agent_version: "1".into(),
            token: token.into(),
            public_key,
            hostname: hostname.into(),
            profile: Profile::LowRisk,
            machine: machine.map(|id| digest(Enroll::machine_text(id).as_bytes()).to_string()),
            signature,
        };
        peer.send(Up::Enroll(enroll)).await;
        match peer.next().await? {
            Down::Enrolled(enrolled) => Ok(enrolled),
            other => panic!("{other:?}"),
        }
    }

    /// A link up to its `Welcome`; `max_fence` is what the agent's journal holds.
    async fn link(&self, host: Uuid, instance: Uuid, max_fence: i64) -> (Peer, Welcome) {
        self.link_with(host, instance, max_fence, JournalState::Sound).await
    }

    async fn link_with(&self, host: Uuid, instance: Uuid, max_fence: i64, journal: JournalState) -> (Peer, Welcome) {
        let key = key(1);
        let mut peer = Peer::open(&format!("{}{LINK_PATH}/{}", self.url, key.public().id())).await;
        let Ok(Down::Challenge(challenge)) = peer.next().await else { panic!("no challenge") };
        let text = Prove::signed_text(&challenge, self.tenant, host, instance);
        let signature = key.sign(Context::Link, &text);
        peer.send(Up::Prove(Prove { protocol: PROTOCOL, host_id: host, instance_id: instance, signature })).await;
        peer.send(hello(max_fence, journal, self.holds)).await;
        let Ok(Down::Welcome(welcome)) = peer.next().await else { panic!("no welcome") };
        (peer, welcome)
    }

    /// A run that is admitted, with everything above it.
    async fn run(&mut self, host: Uuid) -> Uuid {
        let (run, tenant, client, check) = (Store::new_id(), self.tenant, self.client, self.check);
        let digest = digest(self.playbook.as_bytes());
        let sql = format!(
            "INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at) VALUES ('{tenant}', '{client}', '{run}', 't', 'critical', 'open', clock_timestamp());
             INSERT INTO alerts (tenant_id, client_id, alert_id, incident_id, host_id, check_id, target, fingerprint, severity, state, opened_at, newest_version)
               VALUES ('{tenant}', '{client}', '{run}', '{run}', '{host}', '{check}', 'shop', '\\x02', 'critical', 'open', clock_timestamp(), 1);
             INSERT INTO remediations (tenant_id, client_id, remediation_id, alert_id, incident_id, mapping_id, mapping_version, opened_at)
               SELECT '{tenant}', '{client}', '{run}', '{run}', '{run}', mapping_id, 1, clock_timestamp() FROM mappings;
             INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung, playbook_id, playbook_digest, parameters, mode, state, attempt, planned_at, admitted_at)
               SELECT '{tenant}', '{client}', '{run}', '{run}', '{run}', '{run}', '{host}', '{check}', 'shop', 1, playbook_id, '\\x{digest}', '{{\"service\": \"shop\"}}', 'auto', 'admitted', 1, clock_timestamp(), clock_timestamp() FROM playbooks;"
        );
        self.rows.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
        run
    }

    async fn queue(&self, host: Uuid, run_id: Uuid) {
        let mut tx = self.tx().await;
        let expires_at = tx.now().await.unwrap() + Duration::from_secs(600);
        let key = jobs::JobKey { run_id, purpose: "fix".into(), leg: 1, attempt: 1 };
        let job = jobs::NewJob { key, client_id: self.client, host_id: host };
        jobs::insert(&mut tx, &[job], expires_at).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// A second node's loops, and both nodes' ears; they end with the value.
async fn loops_of_another_node(world: &World, poll: Duration) -> JoinSet<()> {
    let (store, node) = (world.db.store(Clock::Database).polling(poll), Store::new_id());
    nodes::insert(&store, node).await.unwrap();
    let mut tasks = JoinSet::new();
    for (store, node) in [(world.store.clone(), world.node), (store.clone(), node)] {
        tasks.spawn(async move { store::wake::relay(&store, node).await });
    }
    let cancel = &world.cancel;
    tasks.spawn(engine::lease::run(store.clone(), engine::classify::Classify, cancel.clone()));
    tasks.spawn(engine::lease::run(store.clone(), engine::remediate::Remediate::default(), cancel.clone()));
    tasks.spawn(engine::lease::run(store.clone(), engine::verify::Verify, cancel.clone()));
    tasks
}

/// What an agent says of itself when its link begins.
pub(super) fn hello(max_fence: i64, journal: JournalState, dispatch_version: Option<u32>) -> Up {
    let limits = HostLimits {
        profile: Profile::LowRisk,
        allowed_playbooks: vec![],
        max_runs_per_hour: 5,
        hours: Vec::new(),
        max_run_secs: None,
        max_memory_mib: None,
        scripts: false,
        services: vec!["shop".into()],
        units: vec![],
        path: "/p".into(),
    };
    Up::Hello(Box::new(Hello {
        agent_version: "1".into(),
        boot_id: Uuid::from_u128(7),
        uptime_secs: 100_000,
        max_fence,
        journal,
        jobs: vec![],
        checks: vec![],
        limits,
        notes: vec![],
        dispatch_version,
    }))
}

/// The agent's end of a connection.
pub(super) struct Peer(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Peer {
    pub(super) async fn open(url: &str) -> Peer {
        Peer(tokio_tungstenite::connect_async(url).await.unwrap().0)
    }

    pub(super) async fn send(&mut self, up: Up) {
        self.0.send(Message::text(serde_json::to_string(&up).unwrap())).await.unwrap();
    }

    /// The next message, or the code of the close.
    pub(super) async fn next(&mut self) -> Result<Down, u16> {
        // As a whole: a link that says nothing still pings.
        let wait = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(text.as_str()).unwrap()),
                    Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                    Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(0),
                    Some(Ok(_)) => {}
                }
            }
        };
        timeout(GUARD, wait).await.expect("the server says something")
    }

    /// The code and the sentence of the close that comes next.
    async fn closed(&mut self) -> (u16, String) {
        match timeout(GUARD, self.0.next()).await.expect("the server says something") {
            Some(Ok(Message::Close(Some(frame)))) => (frame.code.into(), frame.reason.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    /// The code of the close, whatever is said before it.
    pub(super) async fn until_closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    /// The first message that `pick` takes.
    async fn until<T>(&mut self, mut pick: impl FnMut(Down) -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(found) = pick(self.next().await.expect("the link stands")) {
                    return found;
                }
            }
        };
        timeout(GUARD, wait).await.expect("the server says it")
    }

    async fn observe(&mut self, check_id: Uuid, seq: u64, state: &str, request_id: Option<Uuid>) {
        self.send(Up::Observed(observed(check_id, seq, state, request_id))).await;
        self.until(|down| match down {
            Down::Ack { observed_seq, .. } => {
                assert_eq!(observed_seq, Some(seq));
                Some(())
            }
            _ => None,
        })
        .await;
    }

    async fn config(&mut self) -> Config {
        self.until(|down| if let Down::Config(config) = down { Some(config) } else { None }).await
    }
}

fn observed(check_id: Uuid, seq: u64, state: &str, request_id: Option<Uuid>) -> Observed {
    let seen = Seen::Data(BTreeMap::from([("state".to_owned(), Value::Text(state.to_owned()))]));
    Observed { seq, reading: Reading { check_id, target: "shop".into(), age_ms: 3, seen }, request_id }
}

fn result(host: Uuid, envelope: &Envelope, digest: &str, code: i32) -> JobResult {
    let body = ResultBody {
        host_id: host,
        job: envelope.job,
        fence: envelope.fence,
        envelope_digest: digest.to_owned(),
        ended: Ended::Exited { code },
        steps: vec![StepResult { step: 1, code: Some(code), began_ms: 0, took_ms: 5 }],
        output_digest: keys::digest(b"done\n").to_string(),
        output_bytes: 5,
        took_ms: 5,
    };
    let body = keys::to_canonical(&body).unwrap();
    JobResult { signature: key(1).sign(Context::Result, &body), body, output: "ZG9uZQo=".into() }
}

#[tokio::test]
async fn a_token_makes_one_host_and_answers_the_same_key_again() {
    let mut world = world().await;
    let first = world.enrol(&key(1)).await.unwrap();
    assert_eq!(world.enrol(&key(1)).await.unwrap(), first);
    assert_eq!(world.enrol(&key(2)).await, Err(close::TOKEN));
    assert_eq!(first.playbook_keys, [world.playbook_key.public().to_string()]);
    assert_eq!(first.dispatch_key, world.dispatch_key.to_string());
    assert_eq!(world.count("hosts").await, 1);
    assert_eq!(world.count("host_links WHERE epoch = 0 AND unlinked_at IS NOT NULL").await, 1);
    assert_eq!(world.count("audit WHERE action = 'host.enrolled'").await, 1);
}

#[tokio::test]
async fn every_path_refuses_who_is_not_who_they_say() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    for path in gateway::routes() {
        match path.as_str() {
            // A token nobody was given, and one that is spent.
            "/agent/v1/enroll" => {
                for token in ["mw_enroll_guess", TOKEN] {
                    assert_eq!(world.enrol_with(&key(2), token).await, Err(close::TOKEN));
                }
            }
            // A key nobody has; our host's, proven by another; our host's with another's name.
            "/agent/v1/link/{key_id}" => {
                for (names, signs, says) in
                    [(key(3), key(3), host), (key(1), key(3), host), (key(1), key(1), Uuid::nil())]
                {
                    let mut peer = Peer::open(&format!("{}{LINK_PATH}/{}", world.url, names.public().id())).await;
                    let refused = match peer.next().await {
                        Ok(Down::Challenge(challenge)) => {
                            let instance_id = Uuid::from_u128(1);
                            let text = Prove::signed_text(&challenge, world.tenant, says, instance_id);
                            let signature = signs.sign(Context::Link, &text);
                            peer.send(Up::Prove(Prove { protocol: PROTOCOL, host_id: says, instance_id, signature }))
                                .await;
                            peer.next().await
                        }
                        refused => refused,
                    };
                    assert_eq!(refused, Err(close::HOST_KEY));
                }
            }
            other => panic!("{other} is not tried here"),
        }
    }
    assert_eq!(world.count("host_links WHERE epoch = 0").await, 1, "nobody was linked");
    assert_eq!(world.count("hosts").await, 1);
}

#[tokio::test]
async fn a_question_for_later_is_asked_when_its_time_comes_also_of_a_link_that_opened_meanwhile() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let subject = Subject { client_id: world.client, host_id: host, check_id: world.check, target: "shop".into() };
    let place = async |world: &World, after_ms: i64| {
        let mut tx = world.tx().await;
        let at = tx.now().await.unwrap() + jiff::SignedDuration::from_millis(after_ms);
        let question = check_requests::insert(&mut tx, &subject, "verify", at, Duration::from_secs(30)).await.unwrap();
        tx.commit().await.unwrap();
        (at, question.0)
    };
    let mut waiting = place(&world, 700).await;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    // First the one that was placed without a link, by itself; then one that was placed with it.
    for _ in 0..2 {
        let asked = peer.until(|down| if let Down::CheckNow(asked) = down { Some(asked) } else { None }).await;
        assert_eq!(asked.request_id, waiting.1);
        assert!(world.tx().await.now().await.unwrap() >= waiting.0, "not before");
        waiting = place(&world, 700).await;
    }
    // An answer that comes before its question is none.
    let (_, placed) = place(&world, 600_000).await;
    peer.observe(world.check, 1, "running", Some(placed)).await;
    assert_eq!(world.count("check_requests WHERE answered_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_death_is_a_signal_before_its_ack_and_a_question_is_answered() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, welcome) = world.link(host, Uuid::from_u128(1), 0).await;
    assert_eq!((welcome.epoch, welcome.quarantined), (1, false));
    let config = peer.config().await;
    assert_eq!(config.checks.len(), 1);
    assert_eq!(config.checks[0].ok_when.len(), 1);
    let check = world.check;
    peer.observe(check, 1, "running", None).await;
    peer.observe(check, 2, "failed", None).await;
    world.appears("signals WHERE kind = 'raised'").await;
    assert_eq!(
        world.count("check_states WHERE verdict = 'critical' AND raised AND pending_at IS NULL AND version = 3").await,
        1
    );
    assert_eq!(world.count("decisions WHERE stage = 'detect' AND outcome = 'raised'").await, 1);
    assert_eq!(world.count("tenant_wakeups WHERE queue = 'classify'").await, 1);

    let mut tx = world.tx().await;
    let subject = Subject { client_id: world.client, host_id: host, check_id: check, target: "shop".into() };
    let now = tx.now().await.unwrap();
    let (request, _) = check_requests::insert(&mut tx, &subject, "verify", now, Duration::from_secs(30)).await.unwrap();
    tx.commit().await.unwrap();
    let asked = peer.until(|down| if let Down::CheckNow(asked) = down { Some(asked) } else { None }).await;
    assert_eq!(asked.request_id, request);
    peer.observe(check, 3, "running", Some(request)).await;
    let answer = format!("observations WHERE request_id = '{request}' AND verdict = 'ok'");
    assert_eq!(world.count(&answer).await, 1);
    assert_eq!(world.count("check_requests WHERE answered_at IS NOT NULL").await, 1);
    assert_eq!(world.count("signals WHERE kind = 'cleared'").await, 1);

    let (mut newer, welcome) = world.link(host, Uuid::from_u128(2), 0).await;
    assert_eq!(welcome.epoch, 2);
    newer.config().await;
    assert_eq!(peer.next().await, Err(close::REPLACED));
    newer.send(Up::Goodbye { reason: "reboot".into() }).await;
    world.appears("host_links WHERE epoch = 2 AND goodbye = 'reboot' AND unlinked_at IS NOT NULL").await;
}

#[tokio::test]
async fn a_mapping_that_cannot_be_read_costs_no_alert() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    peer.config().await;
    peer.observe(world.check, 1, "failed", None).await;
    world.appears("signals WHERE kind = 'raised'").await;
    let (stage, cancel) = (engine::classify::Classify, tokio_util::sync::CancellationToken::new());
    engine::lease::run_until_idle(&world.store, &stage, &cancel).await.unwrap();
    assert_eq!(world.count("incidents WHERE state = 'escalated'").await, 1);
    let record = "decisions WHERE stage = 'classify' AND record::text LIKE '%it cannot be read%'";
    assert_eq!(world.count(record).await, 1);

    // The incident's page finds the decision that raised it.
    let incident: Uuid =
        sqlx::query_scalar("SELECT incident_id FROM incidents").fetch_one(&mut world.rows).await.unwrap();
    let alerts = store::pages::incident::list_alerts(&mut world.tx().await, incident).await.unwrap();
    let detected: domain::detect::DetectRecord = serde_json::from_value(alerts[0].detected.clone().unwrap()).unwrap();
    assert_eq!((detected.outcome.as_str(), detected.hold_secs), ("raised", 1));
}

#[tokio::test]
async fn a_job_is_leased_permitted_and_finished_once() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let instance = Uuid::from_u128(1);
    let (mut peer, _) = world.link(host, instance, 0).await;
    peer.config().await;
    let run = world.run(host).await;
    world.queue(host, run).await;
    let job = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    world.dispatch_key.verify(Context::Envelope, &job.envelope, &job.envelope_signature).unwrap();
    world.playbook_key.public().verify(Context::Playbook, &job.playbook, &job.playbook_signature).unwrap();
    let envelope: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    assert_eq!((envelope.host_id, envelope.instance_id, envelope.fence), (host, instance, 1));

    peer.send(Up::Lease {}).await;
    let again = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    assert_eq!(again, job, "the same instance gets the same lease");

    let digest = digest(job.envelope.as_bytes()).to_string();
    let stale = Start { job: envelope.job, fence: 1, digest: "00".repeat(32) };
    peer.send(Up::Start(stale)).await;
    assert!(matches!(peer.next().await, Ok(Down::Withdraw { .. })));
    let start = Start { job: envelope.job, fence: 1, digest: digest.clone() };
    for _ in 0..2 {
        peer.send(Up::Start(start.clone())).await;
        assert_eq!(peer.next().await, Ok(Down::Permit { job: envelope.job, fence: 1 }));
    }
    assert_eq!(world.count("hosts WHERE seen_fence = 1").await, 1);

    let ack = Down::Ack { observed_seq: None, result: Some(ResultAck { job: envelope.job, fence: 1 }) };
    for code in [0, 0, 1] {
        peer.send(Up::Result(result(host, &envelope, &digest, code))).await;
        assert_eq!(peer.next().await, Ok(ack.clone()));
    }
    assert_eq!(world.count("jobs WHERE state = 'finished'").await, 1);
    assert_eq!(world.count("job_results").await, 1);
    assert_eq!(world.count("run_output WHERE bytes = 'done\n'").await, 1);
    assert_eq!(world.count("audit WHERE action = 'security'").await, 1);

    let (mut restored, welcome) = world.link(host, Uuid::from_u128(2), 0).await;
    assert!(welcome.quarantined, "its journal ends before the fence it has sent");
    restored.config().await;
    assert_eq!(world.count("hosts WHERE state = 'quarantined' AND quarantine_reason IS NOT NULL").await, 1);
    assert_eq!(world.count("audit WHERE action = 'host.quarantined'").await, 1);
}

/// A repair whose every step is due on the node that does not hear the agent, or due later; a poll would come long after
/// the guard. So each loop was woken by the other node's notification, or woke by itself when it was time.
#[tokio::test]
async fn work_goes_from_node_to_node_while_nobody_polls() {
    let poll = Duration::from_secs(24 * 3600);
    let mut world = world_on(|db| db.store(Clock::Database).polling(poll)).await;
    let definition = r#"{"name": "web", "when": {"check": "web"}, "verify": {"settle_secs": 0, "stable_secs": 1},
        "ladder": [{"playbook": "restart", "parameters": {"service": "{target}"}}]}"#;
    let mapping = format!("UPDATE mapping_versions SET definition = '{definition}'");
    world.rows.execute(sqlx::AssertSqlSafe(mapping)).await.unwrap();
    let _loops = loops_of_another_node(&world, poll).await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    peer.config().await;
    peer.observe(world.check, 1, "running", None).await;
    peer.send(Up::Observed(observed(world.check, 2, "failed", None))).await;
    let job = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    let envelope: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    let digest = digest(job.envelope.as_bytes()).to_string();
    peer.send(Up::Start(Start { job: envelope.job, fence: envelope.fence, digest: digest.clone() })).await;
    peer.until(|down| matches!(down, Down::Permit { .. }).then_some(())).await;
    peer.send(Up::Result(result(host, &envelope, &digest, 0))).await;
    for seq in 3..=4 {
        let asked = peer.until(|down| if let Down::CheckNow(asked) = down { Some(asked) } else { None }).await;
        peer.send(Up::Observed(observed(world.check, seq, "running", Some(asked.request_id)))).await;
    }
    world.appears("incidents WHERE outcome = 'fixed'").await;
}

#[tokio::test]
async fn a_node_whose_ears_were_cut_off_hears_again_and_looks_at_everything_once() {
    let poll = Duration::from_secs(24 * 3600);
    let mut world = world_on(|db| db.store(Clock::Database).polling(poll)).await;
    let _loops = loops_of_another_node(&world, poll).await;
    let ears = "pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    while world.count(ears).await < 2 {
        tokio::task::yield_now().await;
    }
    let cut = format!("SELECT pg_terminate_backend(pid) FROM {ears}");
    world.rows.execute(sqlx::AssertSqlSafe(cut)).await.unwrap();
    // Nobody hears this being due.
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    peer.config().await;
    peer.observe(world.check, 1, "failed", None).await;
    world.appears("incidents WHERE state = 'escalated'").await;
}

#[tokio::test]
async fn a_person_ends_a_quarantine_and_the_agent_comes_back_for_its_job() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    world.rows.execute("UPDATE hosts SET seen_fence = 4, next_fence = 5").await.unwrap();
    let instance = Uuid::from_u128(1);
    let (mut peer, welcome) = world.link_with(host, instance, 0, JournalState::Missing).await;
    assert!(welcome.quarantined);
    peer.config().await;
    let run = world.run(host).await;
    world.queue(host, run).await;
    let mut tx = world.tx().await;
    assert!(store::hosts::mark_attested(&mut tx, world.client, host, "Somebody").await.unwrap());
    tx.commit().await.unwrap();
    // No job under the old trust: the agent is asked to say Hello again.
    assert!(matches!(peer.next().await, Ok(Down::Retry { .. })));
    let (mut peer, welcome) = world.link_with(host, instance, 0, JournalState::Missing).await;
    assert!(!welcome.quarantined, "its journal is still gone: it begins a new one when it hears this");
    let job = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    let envelope: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    assert_eq!(envelope.fence, 5, "fences go on where they were");
    let digest = digest(job.envelope.as_bytes()).to_string();
    peer.send(Up::Start(Start { job: envelope.job, fence: 5, digest })).await;
    assert!(matches!(peer.next().await, Ok(Down::Permit { .. })));
    assert_eq!(world.count("hosts WHERE state = 'trusted' AND seen_fence = 5 AND attested_at IS NOT NULL").await, 1);

    let (_, welcome) = world.link_with(host, Uuid::from_u128(2), 0, JournalState::Missing).await;
    assert!(welcome.quarantined, "the word covered one loss");
}

#[tokio::test]
async fn a_frozen_host_gets_no_permit_and_a_lease_of_another_instance_is_void() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let run = world.run(host).await;
    world.queue(host, run).await;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let job = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    let envelope: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    world.rows.execute("UPDATE platform_state SET frozen = true").await.unwrap();
    let digest = digest(job.envelope.as_bytes()).to_string();
    let start = Start { job: envelope.job, fence: envelope.fence, digest };
    peer.send(Up::Start(start.clone())).await;
    assert!(matches!(peer.next().await, Ok(Down::Withdraw { .. })));
    world.rows.execute("UPDATE platform_state SET frozen = false").await.unwrap();

    let (mut second, _) = world.link(host, Uuid::from_u128(2), 1).await;
    let job = second.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    let anew: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    assert_eq!(anew.fence, 2);
    second.send(Up::Start(start)).await;
    assert!(matches!(second.next().await, Ok(Down::Withdraw { .. })));
}

#[tokio::test]
async fn a_storm_on_the_platform_gives_no_fix_a_permit_or_a_lease_and_freezes_nothing() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let run = world.run(host).await;
    world.queue(host, run).await;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let job = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    let envelope: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    let storm = "UPDATE platform_state SET storm = true, storm_kind = 'measured', storm_since = clock_timestamp(), storm_ends_at = clock_timestamp() + interval '10 minutes'";
    world.rows.execute(storm).await.unwrap();
    let digest = digest(job.envelope.as_bytes()).to_string();
    peer.send(Up::Start(Start { job: envelope.job, fence: envelope.fence, digest })).await;
    let Ok(Down::Withdraw { reason, .. }) = peer.next().await else { panic!("no permit is given") };
    assert_eq!(reason, "a storm on the whole platform");

    let (mut second, _) = world.link(host, Uuid::from_u128(2), 1).await;
    second.send(Up::Lease {}).await;
    second.send(Up::Observed(observed(world.check, 1, "running", None))).await;
    second
        .until(|down| match down {
            Down::Job(_) | Down::Freeze { .. } => panic!("{down:?}"),
            Down::Ack { .. } => Some(()),
            _ => None,
        })
        .await;
    // Its time is over, and no loop has written that down.
    let over = "UPDATE platform_state SET storm_ends_at = clock_timestamp()";
    world.rows.execute(over).await.unwrap();
    second.send(Up::Lease {}).await;
    second.until(|down| matches!(down, Down::Job(_)).then_some(())).await;
}

#[tokio::test]
async fn an_agent_of_another_protocol_is_told_both_numbers() {
    let world = world().await;
    world.enrol(&key(1)).await.unwrap();
    let enroll = Enroll {
        protocol: 99,
        agent_version: "of the year 2099".into(),
        token: TOKEN.into(),
        public_key: key(2).public().to_string(),
        hostname: "h".into(),
        profile: Profile::LowRisk,
        machine: None,
        signature: String::new(),
    };
    let prove = Prove { protocol: 99, host_id: Uuid::nil(), instance_id: Uuid::from_u128(1), signature: String::new() };
    let link = format!("{LINK_PATH}/{}", key(1).public().id());
    for (path, up) in [(ENROLL_PATH, Up::Enroll(enroll)), (link.as_str(), Up::Prove(prove))] {
        let mut peer = Peer::open(&format!("{}{path}", world.url)).await;
        assert!(matches!(peer.next().await, Ok(Down::Challenge(_))));
        peer.send(up).await;
        let (code, reason) = peer.closed().await;
        assert_eq!(code, close::PROTOCOL);
        assert_eq!(reason, "the server speaks protocol 1, the agent 99; update the agent");
    }
}
