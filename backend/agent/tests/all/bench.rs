//! An enrolled agent with a declared service, its server, and jobs for it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use keys::{Context, PublicKey, SigningKey, to_canonical};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use uuid::Uuid;
use wire::v1::{
    CheckKind, CheckSpec, Comparison, Config, Down, Effect, Ended, Enrolled, Envelope, Hello, Job, JobKey, JobResult,
    Observed, ParameterType, Playbook, Prove, Purpose, ResultBody, Risk, Seen, Step, Up, Value,
};

use crate::fake::{self, GUARD, Peer, Server};

pub const TENANT: Uuid = Uuid::from_u128(1);
pub const HOST: Uuid = Uuid::from_u128(2);
pub const CHECK: Uuid = Uuid::from_u128(3);
pub const SERVICE: &str = "shop-web";

pub struct Bench {
    pub dir: TempDir,
    pub server: Server,
    pub host_key: PublicKey,
}

/// A linked agent.
pub struct Linked {
    pub process: Child,
    pub peer: Peer,
    pub prove: Prove,
    pub hello: Hello,
}

pub fn program() -> Command {
    let built = env!("CARGO_BIN_EXE_mendwright-agent").into();
    let mut command = Command::new(std::env::var_os("MENDWRIGHT_BENCH_AGENT").unwrap_or(built));
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn playbook_key() -> SigningKey {
    SigningKey::from_bytes(&[11; 32])
}

pub fn dispatch_key() -> SigningKey {
    SigningKey::from_bytes(&[12; 32])
}

pub fn enrolled() -> Enrolled {
    Enrolled {
        tenant_id: TENANT,
        client_id: Uuid::from_u128(4),
        host_id: HOST,
        playbook_keys: vec![playbook_key().public().to_string()],
        dispatch_key: dispatch_key().public().to_string(),
        dispatch_version: 1,
    }
}

impl Bench {
    /// An enrolled host whose service has the control script `script`, called with start, stop or status.
    /// In it, `$dir` is a directory of the test, `$dir/pid` the pid file.
    pub async fn new(script: &str) -> Self {
        Self::headed(tempfile::tempdir().unwrap(), "", script).await
    }

    /// The same with `dir` as its directory, and with `head` in its `agent.toml`.
    pub async fn headed(dir: TempDir, head: &str, script: &str) -> Self {
        let ctl = dir.path().join("ctl");
        fs::write(&ctl, format!("#!/bin/sh\ndir={}\n{script}\n", dir.path().display())).unwrap();
        fs::set_permissions(&ctl, fs::Permissions::from_mode(0o755)).unwrap();
        let ctl = ctl.display();
        let toml = format!(
            "{head}[services.{SERVICE}]\npid_file = \"{}/pid\"\nstart = [\"{ctl}\", \"start\"]\n\
             stop = [\"{ctl}\", \"stop\"]\nstatus = [\"{ctl}\", \"status\"]\n",
            dir.path().display()
        );
        Self::declared(dir, &toml).await
    }

    /// An enrolled host with `dir` as its directory, on which `toml` declares the service.
    pub async fn declared(dir: TempDir, toml: &str) -> Self {
        let (server, state) = (Server::plain().await, dir.path().join("state"));
        fs::create_dir(&state).unwrap();
        fs::write(state.join("agent.toml"), toml).unwrap();
        let mut enroll = program();
        enroll.args(["enroll", "--server", &server.url(), "--token", "mw_enroll_x", "--profile", "all-signed"]);
        let running = enroll.arg("--state-dir").arg(&state).stdout(Stdio::null()).spawn();
        let mut running = running.unwrap();
        let sent = fake::enroll(&mut server.accept().await, enrolled()).await;
        assert!(running.wait().await.unwrap().success());
        Self { dir, server, host_key: sent.public_key.parse().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn ledger(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ledger")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Starts the agent and links it.
    pub async fn run(&self, env: &[(&str, &str)]) -> Linked {
        let mut command = program();
        command.envs(env.iter().copied());
        self.link(command).await
    }

    /// The same with its log in a file.
    pub async fn run_logged(&self, log: &Path) -> Linked {
        let mut command = program();
        command.stderr(fs::File::create(log).unwrap());
        self.link(command).await
    }

    async fn link(&self, mut command: Command) -> Linked {
        command.arg("run").arg("--state-dir").arg(self.path("state"));
        self.linked(command.spawn().unwrap()).await
    }

    /// Links the agent that comes next, which is `process`.
    pub async fn linked(&self, process: Child) -> Linked {
        let mut peer = self.server.accept().await;
        let (prove, hello) = fake::welcome(&mut peer, &self.host_key, TENANT, false).await;
        Linked { process, peer, prove, hello }
    }

    pub fn verified(&self, result: &JobResult) -> ResultBody {
        self.host_key.verify(Context::Result, &result.body, &result.signature).unwrap();
        keys::parse_canonical(&result.body).unwrap()
    }

    /// Waits for a condition of the file system, with a hang guard.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let poll = async {
            while !holds(self) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(GUARD, poll).await.unwrap_or_else(|_| panic!("never: {what}"));
    }
}

impl Linked {
    /// Configures the service's check and gives its first reading.
    pub async fn configure(&mut self) -> Observed {
        let running =
            Comparison { reading: "state".into(), op: wire::v1::Op::Eq, value: Value::Text("running".into()) };
        let spec = CheckSpec {
            check_id: CHECK,
            kind: CheckKind::Service,
            target: SERVICE.into(),
            interval_secs: 3600,
            limit_ms: 10_000,
            ok_when: vec![running],
            bad_when: Vec::new(),
        };
        self.peer.send(Down::Config(Config { version: 1, checks: vec![spec] })).await;
        self.observed().await
    }

    pub async fn observed(&mut self) -> Observed {
        self.peer.until(|up| if let Up::Observed(observed) = up { Some(observed) } else { None }).await
    }

    /// The next readings until the service is in `state`; gives the states seen on the way.
    pub async fn until_state(&mut self, wanted: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let now = state(&self.observed().await);
            let done = now == wanted;
            seen.push(now);
            if done {
                return seen;
            }
        }
    }

    pub async fn offer(&mut self, fence: i64, argvs: &[&[&str]]) -> JobKey {
        let (job, key) = job(self.prove.instance_id, fence, argvs);
        self.peer.send(Down::Job(job)).await;
        key
    }

    /// The next result, acked.
    pub async fn result(&mut self, bench: &Bench) -> ResultBody {
        let result = self.peer.until(|up| if let Up::Result(result) = up { Some(result) } else { None }).await;
        let body = bench.verified(&result);
        let ack = wire::v1::ResultAck { job: body.job, fence: body.fence };
        self.peer.send(Down::Ack { observed_seq: None, result: Some(ack) }).await;
        body
    }

    /// Waits for `Start` and permits it.
    pub async fn permit(&mut self) {
        let start = self.peer.until(|up| if let Up::Start(start) = up { Some(start) } else { None }).await;
        self.peer.send(Down::Permit { job: start.job, fence: start.fence }).await;
    }

    pub async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
}

pub fn state(observed: &Observed) -> String {
    match &observed.reading.seen {
        Seen::Data(readings) => match &readings["state"] {
            Value::Text(state) => state.clone(),
            Value::Number(_) => panic!("{observed:?}"),
        },
        Seen::NoData { why } => format!("no data: {why}"),
    }
}

pub fn ended(body: &ResultBody) -> &Ended {
    &body.ended
}

pub fn job(instance_id: Uuid, fence: i64, argvs: &[&[&str]]) -> (Job, JobKey) {
    job_but(instance_id, fence, argvs, |_| ())
}

/// The same with an envelope that differs.
pub fn job_but(instance_id: Uuid, fence: i64, argvs: &[&[&str]], change: impl FnOnce(&mut Envelope)) -> (Job, JobKey) {
    job_of(instance_id, fence, argvs, |_| (), change)
}

/// The same with a playbook that differs too.
pub fn job_of(
    instance_id: Uuid,
    fence: i64,
    argvs: &[&[&str]],
    write: impl FnOnce(&mut Playbook),
    change: impl FnOnce(&mut Envelope),
) -> (Job, JobKey) {
    let step = |argv: &&[&str]| Step {
        title: "step".into(),
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        script: None,
        limit_secs: 60,
    };
    let mut playbook = Playbook {
        name: "restart".into(),
        title: "Restart".into(),
        risk: Risk::L,
        effect: Effect::Once,
        parameters: BTreeMap::from([("service".to_owned(), ParameterType::ServiceName)]),
        steps: argvs.iter().map(step).collect(),
        undo: Vec::new(),
        weight: 1,
    };
    write(&mut playbook);
    let steps = u16::try_from(playbook.steps.len()).unwrap();
    let playbook = to_canonical(&playbook).unwrap();
    let key = JobKey { run_id: Uuid::from_u128(50), purpose: Purpose::Fix, leg: 1, attempt: 1 };
    let mut envelope = Envelope {
        tenant_id: TENANT,
        host_id: HOST,
        instance_id,
        job: key,
        fence,
        playbook_digest: keys::digest(playbook.as_bytes()).to_string(),
        steps: (1, steps),
        parameters: BTreeMap::from([("service".to_owned(), Value::Text(SERVICE.into()))]),
        check_id: CHECK,
        target: SERVICE.into(),
        server_looked: false,
        ttl_secs: 60,
        limit_secs: 60,
    };
    change(&mut envelope);
    let envelope = to_canonical(&envelope).unwrap();
    let job = Job {
        envelope_signature: dispatch_key().sign(Context::Envelope, &envelope),
        playbook_signature: playbook_key().sign(Context::Playbook, &playbook),
        envelope,
        playbook,
    };
    (job, key)
}
