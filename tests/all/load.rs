//! `make load AGENTS=n SECONDS=s`: that many agents, made of this file, on TLS links to a real server; each breaks once and
//! is repaired. Prints one JSON object as its last line; nothing here is judged.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use keys::{Context, SigningKey};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;
use wire::v1::*;

use crate::bench::{LIMITS, number, spread};
use crate::support::program;

/// A hang guard, for each wait that is not the load itself.
const GUARD: Duration = Duration::from_secs(120);
/// Handshakes at once.
const AT_ONCE: usize = 16;
/// Hosts of one client.
const PER_CLIENT: usize = 20;
/// An agent says this often that its service runs.
const SAYS: Duration = Duration::from_secs(10);

fn document(agents: usize) -> String {
    let mut yaml = String::from(
        "tenant: {name: Load, time_zone: UTC}\nmembers: [{name: Owner, email: owner@load.example, role: owner, password_env: PASSWORD}]\nclients:\n",
    );
    for client in 0..agents.div_ceil(PER_CLIENT) {
        let hosts: Vec<String> = (client * PER_CLIENT..agents.min((client + 1) * PER_CLIENT))
            .map(|n| format!("{{name: h{n}, tags: {{role: web}}}}"))
            .collect();
        let _ = writeln!(yaml, "  - {{name: c{client}, hosts: [{}]}}", hosts.join(", "));
    }
    let _ = write!(
        yaml,
        "checks:\n  - {{name: Shop runs, kind: service, target: shop, interval_secs: 2, grace_after_boot_secs: 0}}\n\
         playbooks:\n  - name: start\n    title: Start it again\n    risk: L\n    effect: idempotent\n    parameters: {{service: {{type: service_name}}}}\n\
         \x20   steps: [{{title: Start it, argv: [\"{{service.start}}\"], limit_secs: 30}}]\n\
         mappings:\n  - name: Shop is started again\n    mode: auto\n    when: {{check: Shop runs}}\n    ladder: [{{playbook: start, parameters: {{service: \"{{target}}\"}}}}]\n\
         \x20   verify: {{settle_secs: 0, stable_secs: 0.5}}\n{LIMITS}"
    );
    yaml
}

/// `mendwright up` in a folder of its own; ends with the value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

impl Server {
    /// Starts it; gives its address, and a token for each host.
    fn start(folder: &Path, agents: usize) -> (Server, String, Vec<String>) {
        let seed = folder.join("seed.yaml");
        std::fs::write(&seed, document(agents)).unwrap();
        let log = std::fs::File::create(folder.join("server.log")).unwrap();
        let mut child = Command::new(program("mendwright"))
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .arg("--seed")
            .arg(&seed)
            .env("PASSWORD", "correct horse battery")
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (server, mut url, mut tokens) = (Server(child), String::new(), Vec::new());
        for line in lines.map_while(Result::ok) {
            if let Some(at) = line.strip_prefix("Mendwright is up at ") {
                url = at.to_owned();
            }
            if let Some((_, rest)) = line.split_once("--token ") {
                tokens.push(rest.split(' ').next().unwrap().to_owned());
            }
            if tokens.len() == agents {
                break;
            }
        }
        assert_eq!(tokens.len(), agents, "the server printed a token for each host; its log is server.log");
        (server, url.trim_start_matches("https://").to_owned(), tokens)
    }

    /// Resident memory in MB, and CPU seconds used so far.
    fn footprint(&self) -> (f64, f64) {
        let pid = self.0.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        (rss.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0, ticks / 100.0)
    }
}

/// What all agents know.
struct Around {
    address: String,
    tls: TlsConnector,
    at_once: Semaphore,
}

/// One agent on its link.
struct Agent {
    link: WebSocketStream<TlsStream<TcpStream>>,
    key: SigningKey,
    host: Uuid,
    check: Uuid,
    seq: u64,
}

/// What an agent has seen, times in ms.
#[derive(Default)]
struct Story {
    link_ms: f64,
    acks: u64,
    permit_ms: Option<f64>,
    repaired_ms: Option<f64>,
}

