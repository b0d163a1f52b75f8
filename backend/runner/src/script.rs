//! A script as its interpreter reads it: a sealed file in memory. Nothing is created on a disk for it, which may be full,
//! and nobody can change it between its signature and its reading.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// A script's text in memory; it is gone with the value and the processes that hold it open.
#[derive(Debug)]
pub struct Script(File);

impl Script {
    /// Keeps `text`.
    ///
    /// # Errors
    /// The kernel gives no memory file.
    pub fn hold(text: &str) -> io::Result<Script> {
        // It is read, never executed; older kernels have no word for that, and newer ones may insist on it.
        let plain = MemfdFlags::ALLOW_SEALING;
        let held = match memfd_create("script", plain | MemfdFlags::NOEXEC_SEAL) {
            Err(rustix::io::Errno::INVAL) => memfd_create("script", plain),
            held => held,
        };
        // Not close-on-exec: the interpreter inherits it under the same number. This process has one child at a time.
        let mut file = File::from(held?);
        file.write_all(text.as_bytes())?;
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(Script(file))
    }

    /// The name by which a child opens it, from its beginning.
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
