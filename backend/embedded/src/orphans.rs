//! What an earlier life left on the folder: a server without a parent, its backends, a pid file.
//!
//! We hold the folder's lock here, so whoever still works in it belongs to nobody.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::folder::Folder;

const POLL: Duration = Duration::from_millis(20);
/// 30 s for a fast shutdown, then 5 s for an immediate one.
const FAST_POLLS: u32 = 1_500;
const IMMEDIATE_POLLS: u32 = 250;

/// The two lines of `postmaster.pid` that tell something.
#[derive(Debug)]
pub(crate) struct PidFile {
    pub pid: Option<Pid>,
    /// `starting`, `ready`, `stopping`, or empty while it is being written.
    pub status: String,
}

impl PidFile {
    pub fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok()).map(Pid::from_raw);
        let status = lines.nth(6).unwrap_or_default().trim().to_owned();
        Some(Self { pid, status })
    }
}

/// Ends what an earlier life left running, and removes a pid file that would fool the new server.
pub(crate) fn clear(folder: &Folder) -> Result<()> {
    let Some(file) = PidFile::read(folder.data()) else { return Ok(()) };
    let left = || workers(folder.data());
    if !left().is_empty() {
        tracing::warn!(root = %folder.root().display(), "a PostgreSQL without parent works on the folder; stopping it");
        signal(&file, &left(), Signal::SIGINT);
        if !wait_until_gone(left, FAST_POLLS) {
            signal(&file, &left(), Signal::SIGQUIT);
            ensure!(
                wait_until_gone(left, IMMEDIATE_POLLS),
                "a PostgreSQL that was left on {} does not end",
                folder.root().display()
            );
        }
    }
    // Nobody works in the folder. If the number now belongs to another program of the same account, postgres would
    // take that for a living server and refuse to start. (Where it belongs to nobody, postgres itself checks the
    // shared memory that the file names, so the file stays.)
    if let Some(pid) = PidFile::read(folder.data()).and_then(|file| file.pid)
        && works_in(&Path::new("/proc").join(pid.to_string()), folder.data()) == Some(false)
    {
        tracing::info!(pid = pid.as_raw(), "the pid file names another program; removing it");
        fs::remove_file(folder.data().join("postmaster.pid"))?;
        for socket in [".s.PGSQL.5432", ".s.PGSQL.5432.lock"] {
            match fs::remove_file(folder.socket_dir().join(socket)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The postmaster alone where it lives, because it ends its backends in order; else its backends.
fn signal(file: &PidFile, workers: &[Pid], signal: Signal) {
    let postmaster = file.pid.filter(|pid| workers.contains(pid));
    let targets = postmaster.map_or_else(|| workers.to_vec(), |pid| vec![pid]);
    for pid in targets {
        // ESRCH means that it ended by itself, which is what is wanted.
        let _ = kill(pid, signal);
    }
}

/// Every process of the program `postgres` that works in the data folder: postmaster and backends.
fn workers(data: &Path) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            works_in(&entry.path(), data).unwrap_or(false).then_some(Pid::from_raw(pid))
        })
        .collect()
}

/// `None`: cannot be told. In a container without `CAP_SYS_PTRACE` root may not read the links of another account's
/// processes; then the postmaster's own command line, which everybody may read, names the folder.
fn works_in(proc: &Path, data: &Path) -> Option<bool> {
    if fs::read_to_string(proc.join("comm")).ok()?.trim() != "postgres" {
        return Some(false);
    }
    // A zombie works nowhere. In a container without an init it stays for ever, and postgres takes it for a server.
    let stat = fs::read_to_string(proc.join("stat")).ok()?;
    if stat.rsplit(')').next()?.trim_start().starts_with('Z') {
        return Some(false);
    }
    match (fs::read_link(proc.join("exe")), fs::read_link(proc.join("cwd"))) {
        (Ok(exe), Ok(cwd)) => Some(program_name(&exe) == "postgres" && cwd == data),
        _ => {
            let line = fs::read(proc.join("cmdline")).ok()?;
            let names_folder = line.split(|byte| *byte == 0).any(|word| word == data.as_os_str().as_encoded_bytes());
            names_folder.then_some(true)
        }
    }
}

/// `postgres` also after an upgrade replaced the file, when the kernel adds ` (deleted)`.
fn program_name(exe: &Path) -> String {
    let name = exe.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.trim_end_matches(" (deleted)").to_owned()
}

fn wait_until_gone(left: impl Fn() -> Vec<Pid>, polls: u32) -> bool {
    for _ in 0..polls {
        if left().is_empty() {
            return true;
        }
        thread::sleep(POLL);
    }
    left().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_that_is_still_being_written_is_not_ready() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("postmaster.pid"), "4711\n/data\n").unwrap();
        let file = PidFile::read(dir.path()).unwrap();
        assert_eq!((file.pid, file.status.as_str()), (Some(Pid::from_raw(4711)), ""));
    }

    #[test]
    fn a_program_that_was_upgraded_under_its_process_keeps_its_name() {
        assert_eq!(program_name(Path::new("/x/bin/postgres (deleted)")), "postgres");
    }
}
