//! `make bench`: what is promised about speed, measured in a release build with fsync on and every guardrail, record and
//! policy in place. Only the numbers of the limits are lifted. Prints one JSON object for each bench; the last line is that of
//! [`healing`]. Nothing here is judged.

mod console;
mod fleet;
mod healing;
mod isolation;

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use server::config::{NodeConfig, Transport};
use server::seed::Seed;
use server::up::{Installation, Options, enrol_server};
use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::support::program;

/// A hang guard for each wait.
const GUARD: Duration = Duration::from_secs(300);
/// Lifted far beyond what a bench can use; the page shows them like any others.
pub const LIMITS: &str = "limits:\n  tenant: {runs_per_window: 100000, window_secs: 1, storm: 100000}\n  client: {runs_per_window: 100000, window_secs: 1, unproven: 100000, bad_per_day: 100000, wave: 100000, storm: 100000}\n  host: {runs_per_hour: 10000, in_flight: 1}\n  host_playbook: {cooldown_secs: 1, per_day: 10000}\n";
const STABLE_SECS: f64 = 0.5;

/// A fresh service each round: one that breaks again soon has relapsed, and is not fixed a fourth time in a day.
fn document(rounds: usize) -> String {
    let mut yaml = String::from(
        "tenant: {name: Bench, time_zone: UTC}\nmembers: [{name: Owner, email: owner@bench.example, role: owner, password_env: PASSWORD}]\nclients:\n  - {name: Bench, hosts: [{name: h1, tags: {role: web}}]}\n",
    );
    yaml.push_str("playbooks:\n  - name: start\n    title: Start it again\n    risk: L\n    effect: idempotent\n    parameters: {service: {type: service_name}}\n    steps: [{title: Start it, argv: [\"{service.start}\"], limit_secs: 30}]\nchecks:\n");
    for n in 0..rounds {
        let _ =
            writeln!(yaml, "  - {{name: Shop {n} runs, kind: service, target: shop-{n}, grace_after_boot_secs: 0}}");
    }
    yaml.push_str("mappings:\n");
    for n in 0..rounds {
        let _ = write!(
            yaml,
            "  - name: Shop {n} is started again\n    mode: auto\n    when: {{check: Shop {n} runs}}\n    ladder: [{{playbook: start, parameters: {{service: \"{{target}}\"}}}}]\n    verify: {{settle_secs: 0, stable_secs: {STABLE_SECS}}}\n"
        );
    }
    yaml + LIMITS
}

struct Service(PathBuf);

impl Service {
    fn ctl(&self, action: &str) {
        let done = Command::new(program("mendwright"))
            .args(["demo-ctl", action, "--dir"])
            .arg(&self.0)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
    }

    fn read(&self, file: &str) -> i32 {
        std::fs::read_to_string(self.0.join(file)).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = Command::new(program("mendwright"))
            .args(["demo-ctl", "stop", "--dir"])
            .arg(&self.0)
            .stdout(Stdio::null())
            .status();
    }
}

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

impl Agent {
    /// Resident memory in MB, and CPU seconds used so far.
    fn footprint(&self) -> (f64, f64) {
        let pid = self.0.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let rss: f64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
        // All threads, those that have ended too, in ticks of 10 ms.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        (rss / 1024.0, ticks / 100.0)
    }
}

/// A number from the rows.
pub async fn number(rows: &PgPool, sql: &'static str) -> f64 {
    sqlx::query_scalar(sql).fetch_one(rows).await.unwrap()
}