impl Around {
    async fn open(&self, path: &str) -> WebSocketStream<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let stream = self.tls.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await.unwrap();
        let url = format!("wss://{}{path}", self.address);
        tokio_tungstenite::client_async(url, stream).await.unwrap().0
    }

    async fn enrol(&self, token: &str, key: &SigningKey) -> Enrolled {
        let mut peer = self.open(ENROLL_PATH).await;
        let Some(Down::Challenge(challenge)) = next(&mut peer).await else { panic!("no challenge") };
        let public_key = key.public().to_string();
        let signature = key.sign(Context::Enroll, &Enroll::signed_text(&challenge, &public_key));
        let (agent_version, hostname) = ("load".into(), "h".into());
        let (token, profile) = (token.to_owned(), Profile::LowRisk);
        let (machine, protocol) = (None, PROTOCOL);
        let enroll = Enroll { protocol, agent_version, token, public_key, hostname, profile, machine, signature };
        say(&mut peer, Up::Enroll(enroll)).await;
        match next(&mut peer).await {
            Some(Down::Enrolled(enrolled)) => enrolled,
            other => panic!("not enrolled: {other:?}"),
        }
    }

    async fn link(&self, enrolled: &Enrolled, key: SigningKey) -> Agent {
        let instance = Uuid::from_u128(1);
        let mut link = self.open(&format!("{LINK_PATH}/{}", key.public().id())).await;
        let Some(Down::Challenge(challenge)) = next(&mut link).await else { panic!("no challenge") };
        let text = Prove::signed_text(&challenge, enrolled.tenant_id, enrolled.host_id, instance);
        let signature = key.sign(Context::Link, &text);
        let prove = Prove { protocol: PROTOCOL, host_id: enrolled.host_id, instance_id: instance, signature };
        say(&mut link, Up::Prove(prove)).await;
        let limits = HostLimits {
            profile: Profile::LowRisk,
            allowed_playbooks: vec![],
            max_runs_per_hour: 1_000,
            hours: Vec::new(),
            max_run_secs: None,
            max_memory_mib: None,
            scripts: false,
            services: vec!["shop".into()],
            units: vec![],
            path: "/load".into(),
        };
        let hello = Hello {
            agent_version: "load".into(),
            boot_id: Uuid::from_u128(7),
            uptime_secs: 100_000,
            max_fence: 0,
            journal: JournalState::Sound,
            jobs: vec![],
            checks: vec![],
            limits,
            dispatch_version: None,
            notes: vec![],
        };
        say(&mut link, Up::Hello(Box::new(hello))).await;
        let check = loop {
            match next(&mut link).await {
                Some(Down::Config(config)) => break config.checks[0].check_id,
                Some(_) => {}
                None => panic!("the link ended"),
            }
        };
        Agent { link, key, host: enrolled.host_id, check, seq: 0 }
    }
}

async fn say(peer: &mut WebSocketStream<TlsStream<TcpStream>>, up: Up) {
    peer.send(Message::text(serde_json::to_string(&up).unwrap())).await.unwrap();
}

async fn next(peer: &mut WebSocketStream<TlsStream<TcpStream>>) -> Option<Down> {
    while let Some(Ok(message)) = peer.next().await {
        if let Message::Text(text) = message {
            return Some(serde_json::from_str(text.as_str()).unwrap());
        }
    }
    None
}

impl Agent {
    async fn observe(&mut self, state: &str, request_id: Option<Uuid>) {
        self.seq += 1;
        let seen = wire::v1::Seen::Data(BTreeMap::from([("state".to_owned(), Value::Text(state.to_owned()))]));
        let reading = Reading { check_id: self.check, target: "shop".into(), age_ms: 0, seen };
        say(&mut self.link, Up::Observed(Observed { seq: self.seq, reading, request_id })).await;
    }

    fn result(&self, envelope: &Envelope, digest: &str) -> JobResult {
        let body = ResultBody {
            host_id: self.host,
            job: envelope.job,
            fence: envelope.fence,
            envelope_digest: digest.to_owned(),
            ended: Ended::Exited { code: 0 },
            steps: vec![StepResult { step: 1, code: Some(0), began_ms: 0, took_ms: 5 }],
            output_digest: keys::digest(b"").to_string(),
            output_bytes: 0,
            took_ms: 5,
        };
        let body = keys::to_canonical(&body).unwrap();
        JobResult { signature: self.key.sign(Context::Result, &body), body, output: String::new() }
    }

