//! A bench: one tenant with one host, a server process and an agent process that can be killed and started again, the
//! service they look after, and the mailbox people are told in.

use std::fs::{self, File};
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use server::demo::sink::Sink;
use server::keystore::Keystore;
use server::seed::{self, Seed};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use store::{Clock, Store, StoreConfig};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};

use super::database::OwnCluster;
use super::leftovers;
use super::victim::{SERVICE, Victim};
use crate::support::{TestDb, program};

/// A hang guard, and nothing else.
pub const GUARD: Duration = Duration::from_secs(120);
/// The tenant's owner signs in with these.
pub const OWNER: (&str, &str) = ("owner@example.test", "correct horse battery");
const POLL: Duration = Duration::from_millis(25);

/// Variables for one process.
pub type Env = Vec<(&'static str, String)>;

/// Whether the tenant has a fix for the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is started again, automatically.
    Fix,
    /// Nobody mapped it.
    Nothing,
}

/// How the logins reach the rows.
#[derive(Debug, Clone)]
pub struct Urls {
    /// Of tenants' work.
    pub login: String,
    /// Before a tenant is known.
    pub system: String,
    /// Of the operator.
    pub owner: String,
    /// The test's own view.
    pub admin: String,
}

impl Urls {
    /// Those of a test database.
    pub fn of(db: &TestDb) -> Urls {
        Urls { login: db.login_url(), system: db.system_url(), owner: db.owner_url(), admin: db.admin_url() }
    }
}

/// Everything. Dropped, it ends every process it started and removes its folder.
pub struct Bench {
    /// The test's own view of the rows: a superuser's.
    pub rows: PgPool,
    /// The service.
    pub victim: Victim,
    /// What is told arrives here, if `serve` was told so.
    pub sink: Sink,
    folder: PathBuf,
    /// How the rows are reached.
    pub urls: Urls,
    port: HeldPort,
    second_port: HeldPort,
    relay: SocketAddr,
    token: String,
    authority: String,
    server: Option<Child>,
    second: Option<Child>,
    agent: Option<Child>,
    /// The cluster, if it is the bench's own.
    pub cluster: Option<OwnCluster>,
    // Last: it goes when nobody uses it any more.
    _db: Option<TestDb>,
}

impl Bench {
    /// A bench on a database of its own, with server and agent up and the service seen to run.
    pub async fn up(known: Known, server: Env, agent: Env) -> Bench {
        let mut bench = Bench::on_test_db(known).await;
        bench.start_server(server).await;
        bench.enrol().await;
        bench.start_agent(agent).await;
        bench.all_is_well().await;
        bench
    }

    /// A bench on a database of its own, nothing started but the service.
    pub async fn on_test_db(known: Known) -> Bench {
        let db = TestDb::new().await;
        let mut bench = Bench::on(leftovers::folder(), Urls::of(&db), known).await;
        bench._db = Some(db);
        bench
    }

    /// A bench on a cluster of its own, nothing started but the service.
    pub async fn on_own_cluster(known: Known) -> Bench {
        let folder = leftovers::folder();
        let (cluster, urls) = OwnCluster::new(&folder).await;
        let mut bench = Bench::on(folder, urls, known).await;
        bench.cluster = Some(cluster);
        bench
    }

    async fn on(folder: PathBuf, urls: Urls, known: Known) -> Bench {
        let config = StoreConfig {
            tenant_url: urls.login.clone(),
            system_url: urls.system.clone(),
            tenant_connections: 2,
            clock: Clock::Database,
        };
        let store = Store::connect(&config).expect("URLs of ours");
        let keystore = Keystore::open(&folder.join("keys")).expect("fresh keys");
        let seed = Seed::parse(Path::new("seed.yaml"), &document(known), &|_| None).expect("a sound seed");
        let seeded = seed::apply(&store, &urls.owner, &keystore.master, seed).await.expect("the seed is applied");
        store.close().await;
        let (relay, sink) = Sink::start(([127, 0, 0, 1], 0).into()).await.expect("a mailbox");
        Bench {
            rows: PgPoolOptions::new().max_connections(2).connect_lazy(&urls.admin).expect("a URL of ours"),
            victim: Victim::start(folder.join("service")),
            sink,
            port: HeldPort::new(),
            second_port: HeldPort::new(),
            relay,
            token: seeded.hosts[0].token.reveal().to_owned(),
            authority: keystore.authority.fingerprint().to_string(),
            server: None,
            second: None,
            agent: None,
            folder,
            urls,
            cluster: None,
            _db: None,
        }
    }

    /// A path in the bench's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where mail goes instead of to the mailbox; from the server's next start on.
    pub fn relay_at(&mut self, relay: SocketAddr) {
        self.relay = relay;
    }

