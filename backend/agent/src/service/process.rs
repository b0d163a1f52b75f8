//! Whether processes live, read from `/proc`: `kill -0` takes a zombie for alive.

use std::fs;
use std::io;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

/// A process's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs or sleeps.
    Alive,
    /// It ended, and its parent has not taken notice.
    Zombie,
    /// There is none.
    Gone,
}

/// The life of process `pid`.
pub fn life(pid: i32) -> Life {
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else { return Life::Gone };
    // `pid (name) state …`, and the name may hold anything, brackets too.
    let state = stat.iter().rposition(|b| *b == b')').and_then(|at| stat.get(at + 2));
    match state {
        Some(b'Z' | b'X' | b'x') => Life::Zombie,
        Some(_) => Life::Alive,
        None => Life::Gone,
    }
}

/// Whether a living process runs `argv`, directly or as a script behind its interpreter.
pub fn runs(argv: &[String]) -> bool {
    if argv.is_empty() {
        return false;
    }
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).any(|pid| {
        let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        is_command(&line, argv) && life(pid) == Life::Alive
    })
}

/// Whether the zero-ended arguments in `line` end with `argv`, after at most an interpreter and its option.
fn is_command(line: &[u8], argv: &[String]) -> bool {
    let arguments: Vec<_> = line.strip_suffix(b"\0").unwrap_or(line).split(|b| *b == 0).collect();
    let Some(before) = arguments.len().checked_sub(argv.len()) else { return false };
    before <= 2 && arguments[before..].iter().zip(argv).all(|(a, b)| *a == b.as_bytes())
}

/// Returns when process `pid` has ended, reaped or not; at once if it has.
///
/// # Errors
/// The kernel has no process descriptors.
pub async fn ended(pid: i32) -> io::Result<()> {
    let Some(raw) = Pid::from_raw(pid) else { return Ok(()) };
    let pidfd = match pidfd_open(raw, PidfdFlags::NONBLOCK) {
        // Deprecated because a type could close or swap its descriptor while registered. An `OwnedFd` that
        // is moved in does neither, and the successor is `unsafe`, which this crate forbids.
        #[allow(deprecated)]
        Ok(pidfd) => AsyncFd::new(pidfd)?,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    pidfd.readable().await?.retain_ready();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_known_directly_and_behind_its_interpreter() {
        let argv = ["/opt/ctl".to_owned(), "stop".to_owned()];
        for (line, known) in [
            (&b"/opt/ctl\0stop\0"[..], true),
            (b"/bin/sh\0/opt/ctl\0stop\0", true),
            (b"/bin/sh\0-e\0/opt/ctl\0stop\0", true),
            (b"/opt/ctl\0stop\0now\0", false),
            (b"/opt/ctl\0start\0", false),
            (b"/usr/bin/env\0a\0b\0/opt/ctl\0stop\0", false),
            (b"stop\0", false),
            (b"", false),
        ] {
            assert_eq!(is_command(line, &argv), known, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn an_unreaped_child_is_a_zombie() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ended(pid)).unwrap();
        assert_eq!(life(pid), Life::Zombie);
        child.wait().unwrap();
        assert_eq!(life(pid), Life::Gone);
    }
}
