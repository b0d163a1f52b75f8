//! `make bench`: crash → healed → verified, through the server, every guardrail and record on, fsync on. Only the
//! numbers of the limits are lifted. Prints one JSON object as its last line; nothing here is judged.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

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
        let _ = writeln!(
            yaml,
            "  - {{name: Shop {n} runs, kind: service, target: shop-{n}, interval_secs: 2, grace_after_boot_secs: 0}}"
        );
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

/// Tenants like the one of the seed, each with hosts of twenty clients, an open incident and a planned run on each host.
/// No agent is linked: what is measured is the way from *planned* to *admitted*, with decision, audit entry and job.
fn planned(tenants: u32, hosts: u32) -> String {
    format!(
        "CREATE TEMP TABLE seed AS SELECT min(tenant_id::text)::uuid AS tenant_id FROM hosts WHERE name = 'h1';
         CREATE TEMP TABLE t AS SELECT gen_random_uuid() AS tenant_id FROM generate_series(1, {tenants});
         CREATE TEMP TABLE c AS SELECT tenant_id, gen_random_uuid() AS client_id, n FROM t, generate_series(0, 19) n;
         CREATE TEMP TABLE h AS SELECT tenant_id, client_id, gen_random_uuid() AS id FROM t JOIN c USING (tenant_id), generate_series(1, {hosts}) g
           WHERE g % 20 = c.n;
         INSERT INTO tenants (tenant_id, name, created_at) SELECT tenant_id, 'bench', clock_timestamp() - interval '30 days' FROM t;
         INSERT INTO clients (tenant_id, client_id, name, time_zone, created_at) SELECT tenant_id, client_id, 'c' || n, 'UTC', clock_timestamp() FROM c;
         {}
         INSERT INTO guardrail_buckets SELECT DISTINCT ON (t.tenant_id, b.scope_kind)
           (jsonb_populate_record(b, jsonb_build_object('tenant_id', t.tenant_id, 'scope_key', '*'))).* FROM t, guardrail_buckets b, seed s
           WHERE b.tenant_id = s.tenant_id ORDER BY t.tenant_id, b.scope_kind, b.max_per_window IS NULL;
         INSERT INTO hosts SELECT (jsonb_populate_record(o, jsonb_build_object('tenant_id', h.tenant_id, 'client_id', h.client_id, 'host_id', h.id,
             'name', h.id, 'public_key', '\\x' || replace(h.id::text, '-', '')))).* FROM h, hosts o, seed s WHERE o.tenant_id = s.tenant_id;
         INSERT INTO host_links (tenant_id, client_id, host_id, node_id, epoch, linked_at, unlinked_at)
           SELECT tenant_id, client_id, id, id, 0, clock_timestamp(), clock_timestamp() FROM h;
         INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at)
           SELECT tenant_id, client_id, id, 'bench', 'critical', 'open', clock_timestamp() FROM h;
         INSERT INTO alerts (tenant_id, client_id, alert_id, incident_id, host_id, check_id, target, fingerprint, severity, state, opened_at, newest_version)
           SELECT h.tenant_id, h.client_id, h.id, h.id, h.id, k.check_id, 'shop', decode(md5(h.id::text), 'hex'), 'critical', 'open', clock_timestamp(), 1
           FROM h JOIN checks k ON k.tenant_id = h.tenant_id AND k.name = 'Shop 0 runs';
         INSERT INTO remediations (tenant_id, client_id, remediation_id, alert_id, incident_id, mapping_id, mapping_version, opened_at)
           SELECT h.tenant_id, h.client_id, h.id, h.id, h.id, m.mapping_id, 1, clock_timestamp() FROM h JOIN mappings m ON m.tenant_id = h.tenant_id AND m.name = 'Shop 0 is started again';
         INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung, playbook_id, playbook_digest,
             parameters, mode, state, planned_at, due_at)
           SELECT h.tenant_id, h.client_id, h.id, h.id, h.id, h.id, h.id, k.check_id, 'shop', 1, p.playbook_id, p.digest,
             '{{\"service\": \"shop\"}}', 'auto', 'planned', clock_timestamp(), clock_timestamp()
           FROM h JOIN checks k ON k.tenant_id = h.tenant_id AND k.name = 'Shop 0 runs' JOIN playbook_versions p ON p.tenant_id = h.tenant_id;
         INSERT INTO tenant_wakeups (tenant_id, queue, due_at) SELECT tenant_id, 'remediate', clock_timestamp() FROM t;
         SELECT pg_notify('mendwright.remediate', 'bench');
         DROP TABLE seed, t, c, h;",
        ["tenant_keys", "checks", "playbooks", "playbook_versions", "mappings", "mapping_versions"]
            .map(|table| format!(
                "INSERT INTO {table} SELECT (jsonb_populate_record(o, jsonb_build_object('tenant_id', t.tenant_id))).* FROM t, {table} o, seed s WHERE o.tenant_id = s.tenant_id;"
            ))
            .concat()
    )
}

