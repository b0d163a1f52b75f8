//! A private PostgreSQL cluster: find binaries, initdb, run, recover, stop.
//!
//! For `mendwright up` and for the tests. The cluster listens on a Unix socket only, in a folder that nobody but
//! the server's own account may enter, so it needs no password and no port.
//!
//! What it lives through: it is killed with its parent (`PDEATHSIG` = fast shutdown), recovers after a kill of both,
//! stops a server that was left on its folder, is not fooled by a stale pid file, and refuses a second instance,
//! a folder that is not its own and a data folder of another major version.
//!
//! Code here is synchronous; call it from a blocking thread when inside an async runtime.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod account;
mod binaries;
mod folder;
mod orphans;
mod spawn;

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;
use std::{io, thread};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::fcntl::Flock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use account::Account;
use binaries::Binaries;
use folder::Folder;

/// The superuser that initdb makes. Only the operator's set-up (roles.sql, CREATE DATABASE) uses it.
pub const SUPERUSER: &str = "app";

/// How often the start looks at the pid file, and how many times: crash recovery of a large folder takes minutes.
const POLL: Duration = Duration::from_millis(20);
const START_POLLS: u32 = 15_000;
/// How long `Drop` waits for a fast shutdown before it insists.
const DROP_LIMIT: Duration = Duration::from_secs(10);
/// How long an immediate shutdown may take before the process is killed.
const IMMEDIATE_LIMIT: Duration = Duration::from_secs(5);

/// Whether a process runs the cluster of `root`.
pub fn is_running(root: &Path) -> bool {
    folder::is_locked(root)
}

/// What to run and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the cluster: absent, empty, or one that an earlier start made.
    pub root: PathBuf,
    /// False is for tests only: a crash of the machine may then lose everything.
    pub fsync: bool,
    /// More server settings, as in `-c name=value`. They win over ours.
    pub settings: Vec<(String, String)>,
    /// The folder of `initdb` and `postgres`. Else: `PG_BIN_DIR`, Debian's newest, `initdb` on `PATH`.
    pub bin_dir: Option<PathBuf>,
    /// When we are root: the account that runs the server. Else: `postgres`, or, where there is none, `nobody`.
    pub account: Option<String>,
}

impl Options {
    /// A durable cluster in `root`, everything else found by itself.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), fsync: true, settings: Vec::new(), bin_dir: None, account: None }
    }

    /// For tests: nothing is synced to the disk.
    pub fn without_fsync(mut self) -> Self {
        self.fsync = false;
        self
    }
}

/// A running server. Dropping it stops it (fast shutdown).
#[derive(Debug)]
pub struct Cluster {
    folder: Folder,
    pid: Pid,
    done: Mutex<mpsc::Receiver<io::Result<ExitStatus>>>,
    stopped: bool,
    _lock: Flock<File>,
}

impl Cluster {
    /// Starts the cluster of `options.root`, making it first where there is none, and returns when it takes connections.
    ///
    /// # Errors
    /// No binaries (the message names what to install), a folder that is not ours or that the server's account cannot
    /// enter, another instance on the folder, another major version's data, or a server that does not come up
    /// (the message ends with its log's last lines).
    pub fn start(options: &Options) -> Result<Self> {
        let account = Account::choose(options.account.as_deref())?;
        let binaries = Binaries::find(options.bin_dir.as_deref())?;
        let folder = Folder::claim(&options.root, account.as_ref())?;
        let lock = folder.lock()?;
        let version = binaries.major_version(&folder, account.as_ref())?;
        folder.make_socket_dir(account.as_ref())?;
        if !folder.has_data() {
            init(&binaries, &folder, account.as_ref(), options.fsync)?;
        }
        folder.check_version(&version, &binaries)?;
        orphans::clear(&folder)?;

        let log = folder.open_log()?;
        let mut command = command(&binaries.postgres(), account.as_ref(), folder.root());
        command.arg("-D").arg(folder.data()).arg("-k").arg(folder.socket_dir());
        for (name, value) in settings(options) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // Own process group: Ctrl-C at the terminal is ours to handle.
        command.stdout(log.try_clone()?).stderr(log).process_group(0);
        let (pid, done) = spawn_on_own_thread(command)?;
        // From here on every early return drops the cluster, which stops the server.
        let cluster = Self { folder, pid, done: Mutex::new(done), stopped: false, _lock: lock };
        cluster.wait_until_ready()?;
        tracing::info!(root = %cluster.folder.root().display(), pid = pid.as_raw(), version, "PostgreSQL is up");
        Ok(cluster)
    }

    /// The folder of the Unix socket, for `PGHOST` or `?host=`.
    pub fn socket_dir(&self) -> &Path {
        self.folder.socket_dir()
    }

    /// The postmaster's process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// A connection URL for sqlx and libpq. Names every setting that an exported `PG…` variable could change.
    pub fn url(&self, role: &str, database: &str) -> String {
        url_at(self.socket_dir(), role, database)
    }

    /// True until the server has ended, by whomever.
    pub fn is_running(&self) -> bool {
        !self.stopped && kill(self.pid, None).is_ok()
    }

