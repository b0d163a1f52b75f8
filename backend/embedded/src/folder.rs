//! The cluster's folder: `cluster.lock`, `log`, `data/`, `s/` (the socket).
//!
//! The folder itself stays ours. Only `data/` and `s/`, which we make ourselves, are given to the server's account,
//! so a wrong path never changes the owner of somebody's files.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{Flock, FlockArg};

use crate::account::Account;
use crate::binaries::Binaries;

const LOCK: &str = "cluster.lock";
/// `sun_path` holds 108 bytes with its end mark; the socket's name and a lock beside it need the rest.
const LONGEST_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432.lock".len();
/// The log is set aside at a start when it is larger; two of these are the most that is kept.
const LARGEST_LOG: u64 = 16 * 1024 * 1024;
const LOG_TAIL: u64 = 2_000;

/// The cluster's paths, absolute and without links.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    data: PathBuf,
    socket_dir: PathBuf,
}

/// Where the cluster in `root` has its socket.
pub(crate) fn socket_dir(root: &Path) -> PathBuf {
    root.join("s")
}

impl Folder {
    /// Makes the folder, or accepts one that is empty or carries our lock file.
    pub fn claim(root: &Path, account: Option<&Account>) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("{} cannot be made", root.display()))?;
        let root = fs::canonicalize(root)?;
        let empty = fs::read_dir(&root).with_context(|| format!("{} cannot be read", root.display()))?.next().is_none();
        ensure!(
            empty || root.join(LOCK).is_file(),
            "{} is not empty and is not a cluster's folder of ours (it has no {LOCK}): choose another one",
            root.display()
        );
        let socket_dir = socket_dir(&root);
        ensure!(
            socket_dir.as_os_str().len() <= LONGEST_SOCKET_DIR,
            "the data folder's path is too long for a Unix socket: {}",
            root.display()
        );
        // With an account of its own the server passes through the folder without reading it.
        let mode = if account.is_some() { 0o711 } else { 0o700 };
        fs::set_permissions(&root, Permissions::from_mode(mode))
            .with_context(|| format!("{} is not ours to use", root.display()))?;
        Ok(Self { data: root.join("data"), socket_dir, root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Held as long as the cluster lives, and let go by the kernel when we are killed.
    pub fn lock(&self) -> Result<Flock<File>> {
        let file = self.open(LOCK)?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            anyhow::Error::new(errno).context(format!("another process uses the data folder {}", self.root.display()))
        })
    }

    pub fn make_socket_dir(&self, account: Option<&Account>) -> Result<()> {
        if !self.socket_dir.is_dir() {
            fs::create_dir(&self.socket_dir)?;
        }
        give(&self.socket_dir, account)
    }

    pub fn has_data(&self) -> bool {
        self.data.join("PG_VERSION").exists()
    }

    /// An empty folder for initdb; what a killed one left is removed.
    pub fn fresh_data_dir(&self, account: Option<&Account>) -> Result<PathBuf> {
        let fresh = self.root.join("data.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        fs::create_dir(&fresh)?;
        give(&fresh, account)?;
        Ok(fresh)
    }

    pub fn accept_data(&self, fresh: &Path) -> Result<()> {
        fs::rename(fresh, &self.data).with_context(|| format!("{} is in the way", self.data.display()))?;
        File::open(&self.root)?.sync_all()?;
        Ok(())
    }

    pub fn check_version(&self, binaries_version: &str, binaries: &Binaries) -> Result<()> {
        let data_version = fs::read_to_string(self.data.join("PG_VERSION"))?;
        let data_version = data_version.trim();
        if data_version != binaries_version {
            bail!(
                "the data in {} were made by PostgreSQL {data_version}, but {} is version {binaries_version}: \
                 set PG_BIN_DIR to binaries of version {data_version}, or dump and restore",
                self.data.display(),
                binaries.postgres().display()
            );
        }
        Ok(())
    }

    pub fn open_log(&self) -> Result<File> {
        let log = self.root.join("log");
        if fs::metadata(&log).is_ok_and(|meta| meta.len() > LARGEST_LOG) {
            fs::rename(&log, self.root.join("log.old"))?;
        }
        self.open("log")
    }

    /// The last lines of the log, for an error's message.
    pub fn log_tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(self.root.join("log"))?;
            let from = file.metadata()?.len().saturating_sub(LOG_TAIL);
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(LOG_TAIL).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
    }

    /// The first folder on the way to the root that the account may not enter, by the mode bits.
    pub fn closed_ancestor(&self, account: &Account) -> Option<PathBuf> {
        let mut ancestors: Vec<&Path> = self.root.ancestors().collect();
        ancestors.reverse();
        let closed = ancestors.into_iter().find(|dir| {
            fs::metadata(dir).is_ok_and(|meta| {
                let bit = if meta.uid() == account.uid.as_raw() {
                    0o100
                } else if meta.gid() == account.gid.as_raw() {
                    0o010
                } else {
                    0o001
                };
                meta.mode() & bit == 0
            })
        });
        closed.map(Path::to_owned)
    }

    fn open(&self, name: &str) -> Result<File> {
        let path = self.root.join(name);
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        options.open(&path).with_context(|| format!("{} cannot be opened", path.display()))
    }
}

/// Whether a process holds the folder's lock.
pub(crate) fn is_locked(root: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(root.join(LOCK)) else {
        return false;
    };
    // The lock that this takes is let go at once.
    Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
}

/// 0700, and the account's where there is one.
fn give(dir: &Path, account: Option<&Account>) -> Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    if let Some(account) = account {
        chown(dir, Some(account.uid.as_raw()), Some(account.gid.as_raw()))?;
    }
    Ok(())
}