/// Runs admitted a second, from the commit that planned them to the last admission.
async fn admissions(rows: &PgPool, tenants: u32, hosts: u32) -> f64 {
    let before = number(rows, "SELECT count(*)::float8 FROM runs WHERE admitted_at IS NOT NULL").await;
    let mut tx = rows.begin().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(planned(tenants, hosts))).execute(&mut *tx).await.unwrap();
    let began: f64 =
        sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp())::float8").fetch_one(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let all = f64::from(tenants * hosts);
    let admitted = "SELECT count(*)::float8 FROM runs WHERE admitted_at IS NOT NULL";
    until(rows, "every planned run is admitted", admitted, before + all).await;
    let ended = number(rows, "SELECT extract(epoch FROM max(admitted_at))::float8 FROM runs").await;
    (all / (ended - began)).round()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench"]
#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
async fn crash_to_healed_to_verified() {
    let rounds: usize = std::env::var("MENDWRIGHT_BENCH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let folder = tempfile::Builder::new().prefix("mendwright-bench-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let seed = Seed::parse(Path::new("bench.yaml"), &document(rounds), &|_| Some("correct horse battery".to_owned()))
        .unwrap_or_else(|e| panic!("{e}"));
    let node = NodeConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        transport: Transport::Tls,
        public_url: None,
        agent_binary: None,
        smtp: None,
        mail_from: "bench@localhost".into(),
        allow_egress: Vec::new(),
    };
    let options = Options { data: folder.path().join("data"), node, seed: Some(seed), durable: true };
    let installation = Installation::start(options, Vec::new()).await.unwrap();
    let login: sqlx::postgres::PgConnectOptions = installation.owner_url().parse().unwrap();
    let rows = PgPoolOptions::new().max_connections(1).connect_with(login.username(embedded::SUPERUSER)).await.unwrap();

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

    let (rss, before) = agent.footprint();
    let rest = Instant::now();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let cpu_percent = (agent.footprint().1 - before) / rest.elapsed().as_secs_f64() * 100.0;

    let (mut heal, mut verified, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
    for (round, service) in services.iter().enumerate() {
        // The cooldown of a second is over, and the reports of the last round are in.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let port = service.read("port") as u16;
        let syncs = number(&rows, "SELECT wal_sync::float8 FROM pg_stat_wal").await;
        let (killed_at, clock) = (Instant::now(), SystemTime::now());
        let killed = service.read("pid");
        kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
        // The dying process still owns its port for a moment: only another one's answer counts.
        while service.read("pid") == killed || TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(killed_at.elapsed() < GUARD, "round {round}: the port answers again");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        heal.push(killed_at.elapsed().as_secs_f64() * 1_000.0);
        until(&rows, "it is verified", "SELECT count(*)::float8 FROM runs WHERE state = 'fixed'", (round + 1) as f64)
            .await;
        let epoch = clock.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let ended = number(&rows, "SELECT extract(epoch FROM max(ended_at))::float8 FROM runs").await;
        verified.push((ended - epoch) * 1_000.0);
        flushes.push(number(&rows, "SELECT wal_sync::float8 FROM pg_stat_wal").await - syncs);
    }
    drop(agent);
    drop(services);
    let (rounds_seen, runs) = (heal.len(), number(&rows, "SELECT count(*)::float8 FROM runs").await);
    let admissions = json!({
        "one_tenant": admissions(&rows, 1, 2_000).await, "hundred_tenants": admissions(&rows, 100, 30).await,
    });
    rows.close().await;
    installation.stop().await.unwrap();
    println!(
        "limits lifted for the bench:\n{LIMITS}rounds: {rounds_seen}, runs: {runs}, stability window: {STABLE_SECS} s"
    );
    let report = json!({
        "admissions_per_s": admissions,
        "heal_ms": spread(heal), "verified_ms": spread(verified), "stable_secs": STABLE_SECS, "flushes": spread(flushes),
        "agent_rss_mb": (rss * 10.0).round() / 10.0, "agent_cpu_percent": (cpu_percent * 100.0).round() / 100.0,
    });
    println!("{report}");
}