    /// A path of the console, in full.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.port.addr)
    }

    /// The authority that the server's certificate is from, PEM.
    pub fn authority_pem(&self) -> String {
        fs::read_to_string(self.path("keys/authority.pem")).expect("an authority")
    }

    /// `mendwright serve`, always at the same address with the same keys and rows.
    pub async fn start_server(&mut self, env: Env) {
        self.server = Some(self.serve(self.port.addr, env));
        let addr = self.port.addr;
        self.until("the server listens", async || TcpStream::connect(addr).await.is_ok()).await;
    }

    /// A second server on the same rows; no agent knows its address, but its loops work.
    pub async fn start_second_server(&mut self) {
        let nodes = "SELECT count(*) FROM nodes";
        let before = self.count(nodes).await;
        self.second = Some(self.serve(self.second_port.addr, vec![]));
        self.until("the second server is up", async || self.count(nodes).await > before).await;
    }

    fn serve(&self, listen: SocketAddr, env: Env) -> Child {
        let mut command = self.command("mendwright", "server.log");
        command
            .args(["serve", "--listen", &listen.to_string(), "--mail-from", "mend@example.test", "--smtp"])
            .arg(format!("smtp://{}", self.relay))
            .arg("--keys")
            .arg(self.path("keys"))
            .env("DATABASE_URL", &self.urls.login)
            .env("DATABASE_SYSTEM_URL", &self.urls.system)
            .envs(env);
        command.spawn().expect("mendwright starts")
    }

    /// What the agent says to `enroll` with the bench's token, or another one.
    pub async fn enrol_with(&self, token: &str, state: &str, env: Env) -> std::process::Output {
        let mut command = Command::new(program("mendwright-agent"));
        command.env_clear().envs(env).stdin(Stdio::null()).kill_on_drop(true);
        command.args(["enroll", "--server", &format!("https://{}", self.port.addr), "--profile", "low-risk"]);
        command.args(["--authority", &self.authority, "--token", token, "--state-dir"]).arg(self.path(state));
        command.output().await.expect("mendwright-agent runs")
    }

    /// The host's enrolment token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes the bench's host.
    pub async fn enrol(&self) {
        self.enrol_under(vec![]).await;
    }

    /// Makes the bench's host, with these variables.
    pub async fn enrol_under(&self, env: Env) {
        let state = self.path("agent");
        fs::create_dir(&state).expect("a state folder");
        fs::write(state.join("agent.toml"), self.victim.limits()).expect("the host's own limits");
        let output = self.enrol_with(&self.token, "agent", env).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// `mendwright-agent run`.
    pub async fn start_agent(&mut self, env: Env) {
        let mut command = self.command("mendwright-agent", "agent.log");
        command.args(["run", "--state-dir"]).arg(self.path("agent")).envs(env);
        self.agent = Some(command.spawn().expect("mendwright-agent starts"));
    }

    fn command(&self, name: &str, log: &str) -> Command {
        let log = File::options().create(true).append(true).open(self.path(log)).expect("a log");
        let mut command = Command::new(program(name));
        command.env_clear().stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        command.process_group(0).kill_on_drop(true);
        command
    }

    /// Waits until the agent's link stands and the service was seen to run.
    pub async fn all_is_well(&self) {
        let rows = "SELECT count(*) FROM host_links JOIN check_states USING (tenant_id, host_id)
                    WHERE unlinked_at IS NULL AND instance_id IS NOT NULL AND verdict = 'ok' AND NOT raised";
        self.until("the agent is linked and the service runs", async || self.count(rows).await == 1).await;
    }

    /// How often an agent has linked.
    pub async fn links(&self) -> i64 {
        self.count("SELECT epoch FROM host_links").await
    }

    /// `kill -9` of the server.
    pub async fn kill_server(&mut self) {
        hard(&mut self.server).await;
    }

    /// `kill -9` of the second server.
    pub async fn kill_second_server(&mut self) {
        hard(&mut self.second).await;
    }

    /// `kill -9` of the first server, which holds the link; from now on its address leads to the second, as behind a
    /// load balancer, and the second counts as the server.
    pub async fn kill_server_and_lead_to_second(&mut self) {
        self.kill_server().await;
        self.server = self.second.take();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("others may hold it");
        socket.bind(self.port.addr).expect("nobody listens there any more");
        let (listener, to) = (socket.listen(64).expect("a listener"), self.second_port.addr);
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(to).await {
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        });
    }

    /// Asks agent and server to end, as a service manager does, and waits until they have.
    pub async fn stop_both(&mut self) {
        for child in [&mut self.agent, &mut self.server] {
            let mut child = child.take().expect("it runs");
            let pid = child.id().expect("it was not waited for");
            kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM).expect("a child of ours");
            let status = guarded("it ends", child.wait()).await.expect("a child of ours");
            assert!(status.success(), "{status}");
        }
    }

    /// The agent's process.
    pub fn agent_pid(&self) -> Pid {
        let id = self.agent.as_ref().and_then(Child::id).expect("the agent runs");
        Pid::from_raw(id.cast_signed())
    }

    /// `kill -9` of the agent.
    pub async fn kill_agent(&mut self) {
        hard(&mut self.agent).await;
    }

    /// Waits until the server has killed itself at its point.
    pub async fn server_dies(&mut self, point: &str) {
        let child = self.server.take().expect("a server runs");
        self.dies(child, point).await;
    }

    /// Waits until the agent has killed itself at its point.
    pub async fn agent_dies(&mut self, point: &str) {
        let child = self.agent.take().expect("an agent runs");
        self.dies(child, point).await;
    }

    async fn dies(&self, mut child: Child, point: &str) {
        let over = "SELECT count(*) FROM incidents WHERE state <> 'open'";
        let missed = self.until("the run is over", async || self.count(over).await > 0);
        let status = tokio::select! {
            status = child.wait() => status.expect("a child of ours"),
            () = missed => panic!("{point} was never reached; the programs are built by cargo test --workspace"),
        };
        assert_eq!(status.signal(), Some(9), "{point}: {status}");
    }

    /// The pid in the file that a process leaves when it stops itself at a point.
    pub async fn stopped(&self, marker: &Path) -> Pid {
        let pid = || fs::read_to_string(marker).ok()?.trim().parse().ok();
        self.until("the runner has stopped itself", async || pid().is_some()).await;
        Pid::from_raw(pid().expect("it was there"))
    }

    /// The runner that is at work.
    pub fn runner(&self) -> Pid {
        let ours = format!("runner\0--dir\0{}/", self.folder.display());
        let running = leftovers::naming(&ours);
        assert_eq!(running.len(), 1, "{running:?}");
        running[0]
    }

    /// A number from the rows; -1 if there is none, or the database cannot be reached.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.rows).await.unwrap_or(-1)
    }

    /// Waits until `holds`.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let wait = async {
            while !holds().await {
                tokio::time::sleep(POLL).await;
            }
        };
        guarded(what, wait).await;
    }
}

