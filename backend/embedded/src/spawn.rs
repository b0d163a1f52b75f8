//! The only unsafe code of this crate: what a child does between fork and exec.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::{prctl, signal::Signal};
use nix::unistd::{getpid, getppid};

/// Makes the kernel send SIGINT (PostgreSQL's fast shutdown) to the child when the thread that spawns it ends.
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let before_exec = move || -> io::Result<()> {
        prctl::set_pdeathsig(Signal::SIGINT).map_err(raw)?;
        // The parent may have died before the line above; then the signal will never come.
        if getppid() == parent { Ok(()) } else { Err(raw(Errno::ESRCH)) }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two bare system
    // calls (prctl, getppid), captures one integer, allocates nothing and takes no lock. The standard library runs
    // it after setuid, which would clear the setting.
    unsafe {
        command.pre_exec(before_exec);
    }
}

/// An error that carries only a number: nothing is allocated in the forked child.
fn raw(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno as i32)
}
