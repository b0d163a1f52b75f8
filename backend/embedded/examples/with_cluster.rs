//! Runs a command beside a throw-away cluster: `with_cluster COMMAND [ARGUMENT…]`. Used by `make prepare`.
//!
//! The command finds the cluster by `PGHOST`, `PGUSER` (the superuser) and `PGDATABASE`; its exit code is ours.
use std::process::{Command, ExitCode};
use std::time::Duration;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or_else(|| anyhow::anyhow!("usage: with_cluster COMMAND [ARGUMENT…]"))?;
    let root = std::env::temp_dir().join(format!("mendwright-prepare-{}", std::process::id()));
    let options = embedded::Options::new(&root).without_fsync();
    let cluster = embedded::Cluster::start(&options)?;
    let status = Command::new(program)
        .args(arguments)
        .env("PGHOST", cluster.socket_dir())
        .env("PGPORT", "5432")
        .env("PGUSER", embedded::SUPERUSER)
        .env("PGDATABASE", "postgres")
        .status();
    cluster.stop(Duration::from_secs(30))?;
    std::fs::remove_dir_all(&root)?;
    let code = status?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
