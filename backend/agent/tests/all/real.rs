//! The agent's own program against a real systemd, in a throw-away unit: `make systemd-check` runs it.
//!
//! `MENDWRIGHT_SYSTEMD_UNITS` is the folder of unit files, `MENDWRIGHT_SYSTEMD_BUS` the D-Bus address of a manager that is
//! not the system's.

use std::fs;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::time::Duration;

use agent::service::systemd::proxy::{self, ManagerProxy};
use futures_util::FutureExt as _;
use wire::v1::{Down, Ended, Observed, Reached, RefusedReason, ResultAck, Seen, Up};
use zbus::Connection;

use crate::bench::{Bench, Linked, SERVICE, program, state};
use crate::fake::GUARD;

const UNIT: &str = "mendwright-check.service";
const AGENT: &str = "mendwright-agent-check.service";
const START: &[&[&str]] = &[&["{service.start}"]];

struct Real {
    bus: Connection,
    unit: &'static str,
    file: PathBuf,
    bench: Bench,
}

impl Real {
    /// With a throw-away unit of the name `unit`, and a host whose `agent.toml` begins with the manager's bus.
    async fn new(unit: &'static str, host: impl AsyncFnOnce(String) -> Bench) -> Self {
        let address = std::env::var("MENDWRIGHT_SYSTEMD_BUS").ok();
        let units = std::env::var("MENDWRIGHT_SYSTEMD_UNITS").unwrap_or_else(|_| "/run/systemd/system".to_owned());
        let bus = proxy::connect(address.as_deref(), Duration::from_secs(10)).await.expect("systemd's bus");
        let head = address.map(|address| format!("bus = \"{address}\"\n")).unwrap_or_default();
        let bench = host(head + "max_runs_per_hour = 100\n").await;
        let real = Self { bus, unit, file: PathBuf::from(units).join(unit), bench };
        assert!(!real.file.exists(), "{} is there already", real.file.display());
        real
    }

    /// What `states` does with it; the unit is removed whatever comes of that.
    async fn through(self, states: impl AsyncFnOnce(&Self)) {
        let done = AssertUnwindSafe(states(&self)).catch_unwind().await;
        self.remove().await;
        if let Err(panic) = done {
            resume_unwind(panic);
        }
    }

    fn systemd(&self) -> impl Future<Output = zbus::Result<ManagerProxy<'_>>> {
        ManagerProxy::new(&self.bus)
    }

    /// Writes the unit anew.
    async fn write(&self, unit: &str, service: &str) {
        let text = format!("[Unit]\nDescription=Throw-away unit of make systemd-check\n{unit}\n[Service]\n{service}\n");
        fs::write(&self.file, text).unwrap();
        self.reload().await;
    }

    async fn reload(&self) {
        let (name, path) = (Some("org.freedesktop.systemd1"), "/org/freedesktop/systemd1");
        self.bus.call_method(name, path, Some("org.freedesktop.systemd1.Manager"), "Reload", &()).await.unwrap();
    }

    async fn start(&self) {
        self.systemd().await.unwrap().start_unit(self.unit, "replace").await.unwrap();
    }

    async fn stop(&self) {
        self.systemd().await.unwrap().stop_unit(self.unit, "replace").await.unwrap();
    }

    async fn remove(&self) {
        let systemd = self.systemd().await.unwrap();
        let _ = systemd.stop_unit(self.unit, "replace").await;
        let _ = systemd.reset_failed_unit(self.unit).await;
        fs::remove_file(&self.file).unwrap();
        self.reload().await;
    }

    async fn kill(&self) {
        let path = self.systemd().await.unwrap().load_unit(self.unit).await.unwrap();
        let pid = i32::try_from(proxy::read(&self.bus, &path).await.unwrap().main_pid).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).expect("it runs");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

/// How `argvs` ended as a job's steps, when the unit is in `wanted` too; and the states seen meanwhile.
async fn run(real: &Real, agent: &mut Linked, fence: i64, argvs: &[&[&str]], wanted: &str) -> (Ended, Vec<String>) {
    agent.offer(fence, argvs).await;
    agent.permit().await;
    let (mut result, mut seen) = (None, Vec::<String>::new());
    let (result, seen) = agent
        .peer
        .until(|up| {
            match up {
                Up::Result(sent) => result = Some(sent),
                Up::Observed(observed) => seen.push(told(&observed)),
                _ => {}
            }
            let result = result.as_ref().filter(|_| seen.last().is_some_and(|state| state == wanted))?;
            Some((result.clone(), seen.clone()))
        })
        .await;
    let body = real.bench.verified(&result);
    let ack = ResultAck { job: body.job, fence: body.fence };
    agent.peer.send(Down::Ack { observed_seq: None, result: Some(ack) }).await;
    println!("  {argvs:?}: {:?}", body.ended);
    (body.ended, seen)
}