    /// Fast shutdown: sessions are ended, everything is written. After `max` immediate, and then it is an error.
    ///
    /// # Errors
    /// When the server had to be ended immediately (the next start recovers), or ended with a failure.
    pub fn stop(mut self, max: Duration) -> Result<()> {
        self.shut_down(max)
    }

    fn shut_down(&mut self, max: Duration) -> Result<()> {
        if std::mem::replace(&mut self.stopped, true) {
            return Ok(());
        }
        let pid = self.pid;
        let done = self.done.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Ok(ended) = done.try_recv() {
            bail!("PostgreSQL had already ended: {}", ended?);
        }
        kill(pid, Signal::SIGINT).context("PostgreSQL cannot be signalled")?;
        if let Ok(ended) = done.recv_timeout(max) {
            let status = ended?;
            ensure!(status.success(), "PostgreSQL ended with {status}");
            return Ok(());
        }
        kill(pid, Signal::SIGQUIT)?;
        if done.recv_timeout(IMMEDIATE_LIMIT).is_err() {
            kill(pid, Signal::SIGKILL)?;
        }
        bail!("PostgreSQL needed an immediate shutdown after {max:?}; the next start recovers")
    }

    /// Ready is: the pid file has our pid in its first line and `ready` in its eighth.
    fn wait_until_ready(&self) -> Result<()> {
        let done = self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for _ in 0..START_POLLS {
            match done.recv_timeout(POLL) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Ok(ended) => bail!("PostgreSQL ended while starting: {}\n{}", ended?, self.folder.log_tail()),
                Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the thread that waits for PostgreSQL is gone"),
            }
            if let Some(file) = orphans::PidFile::read(self.folder.data())
                && file.pid == Some(self.pid)
                && file.status == "ready"
            {
                return Ok(());
            }
        }
        bail!("PostgreSQL is not ready after {:?}\n{}", POLL * START_POLLS, self.folder.log_tail())
    }
}

/// A connection URL for the cluster in `root`, which another process runs.
pub fn url(root: &Path, role: &str, database: &str) -> String {
    url_at(&folder::socket_dir(root), role, database)
}

fn url_at(socket_dir: &Path, role: &str, database: &str) -> String {
    format!(
        "postgres:///{}?host={}&port=5432&user={}&sslmode=disable",
        percent_encoded(database),
        percent_encoded(&socket_dir.to_string_lossy()),
        percent_encoded(role)
    )
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down(DROP_LIMIT) {
            tracing::warn!(%error, "the embedded PostgreSQL did not stop cleanly");
        }
    }
}

fn settings(options: &Options) -> Vec<(String, String)> {
    let durable = if options.fsync { "on" } else { "off" };
    let ours = [
        ("listen_addresses", ""),
        ("port", "5432"),
        ("max_connections", "200"),
        ("unix_socket_permissions", "0700"),
        ("logging_collector", "off"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("fsync", durable),
        ("full_page_writes", durable),
    ];
    let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    ours.chain(options.settings.iter().cloned()).collect()
}

/// initdb beside the data folder, then a rename: there is never half a cluster.
fn init(binaries: &Binaries, folder: &Folder, account: Option<&Account>, fsync: bool) -> Result<()> {
    let fresh = folder.fresh_data_dir(account)?;
    let mut command = command(&binaries.initdb(), account, folder.root());
    command.args(["-U", SUPERUSER, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"]);
    if !fsync {
        command.arg("--no-sync");
    }
    let output = command.arg("-D").arg(&fresh).output().context("initdb cannot be run")?;
    ensure!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    folder.accept_data(&fresh)
}

/// A child as the server's account, with nothing of our environment.
fn command(program: &Path, account: Option<&Account>, cwd: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(cwd).stdin(Stdio::null()).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    spawn::die_with_parent(&mut command);
    command
}

type Ending = mpsc::Receiver<io::Result<ExitStatus>>;

/// The parent-death signal fires when the forking *thread* ends, so a thread of its own forks and then waits.
fn spawn_on_own_thread(mut command: Command) -> Result<(Pid, Ending)> {
    let (pid_sender, pid) = mpsc::channel();
    let (done_sender, done) = mpsc::channel();
    thread::Builder::new().name("postgres".to_owned()).spawn(move || match command.spawn() {
        Err(error) => drop(pid_sender.send(Err(error))),
        Ok(mut child) => {
            // A receiver that is gone means that the cluster was dropped; the wait still reaps the child.
            drop(pid_sender.send(Ok(child.id())));
            drop(done_sender.send(child.wait()));
        }
    })?;
    let pid = pid.recv().context("the thread that starts PostgreSQL is gone")?.context("PostgreSQL cannot be run")?;
    let pid = i32::try_from(pid).map_err(|_| anyhow!("not a process id: {pid}"))?;
    Ok((Pid::from_raw(pid), done))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_encodes_what_would_change_its_meaning() {
        assert_eq!(percent_encoded("/a b/ü&c"), "%2Fa%20b%2F%C3%BC%26c");
    }

    #[test]
    fn settings_of_the_caller_come_last_and_win() {
        let mut options = Options::new("/nowhere").without_fsync();
        options.settings.push(("max_connections".to_owned(), "20".to_owned()));
        let settings = settings(&options);
        assert_eq!(settings.last().unwrap().1, "20");
        assert!(settings.contains(&("fsync".to_owned(), "off".to_owned())));
    }
}
