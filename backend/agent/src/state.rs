//! The state directory: who the host is, and whom it trusts.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use keys::succession::Pin;
use keys::{PublicKey, SigningKey};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::tls::{self, Trust};

/// Where state is kept if nothing else is said.
pub const DEFAULT_DIR: &str = "/var/lib/mendwright";
/// Where the host's own limits are if no state directory is given.
pub const DEFAULT_LIMITS: &str = "/etc/mendwright/agent.toml";

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{0} cannot be used")]
    File(PathBuf, #[source] io::Error),
    /// The host is not enrolled.
    #[error("this host is not enrolled: {0} is missing; run `mendwright-agent enroll` first")]
    NotEnrolled(PathBuf),
    /// Two agents would write one journal.
    #[error("another agent runs with {0}")]
    Locked(PathBuf),
    /// A file is there but not understood.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
}

/// Who the host is, as the server said when it enrolled. `identity.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The client.
    pub client_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// The server, `https://host:port`.
    pub server: String,
    /// Pinned keys that may sign playbook versions, hex.
    pub playbook_keys: Vec<String>,
    /// Pinned key that signs envelopes, hex.
    pub dispatch_key: String,
    /// Its version; a file that was written before versions were kept has the first.
    #[serde(default = "first")]
    pub dispatch_version: u32,
}

fn first() -> u32 {
    1
}

/// The pinned keys of an [`Identity`], read.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// May sign playbook versions.
    pub playbook: Vec<PublicKey>,
    /// Signs envelopes.
    pub dispatch: Pin,
}

impl Identity {
    /// The pinned keys.
    ///
    /// # Errors
    /// One of them is no key.
    pub fn pinned(&self) -> Result<Pinned, keys::sign::Error> {
        Ok(Pinned {
            playbook: self.playbook_keys.iter().map(|key| key.parse()).collect::<Result<_, _>>()?,
            dispatch: Pin { version: self.dispatch_version, key: self.dispatch_key.parse()? },
        })
    }
}

/// The directory, 0700, and where the host's limits are.
#[derive(Debug, Clone)]
pub struct StateDir {
    dir: PathBuf,
    limits: PathBuf,
}

impl StateDir {
    /// The directory given on the command line, with `agent.toml` in it, or the system's places.
    ///
    /// # Errors
    /// It cannot be made or made private.
    pub fn open(dir: Option<&Path>) -> Result<Self, Error> {
        let (dir, limits) = match dir {
            Some(dir) => (dir.to_owned(), dir.join("agent.toml")),
            None => (PathBuf::from(DEFAULT_DIR), PathBuf::from(DEFAULT_LIMITS)),
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.and_then(|()| fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)))
            .and_then(|()| fs::canonicalize(&dir))
            .map(|dir| Self { dir, limits })
            .map_err(|error| Error::File(PathBuf::from(DEFAULT_DIR), error))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Makes this process the only agent that runs with the directory, as long as the file is held.
    ///
    /// # Errors
    /// Another one runs, or the file cannot be made.
    pub fn lock(&self) -> Result<File, Error> {
        let path = self.dir.join("lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(|error| Error::File(path.clone(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Locked(self.dir.clone())),
            Err(fs::TryLockError::Error(error)) => Err(Error::File(path, error)),
        }
    }

    /// The host's own limits file.
    pub fn limits_path(&self) -> &Path {
        &self.limits
    }

    /// The journal file.
    pub fn journal_path(&self) -> PathBuf {
        self.dir.join("journal")
    }

    /// The records and outputs of runs.
    pub fn runs_path(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// Reads who the host is.
    ///
    /// # Errors
    /// It is not enrolled, or the file is damaged.
    pub fn identity(&self) -> Result<Identity, Error> {
        let path = self.dir.join("identity.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| Error::Damaged(path)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(Error::NotEnrolled(path)),
            Err(e) => Err(Error::File(path, e)),
        }
    }

    /// Keeps who the host is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_identity(&self, identity: &Identity) -> Result<(), Error> {
        let path = self.dir.join("identity.json");
        let text = serde_json::to_vec_pretty(identity).map_err(|_| Error::Damaged(path.clone()))?;
        write_private(&path, &text)
    }

    /// The host key; made the first time.
    ///
    /// # Errors
    /// The file cannot be used, or holds no key.
    pub fn host_key(&self, rng: &mut impl CryptoRng) -> Result<SigningKey, Error> {
        let path = self.dir.join("host.key");
        match fs::read_to_string(&path) {
            Ok(text) => SigningKey::from_pem(&text).map_err(|_| Error::Damaged(path)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let key = SigningKey::generate(rng);
                let text = key.to_pem().map_err(|_| Error::Damaged(path.clone()))?;
                write_private(&path, text.as_bytes())?;
                Ok(key)
            }
            Err(e) => Err(Error::File(path, e)),
        }
    }

    /// Keeps the server's own authority, PEM; none removes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_authority(&self, pem: Option<&str>) -> Result<(), Error> {
        let path = self.dir.join("authority.pem");
        match pem {
            Some(pem) => write_private(&path, pem.as_bytes()),
            None => match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::File(path, e)),
                _ => Ok(()),
            },
        }
    }

    /// Whom links trust: the kept authority, or the public ones if there is none.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn trust(&self) -> Result<Trust, Error> {
        let path = self.dir.join("authority.pem");
        match fs::read_to_string(&path) {
            Ok(pem) => tls::read_pem(&pem).map(Trust::Authority).map_err(|_| Error::Damaged(path)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Trust::Public),
            Err(e) => Err(Error::File(path, e)),
        }
    }
}

/// Puts a whole file in place, 0600: written beside it, synced, renamed.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(|error| Error::File(path.to_owned(), error))
}