async fn until(rows: &PgPool, what: &str, sql: &'static str, wanted: f64) {
    #[expect(clippy::disallowed_methods, reason = "a hang guard")]
    let start = Instant::now();
    while number(rows, sql).await < wanted {
        assert!(start.elapsed() < GUARD, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Least, median and nearly the most of times in ms; null of none.
pub fn spread(mut values: Vec<f64>) -> serde_json::Value {
    if values.is_empty() {
        return serde_json::Value::Null;
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| (values[((values.len() - 1) as f64 * share).round() as usize] * 10.0).round() / 10.0;
    json!({ "min": at(0.0), "median": at(0.5), "p99": at(0.99) })
}

/// A server with its own database, one agent and `rounds` services that it watches, as they are shipped.
struct Bench {
    agent: Agent,
    services: Vec<Service>,
    /// As a superuser: the bench's own view of the rows.
    rows: PgPool,
    installation: Installation,
    folder: tempfile::TempDir,
}

impl Bench {
    /// Brings it up; every service is seen to run.
    async fn new(rounds: usize) -> Bench {
        let folder = tempfile::Builder::new().prefix("mendwright-bench-").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let seed =
            Seed::parse(Path::new("bench.yaml"), &document(rounds), &|_| Some("correct horse battery".to_owned()))
                .unwrap_or_else(|e| panic!("{e}"));
        let node = NodeConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            transport: Transport::Tls,
            public_url: None,
            agent_binary: None,
            smtp: None,
            mail_from: "bench@localhost".into(),
            allow_egress: Vec::new(),
            trusted_proxies: Vec::new(),
        };
        let options = Options { data: folder.path().join("data"), node, seed: Some(seed), durable: true };
        let installation = Installation::start(options, Vec::new()).await.unwrap();
        let login: sqlx::postgres::PgConnectOptions = installation.owner_url().parse().unwrap();
        let rows =
            PgPoolOptions::new().max_connections(1).connect_with(login.username(embedded::SUPERUSER)).await.unwrap();

        let services: Vec<Service> = (0..rounds).map(|n| Service(folder.path().join(format!("shop-{n}")))).collect();
        let state = folder.path().join("agent");
        std::fs::create_dir(&state).unwrap();
        let mut limits = "max_runs_per_hour = 10000\n".to_owned();
        for (n, service) in services.iter().enumerate() {
            std::fs::create_dir(&service.0).unwrap();
            service.ctl("start");
            let command = |action: &str| {
                format!("[{:?}, \"demo-ctl\", {action:?}, \"--dir\", {:?}]", program("mendwright"), service.0)
            };
            let _ = write!(
                limits,
                "[services.shop-{n}]\npid_file = {:?}\nstart = {}\nstop = {}\nstatus = {}\nstop_limit_secs = 10\n",
                service.0.join("pid"),
                command("start"),
                command("stop"),
                command("status")
            );
        }
        std::fs::write(state.join("agent.toml"), limits).unwrap();
        // The agent as it is shipped: alone, small and static (make agent).
        let agent_program = std::env::var_os("MENDWRIGHT_BENCH_AGENT").map(PathBuf::from);
        let agent_program = agent_program.unwrap_or_else(|| program("mendwright-agent"));
        let token = installation.seeded.as_ref().unwrap().hosts[0].token.reveal().to_owned();
        let agent = |args: &[&str]| {
            let mut command = Command::new(&agent_program);
            command
                .args(args)
                .arg("--state-dir")
                .arg(&state)
                .env("MENDWRIGHT_TOKEN", &token)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let server = enrol_server(&installation.node);
        let enrol = ["enroll", "--server", &server, "--profile", "low-risk", "--authority", &installation.authority];
        assert!(agent(&enrol).status().unwrap().success());
        let agent = Agent(agent(&["run"]).spawn().unwrap());
        let seen = "SELECT count(*)::float8 FROM check_states WHERE verdict = 'ok'";
        until(&rows, "every service is seen to run", seen, rounds as f64).await;
        Bench { agent, services, rows, installation, folder }
    }

    /// Kills the service of a round and waits until another one answers in its place; ms.
    #[expect(clippy::disallowed_methods, reason = "time is what is measured")]
    async fn crash(&self, round: usize) -> f64 {
        let service = &self.services[round];
        let port = service.read("port") as u16;
        let killed_at = Instant::now();
        let killed = service.read("pid");
        kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
        // The dying process still owns its port for a moment: only another one's answer counts.
        while service.read("pid") == killed || TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(killed_at.elapsed() < GUARD, "round {round}: the port answers again");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        killed_at.elapsed().as_secs_f64() * 1_000.0
    }

    /// Waits until so many runs ended as fixed.
    async fn fixed(&self, runs: usize) {
        until(&self.rows, "it is verified", "SELECT count(*)::float8 FROM runs WHERE state = 'fixed'", runs as f64)
            .await;
    }

    /// Ends the agent and its services.
    fn without_agent(self) -> (PgPool, Installation, tempfile::TempDir) {
        let Bench { agent, services, rows, installation, folder } = self;
        drop((agent, services));
        (rows, installation, folder)
    }
}
