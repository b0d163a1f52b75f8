//! One program under a time limit: its own session, TERM then KILL to its group, its output to a sink.

use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::clock::Clock;
use crate::confine::Group;
use crate::spawn::{confined, own_session};

/// How long a group has between TERM and KILL.
pub const GRACE: Duration = Duration::from_secs(5);

/// The most that is read from the pipe after the program ended: what it had written before.
const DRAIN_BYTES: usize = 1024 * 1024;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// The program and its arguments; not empty.
    pub argv: &'a [String],
    /// The whole environment.
    pub env: &'a [(String, String)],
    /// How long it may take.
    pub limit: Duration,
    /// How long its group has between TERM and KILL.
    pub grace: Duration,
    /// The most data each of its processes may hold, in bytes.
    pub memory_bytes: Option<u64>,
    /// The cgroup that it and all it starts belong to.
    pub group: Option<&'a Group>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself: its exit code, or 128 + n for signal n. 127: no such program; 126: it cannot be run.
    Exited(i32),
    /// Its group was killed at its limit.
    TimedOut,
}

/// Runs `program` to its end and hands its output (both streams, as they come) to `sink`.
///
/// It ends when its own process ends, not at the end of its output: a daemon that it started keeps the pipe
/// open. What it left running is not killed, unless it ran over its limit.
///
/// # Errors
/// The system refuses a pipe or a process descriptor. If the program itself cannot be run, that is an end.
pub fn run(program: Program<'_>, clock: &Clock, sink: &mut dyn FnMut(&[u8])) -> io::Result<End> {
    let (mut reader, writer) = io::pipe()?;
    fcntl_setfl(&reader, OFlags::NONBLOCK)?;
    let mut child = match start(program, writer) {
        Ok(child) => child,
        Err(error) => {
            sink(format!("cannot run {:?}: {error}\n", program.argv.first()).as_bytes());
            return Ok(End::Exited(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }));
        }
    };
    let pid = Pid::from_child(&child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut buffer = vec![0; 64 * 1024];
    let mut stage = Stage::Running;
    let mut next = clock.now().saturating_add(program.limit);
    let mut open = true;
    loop {
        let mut fds = vec![PollFd::new(&pidfd, PollFlags::IN)];
        if open {
            fds.push(PollFd::new(&reader, PollFlags::IN));
        }
        match poll(&mut fds, Some(&timespec(next.saturating_sub(clock.now())))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = !fds[0].revents().is_empty();
        let output = open && !fds[1].revents().is_empty();
        if output {
            open = take(&mut reader, &mut buffer, sink)? != Taken::End;
        }
        if ended {
            break;
        }
        if clock.now() >= next {
            (stage, next) = stage.over_limit(pid, clock.now().saturating_add(program.grace));
        }
    }
    drain(&mut reader, &mut buffer, sink)?;
    if stage != Stage::Running {
        // The leader is not reaped yet, so the number still names this group.
        let _ = kill_process_group(pid, Signal::KILL);
        // Whoever left the process group is still in the cgroup.
        if let Some(group) = program.group {
            let _ = group.kill();
        }
    }
    let status = child.wait()?;
    Ok(match stage {
        Stage::Running => End::Exited(status.code().or(status.signal().map(|n| 128 + n)).unwrap_or(255)),
        _ => End::TimedOut,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    Terminated,
    Killed,
}

impl Stage {
    fn over_limit(self, group: Pid, next: Duration) -> (Stage, Duration) {
        let (signal, stage) = match self {
            Stage::Running => (Signal::TERM, Stage::Terminated),
            _ => (Signal::KILL, Stage::Killed),
        };
        let _ = kill_process_group(group, signal);
        (stage, next)
    }
}

fn start(program: Program<'_>, writer: io::PipeWriter) -> io::Result<Child> {
    let (name, arguments) = program.argv.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .envs(program.env.iter().map(|(k, v)| (k, v)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let entrance = program.group.map(Group::entrance).transpose()?;
    confined(own_session(&mut command), entrance, program.memory_bytes).spawn()
}

#[derive(PartialEq, Eq)]
enum Taken {
    Some(usize),
    Nothing,
    End,
}

fn take(reader: &mut io::PipeReader, buffer: &mut [u8], sink: &mut dyn FnMut(&[u8])) -> io::Result<Taken> {
    match reader.read(buffer) {
        Ok(0) => Ok(Taken::End),
        Ok(n) => {
            sink(&buffer[..n]);
            Ok(Taken::Some(n))
        }
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(Taken::Nothing),
        Err(e) => Err(e),
    }
}

fn drain(reader: &mut io::PipeReader, buffer: &mut [u8], sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut room = DRAIN_BYTES;
    while room > 0 {
        match take(reader, buffer, sink)? {
            Taken::Some(n) => room = room.saturating_sub(n),
            Taken::Nothing | Taken::End => break,
        }
    }
    Ok(())
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_shell(script: &str, limit: Duration) -> (End, Vec<u8>) {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let grace = Duration::from_millis(200);
        let mut output = Vec::new();
        let program = Program { argv: &argv, env: &env, limit, grace, memory_bytes: None, group: None };
        let end = run(program, &Clock::system(), &mut |bytes| output.extend_from_slice(bytes)).unwrap();
        (end, output)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn both_streams_and_the_exit_code_are_taken() {
        let (end, output) = run_shell("echo out; echo err >&2; exit 7", LONG);
        assert_eq!((end, output.as_slice()), (End::Exited(7), b"out\nerr\n".as_slice()));
    }

    #[test]
    fn a_death_by_signal_is_128_and_its_number() {
        assert_eq!(run_shell("kill -9 $$", LONG).0, End::Exited(137));
    }

    #[test]
    fn the_environment_is_what_was_given_and_no_more() {
        let (_, output) = run_shell("env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=", LONG);
        assert_eq!(String::from_utf8(output).unwrap(), "PATH=/usr/bin:/bin\n");
    }

    #[test]
    fn a_missing_program_is_an_end_that_says_so() {
        let argv = ["/no/such/program".to_owned()];
        let mut output = Vec::new();
        let program = Program { argv: &argv, env: &[], limit: LONG, grace: LONG, memory_bytes: None, group: None };
        let end = run(program, &Clock::system(), &mut |b| output.extend_from_slice(b)).unwrap();
        assert_eq!(end, End::Exited(127));
        assert!(String::from_utf8(output).unwrap().contains("/no/such/program"));
    }

    #[test]
    fn a_started_daemon_keeps_the_pipe_and_its_life_but_not_the_step() {
        let clock = Clock::system();
        let before = clock.now();
        let (end, output) = run_shell("sleep 1000 & echo $!", LONG);
        assert_eq!(end, End::Exited(0));
        assert!(clock.now() - before < LONG / 2);
        let pid: i32 = String::from_utf8(output).unwrap().trim().parse().unwrap();
        let pid = Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).expect("the daemon lives on");
    }

    #[test]
    fn at_its_limit_the_whole_group_is_killed_even_if_it_ignores_term() {
        let script =
            "trap '' TERM; (trap '' TERM; while :; do sleep 1000; done) & echo $!; while :; do sleep 1000; done";
        let (end, output) = run_shell(script, Duration::from_millis(300));
        assert_eq!(end, End::TimedOut);
        let pid: i32 = String::from_utf8(output).unwrap().trim().parse().unwrap();
        let pid = Pid::from_raw(pid).unwrap();
        // Killed, though perhaps not reaped by PID 1 yet: its end is an event, waited for with a hang guard.
        if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
            let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
            assert_eq!(poll(&mut fds, Some(&timespec(LONG))).unwrap(), 1);
        }
    }
}