/// The state that was seen, printed with its detail.
fn told(observed: &Observed) -> String {
    let state = state(observed);
    match &observed.reading.seen {
        Seen::Data(readings) => println!("  {state}: {:?}", readings.get("detail")),
        Seen::NoData { .. } => println!("  {state}"),
    }
    state
}

async fn refused(agent: &mut Linked, fence: i64) -> RefusedReason {
    agent.offer(fence, START).await;
    let refused = agent.peer.until(|up| if let Up::Refused(refused) = up { Some(refused) } else { None }).await;
    println!("  {{service.start}} refused: {}", refused.detail);
    refused.reason
}

/// The next readings until the unit is in `wanted`; gives the states seen on the way.
async fn until(agent: &mut Linked, wanted: &str) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|state| state != wanted) {
        seen.push(told(&agent.observed().await));
    }
    seen
}

#[tokio::test]
#[ignore = "needs a systemd that may be told to run a unit: make systemd-check"]
async fn a_real_systemd_goes_through_the_states() {
    let declares = async |head| {
        let toml = format!("{head}[services.{SERVICE}]\nunit = \"{UNIT}\"\n");
        Bench::declared(tempfile::tempdir().unwrap(), &toml).await
    };
    Real::new(UNIT, declares).await.through(states).await;
}

#[tokio::test]
#[ignore = "needs a systemd that may be told to run a unit: make systemd-check"]
async fn a_real_systemd_that_kills_all_of_the_agents_unit_leaves_a_run_alone() {
    let script = "case $1 in start) echo start $PPID >> $dir/ledger; while [ ! -e $dir/go ]; do sleep 0.1; done; \
                  echo done >> $dir/ledger;; status) exit 1;; esac";
    let declares = async |head: String| Bench::headed(tempfile::tempdir().unwrap(), &head, script).await;
    Real::new(AGENT, declares).await.through(restarted).await;
}