/// Waits for `work`, not for ever.
pub async fn guarded<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(GUARD, work).await.unwrap_or_else(|_| panic!("never: {what}"))
}

async fn hard(child: &mut Option<Child>) {
    let mut child = child.take().expect("it runs");
    child.kill().await.expect("a child of ours");
}

/// Lets a stopped process go on.
pub fn go_on(pid: Pid) {
    kill(pid, Signal::SIGCONT).expect("it is stopped");
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
        self.cluster = None;
        leftovers::end_all(&self.folder);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Bench {
    /// The last lines of what the processes said.
    pub fn print_logs(&self) {
        for name in ["server.log", "agent.log"] {
            let text = fs::read_to_string(self.path(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- {name}\n{}", lines[lines.len().saturating_sub(25)..].join("\n"));
        }
    }
}

/// A port that stays ours while no server listens on it: bound by a socket that never does.
pub struct HeldPort {
    /// Where it is.
    pub addr: SocketAddr,
    _socket: TcpSocket,
}

impl HeldPort {
    /// One from the kernel.
    pub fn new() -> HeldPort {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("others may listen");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port from the kernel");
        HeldPort { addr: socket.local_addr().expect("an address"), _socket: socket }
    }
}

/// A program of ours, beside this test's own.
fn document(known: Known) -> String {
    let mapping = match known {
        Known::Nothing => "",
        Known::Fix => {
            "
mappings:
  - name: Shop is started again
    mode: auto
    when: {check: Shop runs}
    ladder: [{playbook: restart-service, parameters: {service: \"{target}\"}}]
    verify: {settle_secs: 0, stable_secs: 1}
"
        }
    };
    let (email, password) = OWNER;
    format!(
        "
tenant: {{name: Elm Services}}
members: [{{name: Owner, email: {email}, role: owner, password: {password}}}]
notify: [oncall@example.test]
clients: [{{name: Elm Books, hosts: [{{name: elm-01}}]}}]
checks:
  - {{name: Shop runs, kind: service, target: {SERVICE}, interval_secs: 3600, grace_after_boot_secs: 0}}
playbooks:
  - name: restart-service
    title: Start a failed service again
    risk: L
    effect: once
    parameters: {{service: {{type: service_name}}}}
    steps: [{{title: Run the start command that the host declares, argv: [\"{{service.start}}\"], limit_secs: 300}}]
limits:
  tenant: {{runs_per_window: 10, window_secs: 600, in_flight: 5}}
  client: {{runs_per_window: 10, window_secs: 600, in_flight: 5}}
  host: {{runs_per_hour: 5, in_flight: 1}}
  host_playbook: {{cooldown_secs: 600, per_day: 5}}
{mapping}"
    )
}
