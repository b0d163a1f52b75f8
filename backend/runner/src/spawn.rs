//! The only unsafe code: what a child does between fork and exec.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{set_parent_process_death_signal, setsid};

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
