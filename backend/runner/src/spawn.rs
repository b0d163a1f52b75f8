//! The only unsafe code: what a child does between fork and exec.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Resource, Rlimit, set_parent_process_death_signal, setrlimit, setsid};

/// Makes the child the leader of a session and process group of its own, and lets it outlive its parent:
/// no terminal, no signal to the parent's group and no death of the parent reaches it.
pub fn own_session(command: &mut Command) -> &mut Command {
    let between_fork_and_exec = || -> io::Result<()> {
        setsid()?;
        set_parent_process_death_signal(None)?;
        Ok(())
    };
    // SAFETY: the closure runs in the forked child before exec. It makes two system calls directly, which
    // are async-signal-safe; it allocates nothing, takes no lock and touches no memory of the parent.
    unsafe { command.pre_exec(between_fork_and_exec) }
}

/// Lets the child enter the cgroup whose `cgroup.procs` is `entrance`, and hold no more than `memory_bytes` of data.
pub(crate) fn confined(command: &mut Command, entrance: Option<File>, memory_bytes: Option<u64>) -> &mut Command {
    let between_fork_and_exec = move || -> io::Result<()> {
        if let Some(entrance) = &entrance {
            rustix::io::write(entrance, b"0")?;
        }
        if memory_bytes.is_some() {
            setrlimit(Resource::Data, Rlimit { current: memory_bytes, maximum: memory_bytes })?;
        }
        Ok(())
    };
    // SAFETY: as above: two system calls on what was opened and counted before the fork.
    unsafe { command.pre_exec(between_fork_and_exec) }
}
