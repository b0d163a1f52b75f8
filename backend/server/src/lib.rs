//! mendwright: up, serve, migrate, guardrails, platform, keys, interlock, apply, export, audit, demo. The only place that reads the
//! environment and wires crates together.
#![forbid(unsafe_code)]

pub mod audit;
pub mod breakers;
pub mod cli;
mod clock;
pub mod clock_reset;
pub mod config;
mod configure;
pub mod demo;
pub mod dispatch_keys;
pub mod interlock;
pub mod keystore;
mod listen;
pub mod node;
pub mod platform;
mod random;
pub mod seed;
pub mod up;
pub mod upkeep;
pub mod visitor;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use cli::{Cli, Command};
use config::Urls;
use keystore::Keystore;
use node::{Node, open_store};
use seed::Seed;
use up::Installation;

/// Runs the command; an error is printed with its causes, once, here.
pub fn run(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("mendwright: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(command(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mendwright: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn command(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up(args) => {
            log_to_stderr();
            up_command(args).await
        }
        Command::Serve(args) => {
            log_to_stderr();
            serve_command(args).await
        }
        Command::Migrate(args) => migrate_command(args).await,
        Command::Guardrails(cli::Guardrails::ClockReset(args)) => {
            clock_reset::run(args).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Guardrails(cli::Guardrails::Breakers(at)) => breakers::list(at).await.map(|()| ExitCode::SUCCESS),
        Command::Guardrails(cli::Guardrails::CloseBreaker { breaker, reason, at }) => {
            breakers::close(at, &breaker, &reason).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Platform(command) => platform::run(command).await.map(|()| ExitCode::SUCCESS),
        Command::Keys(cli::Keys::RotateDispatch(rows)) => dispatch_keys::run(rows).await.map(|()| ExitCode::SUCCESS),
        Command::Interlock(command) => interlock::run(command).await,
        Command::Apply(args) => configure::apply(args).await,
        Command::Export(args) => configure::export(args).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Demo(args) => demo::run(args).await,
        Command::DemoVictim { dir } => demo::victim::run(&dir).await.map(|()| ExitCode::SUCCESS),
        Command::DemoCtl { action, dir } => demo::ctl::run(action, &dir),
    }
}

/// What is logged unless RUST_LOG says otherwise; the database's notices tell an operator nothing, and what the SSH library
/// thinks of a host that a tenant has it ask stands in the check.
pub(crate) const LOG_FILTER: &str = "info,sqlx=warn,sqlx::postgres::notice=error,russh=off";

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(LOG_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

/// The environment, as a question.
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read_seed(file: &Path) -> Result<Seed> {
    let text = std::fs::read_to_string(file).with_context(|| format!("the seed {} cannot be read", file.display()))?;
    Ok(Seed::parse(file, &text, &env)?)
}

async fn up_command(args: cli::Up) -> Result<ExitCode> {
    let seed = args.seed.as_deref().map(read_seed).transpose()?;
    let data = args.data.unwrap_or_else(|| config::default_data(env));
    let options = up::Options { data, node: args.node.config(), seed, durable: true };
    let stop = stop_signal()?;
    let installation = Installation::start(options, Vec::new()).await?;
    println!("Mendwright is up at {}", installation.node.public_url);
    println!("  data       {}", installation.folder.root().display());
    println!("  authority  {}", installation.authority);
    if let Some(seeded) = &installation.seeded {
        up::print_enrolments(&seeded.hosts, &installation.node.public_url, &installation.authority);
    }
    stop.await;
    tracing::info!("stopping");
    installation.stop().await?;
    Ok(ExitCode::SUCCESS)
}

async fn serve_command(args: cli::Serve) -> Result<ExitCode> {
    let urls = Urls { tenant: args.database_url, system: args.database_system_url };
    let keystore = Keystore::open(&args.keys)?;
    let store = open_store(&urls)?;
    let stop = stop_signal()?;
    let node = Node::start(&args.node.config(), &store, &keystore, Vec::new()).await?;
    println!("Mendwright serves at {}", node.public_url);
    stop.await;
    tracing::info!("stopping");
    node.stop().await;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn migrate_command(args: cli::Migrate) -> Result<ExitCode> {
    let owner = &args.database_owner_url;
    let database = database_of(owner);
    if let Some(admin) = &args.database_admin_url {
        store::migrate::prepare_cluster(admin, database).await?;
    }
    match store::migrate::migrate(owner).await {
        Ok(()) => {
            println!("The database {database} is up to date.");
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ store::migrate::MigrateError::Database(_)) => {
            eprintln!("mendwright: {:#}", anyhow::Error::from(error));
            eprintln!("If roles or database are missing, an administrator runs this, or say --database-admin-url:");
            let create = format!("CREATE DATABASE \"{}\" OWNER app_owner;\n", database.replace('"', "\"\""));
            std::io::stdout().write_all(format!("{}\n{create}", store::migrate::ROLES_SQL).as_bytes())?;
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

/// The database of a PostgreSQL URL.
fn database_of(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or(url);
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("mendwright")
}

/// Resolves at SIGINT or SIGTERM; listens from now on.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