/// The agent is a service whose unit is restarted while a run is under way.
async fn restarted(real: &Real) {
    let (bench, agent) = (&real.bench, program());
    let (agent, state) = (agent.as_std().get_program().display(), bench.path("state"));
    real.write("", &format!("ExecStart={agent} run --state-dir {}\nKillMode=control-group", state.display())).await;
    real.start().await;
    // systemd has the process.
    let nothing = || tokio::process::Command::new("/bin/true").spawn().unwrap();
    let mut agent = bench.linked(nothing()).await;
    agent.configure().await;
    let noted = bench.path("groups").display().to_string();
    agent.offer(1, &[&["/bin/cp", "/proc/self/cgroup", &noted], &["{service.start}"]]).await;
    agent.permit().await;
    bench.until("the step begins", |bench| bench.ledger().len() == 1).await;
    let runner = bench.ledger()[0].strip_prefix("start ").unwrap().to_owned();
    let groups = fs::read_to_string(format!("/proc/{runner}/cgroup")).unwrap();
    let scope = "mendwright-run-00000000-0000-0000-0000-000000000032-fix-1-1.scope";
    assert!(groups.contains(scope), "{groups}");
    println!("a run in {}", groups.lines().find(|line| line.contains(scope)).unwrap());
    // A step's own group is below it, where the kernel has what that needs.
    let of_step = fs::read_to_string(&noted).unwrap();
    assert!(of_step.contains(scope), "{of_step}");
    let own = of_step.lines().find(|line| line.starts_with("0::")).unwrap_or_default();
    println!("  its first step in {own}");
    if groups.lines().any(|line| line.starts_with("0::") && line.ends_with(scope)) {
        assert!(own.ends_with(&format!("{scope}/steps/run-1-1")), "{own}");
    }
    real.systemd().await.unwrap().restart_unit(AGENT, "replace").await.unwrap();
    let mut again = bench.linked(nothing()).await;
    let known: Vec<_> = again.hello.jobs.iter().map(|job| (job.fence, job.reached)).collect();
    assert_eq!(known, [(1, Reached::Running)]);
    println!("  lives on when its agent's unit was killed and started again");
    fs::write(bench.path("go"), "").unwrap();
    assert_eq!(again.result(bench).await.ended, Ended::Exited { code: 0 });
    assert_eq!(bench.ledger(), [format!("start {runner}"), "done".to_owned()]);
    let (systemd, path) = (Some(proxy::NAME), "/org/freedesktop/systemd1");
    let is_there = || real.bus.call_method(systemd, path, Some("org.freedesktop.systemd1.Manager"), "GetUnit", &scope);
    let gone = async {
        while is_there().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(GUARD, gone).await.expect("systemd forgets the scope");
    println!("  and its scope is gone when it has ended");
}

async fn states(real: &Real) {
    let dir = real.bench.dir.path().display().to_string();
    const RUNS: &str = "ExecStart=/bin/sleep 1000000";
    real.write("", RUNS).await;
    let mut agent = real.bench.run(&[]).await;
    assert_eq!(state(&agent.configure().await), "stopped");

    println!("stopped by a person");
    real.start().await;
    until(&mut agent, "running").await;
    real.stop().await;
    until(&mut agent, "stopped").await;
    assert_eq!(refused(&mut agent, 1).await, RefusedReason::Recovered);

    println!("stopped by a person, and ended badly");
    let script = "trap \"exit 3\" TERM; while :; do sleep 0.1; done";
    real.write("", &format!("ExecStart=/bin/sh -c '{script}'")).await;
    real.start().await;
    until(&mut agent, "running").await;
    real.stop().await;
    let seen = until(&mut agent, "stopped").await;
    assert!(!seen.contains(&"failed".to_owned()));

    println!("killed, and started by a run");
    real.write("", RUNS).await;
    real.start().await;
    until(&mut agent, "running").await;
    real.kill().await;
    until(&mut agent, "failed").await;
    let (ended, _) = run(real, &mut agent, 2, START, "running").await;
    assert_eq!(ended, Ended::Exited { code: 0 });

    println!("stopped by a run, and not started again");
    real.kill().await;
    until(&mut agent, "failed").await;
    let argvs: &[&[&str]] = &[&["{service.restart}"], &["{service.stop}"], &["/bin/false"]];
    let (ended, seen) = run(real, &mut agent, 3, argvs, "no data: stopped by a run, and not started again").await;
    assert_eq!(ended, Ended::Exited { code: 1 });
    assert!(!seen.contains(&"stopped".to_owned()));

    println!("restarted by systemd itself");
    real.write("", &format!("{RUNS}\nRestart=always\nRestartSec=3")).await;
    real.start().await;
    until(&mut agent, "running").await;
    real.kill().await;
    until(&mut agent, "restarting").await;
    assert_eq!(refused(&mut agent, 4).await, RefusedReason::NoData);
    until(&mut agent, "running").await;
    real.stop().await;
    until(&mut agent, "stopped").await;

    println!("start limit hit");
    let limit = "StartLimitIntervalSec=60\nStartLimitBurst=3";
    let script = format!("[ -e {dir}/good ] && exec sleep 1000000; exit 1");
    real.write(limit, &format!("ExecStart=/bin/sh -c '{script}'\nRestart=on-failure\nRestartSec=100ms")).await;
    real.start().await;
    until(&mut agent, "failed").await;
    fs::write(real.bench.path("good"), "").unwrap();
    let (ended, _) = run(real, &mut agent, 5, START, "running").await;
    assert_eq!(ended, Ended::Exited { code: 0 });
    real.stop().await;
    until(&mut agent, "stopped").await;

    println!("slow starter");
    let wait = format!("ExecStartPre=/bin/sh -c 'while [ ! -e {dir}/go ]; do sleep 0.1; done'");
    real.write("", &format!("{wait}\n{RUNS}")).await;
    real.start().await;
    until(&mut agent, "starting").await;
    assert_eq!(refused(&mut agent, 6).await, RefusedReason::NoData);
    fs::write(real.bench.path("go"), "").unwrap();
    until(&mut agent, "running").await;
    real.stop().await;
    until(&mut agent, "stopped").await;

    println!("one-shot");
    real.write("", "Type=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes").await;
    real.start().await;
    until(&mut agent, "running").await;
    real.stop().await;
    until(&mut agent, "stopped").await;
    let script = format!("[ -e {dir}/well ]");
    real.write("", &format!("Type=oneshot\nExecStart=/bin/sh -c '{script}'")).await;
    real.start().await;
    until(&mut agent, "failed").await;
    fs::write(real.bench.path("well"), "").unwrap();
    let (ended, _) = run(real, &mut agent, 7, START, "stopped").await;
    assert_eq!(ended, Ended::Exited { code: 0 });
}
