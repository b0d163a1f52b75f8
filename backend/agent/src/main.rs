//! The agent's command line. Clock and randomness are made here and handed down.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods)] // the one place where clock and randomness are made

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use agent::address::Server;
use agent::agent::Agent;
use agent::cgroup;
use agent::enroll::{self, enroll};
use agent::jobs::Host;
use agent::limits::Limits;
use agent::link;
use agent::service::declared::Unit;
use agent::service::systemd::act::{self, Action};
use agent::service::systemd::scope::{Scope, Scopes};
use agent::state::StateDir;
use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use keys::Digest;
use runner::Clock;
use runner::confine::Confinement;
use runner::perform::Bounds;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;
use wire::v1::{MAX_OUTPUT_BYTES, Profile, constants};

const BOUNDS: Bounds =
    Bounds { permit_use: Duration::from_secs(constants::PERMIT_USE_SECS), output_bytes: MAX_OUTPUT_BYTES as u64 };

/// Detects on the host, runs signed fixes under the host's own limits.
#[derive(Parser)]
#[command(name = "mendwright-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make this machine a host of an organization.
    Enroll {
        /// The server: https://host:port (http:// on loopback only).
        #[arg(long)]
        server: Server,
        /// The enrolment token.
        #[arg(long, env = "MENDWRIGHT_TOKEN", hide_env_values = true)]
        token: String,
        /// What this host allows to be done.
        #[arg(long)]
        profile: ProfileArgument,
        /// SHA-256 (hex) of the server's own certificate authority; without it, public authorities.
        #[arg(long)]
        authority: Option<Digest>,
        /// Where the agent keeps its state [default: /var/lib/mendwright].
        #[arg(long)]
        state_dir: Option<PathBuf>,
        /// The file with what the machine calls itself; a hash of it is told, so that the same machine enrolled again is
        /// known [default: /etc/machine-id; with --state-dir none].
        #[arg(long)]
        machine_id: Option<PathBuf>,
    },
    /// Watch and fix, until told to stop.
    Run {
        /// Where the agent keeps its state [default: /var/lib/mendwright].
        #[arg(long)]
        state_dir: Option<PathBuf>,
    },
    /// Act on a unit of systemd. A step of a run; started by the runner only.
    #[command(hide = true)]
    Unit {
        #[arg(value_parser = |word: &str| word.parse::<Action>().map_err(|()| "start, stop, restart or status"))]
        action: Action,
        /// The D-Bus address at which systemd is asked [default: the system bus].
        #[arg(long)]
        bus: Option<String>,
        unit: Unit,
    },
    /// Perform one ordered run. Started by the agent only.
    #[command(hide = true)]
    Runner {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        slot: u16,
        #[arg(long)]
        fence: i64,
        /// The scope of systemd's that it goes to first.
        #[arg(long)]
        scope: Option<Scope>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileArgument {
    ReadOnly,
    LowRisk,
    AllSigned,
}

impl From<ProfileArgument> for Profile {
    fn from(argument: ProfileArgument) -> Self {
        match argument {
            ProfileArgument::ReadOnly => Profile::ReadOnly,
            ProfileArgument::LowRisk => Profile::LowRisk,
            ProfileArgument::AllSigned => Profile::AllSigned,
        }
    }
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MENDWRIGHT_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    match perform(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mendwright-agent: {}", link::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Command) -> anyhow::Result<ExitCode> {
    if let Command::Runner { dir, slot, fence, scope } = command {
        // One thread and, once it is where it is to be, no runtime: it has one child to wait for.
        let enter = || scope?.enter(std::io::stdout());
        runner::perform::perform_in(&dir, slot, fence, BOUNDS, &Clock::system(), enter)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        Command::Runner { .. } => {}
        Command::Unit { action, bus, unit } => {
            let done = runtime.block_on(act::perform(action, &unit, bus.as_deref()));
            println!("{}", done.said);
            return Ok(done.code.into());
        }
        Command::Enroll { server, token, profile, authority, state_dir, machine_id } => {
            let dir = StateDir::open(state_dir.as_deref())?;
            // Agents with folders of their own may be many on one machine.
            let machine_id = machine_id.or_else(|| state_dir.is_none().then(|| enroll::MACHINE_ID.into()));
            let request = enroll::Request { server, token, profile: profile.into(), authority, machine_id };
            let identity = runtime.block_on(enroll(&dir, &request, &mut rand::rng()))?;
            println!("enrolled as host {}", identity.host_id);
        }
        Command::Run { state_dir } => runtime.block_on(run(StateDir::open(state_dir.as_deref())?))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the host cannot promise without a cgroup.
const NO_CGROUP: &str = "a step that leaves its process group is not killed at its time limit: no cgroup for runs";

async fn run(dir: StateDir) -> anyhow::Result<()> {
    let mut rng = rand::rng();
    let identity = dir.identity()?;
    let _lock = dir.lock()?;
    let server: Server = identity.server.parse().context("the server's address in identity.json")?;
    let limits = Limits::load(dir.limits_path())?;
    let cgroup = cgroup::of_runs(limits.cgroup.as_deref(), identity.host_id);
    let scopes = Scopes::of_host(limits.bus.as_deref(), limits.cgroup.is_none());
    if scopes.is_none() {
        tracing::info!("systemd is not PID 1: runs get no scope of their own");
    }
    let host = Host {
        pinned: identity.pinned().context("the pinned keys in identity.json")?,
        key: dir.host_key(&mut rng)?,
        // The one wall clock of the agent: everything else is timed since boot.
        wall: SystemTime::now,
        notes: cgroup.as_ref().err().map(|why| format!("{NO_CGROUP} ({why})")).into_iter().collect(),
        confinement: Confinement { memory_bytes: limits.max_memory_bytes(), cgroup: cgroup.ok() },
        limits,
        clock: Clock::system(),
        instance_id: Uuid::new_v4(),
        boot_id: runner::clock::boot_id()?.parse()?,
        // The very file that runs now, also after an update put another one in its place.
        program: "/proc/self/exe".into(),
        scopes,
        identity,
        dir,
    };
    let trust = host.dir.trust()?;
    tracing::info!(host = %host.identity.host_id, %server, "started");
    let (mut agent, mut events) = Agent::new(host)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        "shutdown"
    };
    link::keep(&mut agent, &mut events, &server, &trust, stop, &mut rng).await;
    tracing::info!("stopped");
    Ok(())
}