    /// Says that all is well, breaks after `breaks_after`, does what it is told, until `until`.
    async fn live(mut self, mut seen: Story, breaks_after: Duration, until: Instant) -> Story {
        let mut says = tokio::time::interval(SAYS);
        let (breaks, ends) = (tokio::time::sleep(breaks_after), tokio::time::sleep_until(until.into()));
        tokio::pin!(breaks, ends);
        let (mut broke, mut job) = (None::<Instant>, None);
        loop {
            tokio::select! {
                () = &mut ends => return seen,
                () = &mut breaks, if broke.is_none() => {
                    broke = Some(now());
                    self.observe("failed", None).await;
                }
                _ = says.tick(), if broke.is_none() || seen.repaired_ms.is_some() => self.observe("running", None).await,
                down = next(&mut self.link) => {
                    let since = || broke.map_or(0.0, |at| at.elapsed().as_secs_f64() * 1_000.0);
                    match down.expect("the link stands") {
                        Down::Job(sent) => {
                            let envelope: Envelope = keys::parse_canonical(&sent.envelope).unwrap();
                            let digest = keys::digest(sent.envelope.as_bytes()).to_string();
                            let start = Start { job: envelope.job, fence: envelope.fence, digest: digest.clone() };
                            say(&mut self.link, Up::Start(start)).await;
                            job = Some((envelope, digest));
                        }
                        Down::Permit { .. } => if let Some((envelope, digest)) = job.take() {
                            seen.permit_ms = Some(since());
                            let result = self.result(&envelope, &digest);
                            say(&mut self.link, Up::Result(result)).await;
                        },
                        Down::Ack { result: Some(_), .. } => {
                            seen.repaired_ms = Some(since());
                            self.observe("running", None).await;
                        }
                        Down::Ack { .. } => seen.acks += 1,
                        Down::CheckNow(asked) => self.observe("running", Some(asked.request_id)).await,
                        _ => {}
                    }
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
fn now() -> Instant {
    Instant::now()
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make load"]
async fn agents_on_links() {
    let (agents, secs) = (setting("MENDWRIGHT_LOAD_AGENTS", 100), setting("MENDWRIGHT_LOAD_SECONDS", 30));
    let lasts = Duration::from_secs(secs as u64);
    let _ = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    let folder = tempfile::Builder::new().prefix("mendwright-load-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let (server, address, tokens) = Server::start(folder.path(), agents);

    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("data/keys/authority.pem")).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tls = TlsConnector::from(Arc::new(tls));
    let around = Arc::new(Around { address, tls, at_once: Semaphore::new(AT_ONCE) });

    let mut linking = JoinSet::new();
    for (n, token) in tokens.into_iter().enumerate() {
        let around = around.clone();
        linking.spawn(async move {
            let _one = around.at_once.acquire().await.unwrap();
            let mut secret = [0; 32];
            secret[..8].copy_from_slice(&(n as u64 + 1).to_le_bytes());
            let key = SigningKey::from_bytes(&secret);
            let enrolled = around.enrol(&token, &key).await;
            let since = now();
            let agent = around.link(&enrolled, key).await;
            (n, agent, Story { link_ms: since.elapsed().as_secs_f64() * 1_000.0, ..Story::default() })
        });
    }
    let linked = tokio::time::timeout(GUARD, linking.join_all()).await.expect("every agent is linked");
    let count = linked.len();
    let (_, cpu) = server.footprint();
    let began = now();
    let mut living = JoinSet::new();
    for (n, agent, seen) in linked {
        // Spread over the middle of the time, so that the last ones are verified before its end.
        let breaks_after = lasts.mul_f64(0.1 + 0.6 * n as f64 / agents as f64);
        living.spawn(agent.live(seen, breaks_after, began + lasts));
    }
    let seen = tokio::time::timeout(lasts + GUARD, living.join_all()).await.expect("every agent ends");
    let (rss, used) = server.footprint();
    let cpu_percent = (used - cpu) / began.elapsed().as_secs_f64() * 100.0;

    let url = embedded::url(&folder.path().join("data/cluster"), embedded::SUPERUSER, "mendwright");
    let rows = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
    let fixed = number(&rows, "SELECT count(*)::float8 FROM runs WHERE state = 'fixed'").await;
    let runs = number(&rows, "SELECT count(*)::float8 FROM runs").await;
    let took = "SELECT coalesce(extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY ended_at - planned_at)), 0)::float8
                FROM runs WHERE state = 'fixed'";
    let fixed_ms = number(&rows, took).await * 1_000.0;
    rows.close().await;
    drop(server);
    let all = |of: fn(&Story) -> Option<f64>| spread(seen.iter().filter_map(of).collect());
    let report = json!({
        "agents": agents, "seconds": secs, "linked": count, "link_ms": all(|s| Some(s.link_ms)),
        "acks": seen.iter().map(|s| s.acks).sum::<u64>(), "runs": runs, "fixed": fixed,
        "permit_ms": all(|s| s.permit_ms), "repaired_ms": all(|s| s.repaired_ms), "planned_to_fixed_ms": fixed_ms.round(),
        "server_rss_mb": rss.round(), "server_cpu_percent": (cpu_percent * 10.0).round() / 10.0,
    });
    println!("limits lifted for the load:\n{LIMITS}{report}");
}
