//! A job's output: the first part is kept in place in a preallocated file, the whole is counted and hashed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Takes output as it comes.
pub struct Output {
    file: File,
    cap: u64,
    total: u64,
    hash: Sha256,
    failed: Option<io::Error>,
}

/// What is known of the whole output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub digest: [u8; 32],
}

impl Output {
    /// Writes into the existing file at `path`, at most `cap` bytes, from its beginning.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path, cap: u64) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).custom_flags(no_follow()).open(path)?;
        Ok(Self { file, cap, total: 0, hash: Sha256::new(), failed: None })
    }

    /// Takes the next bytes. A failure to keep them is remembered, and does not stop the job.
    pub fn take(&mut self, bytes: &[u8]) {
        let room = self.cap.saturating_sub(self.total);
        let kept = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        if kept > 0
            && self.failed.is_none()
            && let Err(error) = self.file.write_all_at(&bytes[..kept], self.total)
        {
            self.failed = Some(error);
        }
        self.hash.update(bytes);
        self.total += bytes.len() as u64;
    }

    /// How many bytes are kept so far.
    pub fn kept(&self) -> u64 {
        self.total.min(self.cap)
    }

    /// Puts what is kept on disk.
    ///
    /// # Errors
    /// It cannot, or an earlier write failed.
    pub fn sync(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.sync_data(),
        }
    }

    /// Length and digest so far.
    pub fn sum(&self) -> Sum {
        Sum { bytes: self.total, digest: self.hash.clone().finalize().into() }
    }
}

fn no_follow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0)
}
