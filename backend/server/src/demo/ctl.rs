//! A victim's start, stop and status commands, as its host declares them; exit codes as the LSB has them.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::victim::Files;

const POLL: Duration = Duration::from_millis(20);
/// Five seconds: more than a victim ever needs.
const POLLS: u32 = 250;
/// Two seconds to end by itself; then it is killed, as service managers do it.
const POLITE_POLLS: u32 = 100;
/// The end of its log, as whoever starts it in vain wants to read it.
const LAST_LINES: usize = 5;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// Starts it, if it does not run; returns when it listens.
    Start,
    /// Ends it, if it runs; returns when it is gone.
    Stop,
    /// 0 runs, 1 dead with its pid file left, 3 stopped.
    Status,
}

/// Does it.
pub fn run(action: Action, dir: &Path) -> Result<ExitCode> {
    let files = Files::new(dir);
    match action {
        Action::Start => start(&files)?,
        Action::Stop => stop(&files)?,
        Action::Status => return Ok(ExitCode::from(status(&files))),
    }
    Ok(ExitCode::SUCCESS)
}

/// LSB: 0 running, 1 dead and the pid file exists, 3 not running.
pub fn status(files: &Files) -> u8 {
    match (files.living(), files.pid_file().exists()) {
        (Some(_), _) => 0,
        (None, true) => 1,
        (None, false) => 3,
    }
}

/// Starts it as its host would, if it does not run: not as a child of ours.
pub async fn start_by_command(files: &Files) -> Result<()> {
    let started = by_command("start", files).await?;
    // Somebody else may have started it meanwhile: the fix, say.
    ensure!(started.is_ok() || files.living().is_some(), "{}", started.err().unwrap_or_default());
    Ok(())
}

/// Stops it as its host would.
pub async fn stop_by_command(files: &Files) -> Result<()> {
    by_command("stop", files).await?.map_err(anyhow::Error::msg)
}

/// Runs one of its commands; what it said when it failed.
async fn by_command(action: &str, files: &Files) -> Result<Result<(), String>> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    let done = command.args(["demo-ctl", action, "--dir"]).arg(files.dir()).output().await?;
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Ok(if done.status.success() { Ok(()) } else { Err(said) })
}

fn start(files: &Files) -> Result<()> {
    if let Some(pid) = files.living() {
        println!("already running as {pid}");
        return Ok(());
    }
    fs::create_dir_all(files.dir())?;
    let log = File::options().create(true).append(true).open(files.log())?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["demo-victim", "--dir"])
        .arg(files.dir())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("the service cannot be started")?;
    for _ in 0..POLLS {
        if let Some(pid) = files.living()
            && i64::from(pid) == i64::from(child.id())
        {
            println!("started as {pid} on port {}", files.port().unwrap_or(0));
            return Ok(());
        }
        if let Some(ended) = child.try_wait()? {
            bail!("the service ended at once: {ended}; its log ends so:\n{}", last_lines(&files.log()));
        }
        std::thread::sleep(POLL);
    }
    bail!("the service did not come up")
}

fn stop(files: &Files) -> Result<()> {
    let Some(pid) = files.living() else {
        drop(fs::remove_file(files.pid_file()));
        return Ok(());
    };
    kill(Pid::from_raw(pid), Signal::SIGTERM)?;
    if ends(files, POLITE_POLLS) {
        println!("stopped {pid}");
        return Ok(());
    }
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    if ends(files, POLLS) {
        drop(fs::remove_file(files.pid_file()));
        println!("{pid} did not end when it was asked to, and was killed");
        return Ok(());
    }
    bail!("the service {pid} does not end")
}

fn ends(files: &Files, polls: u32) -> bool {
    (0..polls).any(|_| {
        let gone = files.living().is_none();
        if !gone {
            std::thread::sleep(POLL);
        }
        gone
    })
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// What the demo is about: the process is gone, and nobody stopped it.
pub fn kill_hard(files: &Files) -> Result<i32> {
    let pid = files.living().context("it does not run")?;
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    Ok(pid)
}

/// It lives on and does nothing any more.
pub fn freeze(files: &Files) -> Result<i32> {
    let pid = files.living().context("it does not run")?;
    kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
    Ok(pid)
}

/// Lets one that is frozen go on.
pub fn thaw(files: &Files) -> Result<()> {
    if let Some(pid) = files.living().filter(|_| files.is_frozen()) {
        kill(Pid::from_raw(pid), Signal::SIGCONT)?;
    }
    Ok(())
}
