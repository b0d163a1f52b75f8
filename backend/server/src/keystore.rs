//! What lies beside the data and never inside it: the master key, the authority, the server's certificate.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use keys::authority::{Authority, ServerCertificate};
use keys::seal::{Aad, MasterKey, open, seal};
use keys::sign::SigningKey;
use keys::succession::Certificate;
use store::Store;
use store::server_keys::{self, Kind, ServerKey};
use zeroize::Zeroizing;

use crate::random::rng;

const MASTER: &str = "master.key";
const AUTHORITY: (&str, &str) = ("authority.pem", "authority.key.pem");
const SERVER: (&str, &str) = ("server.pem", "server.key.pem");
const SERVER_NAMES: &str = "server.names";

/// An installation's own keys.
pub struct Keystore {
    dir: PathBuf,
    /// Opens what is sealed in the database.
    pub master: Arc<MasterKey>,
    /// Issues the server's certificate; agents pin its fingerprint.
    pub authority: Authority,
}

impl Keystore {
    /// Opens the folder, or makes folder and keys at the first start.
    ///
    /// # Errors
    /// A file is missing, readable by others or damaged: nothing is replaced, because agents have pinned it.
    pub fn open(dir: &Path) -> Result<Keystore> {
        if !dir.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let master_file = dir.join(MASTER);
        let master = MasterKey::load_or_create(&master_file, &mut rng())
            .with_context(|| format!("the master key {} cannot be used", master_file.display()))?;
        let authority = authority(dir)?;
        Ok(Keystore { dir: dir.to_owned(), master: Arc::new(master), authority })
    }

    /// The server's certificate; issued anew when its names have changed.
    pub fn server_certificate(&self, names: &[String]) -> Result<ServerCertificate> {
        let wanted = names.join("\n");
        let chain = read_if_there(&self.dir.join(SERVER.0))?;
        let key = read_if_there(&self.dir.join(SERVER.1))?;
        let named = read_if_there(&self.dir.join(SERVER_NAMES))?;
        if let (Some(chain_pem), Some(key_pem), Some(named)) = (chain, key, named)
            && named == wanted
            && chain_pem.ends_with(self.authority.certificate_pem())
        {
            return Ok(ServerCertificate { chain_pem, key_pem: Zeroizing::new(key_pem) });
        }
        let made = self.authority.issue_server(names).context("the server's certificate cannot be issued")?;
        write_private(&self.dir.join(SERVER.0), &made.chain_pem)?;
        write_private(&self.dir.join(SERVER.1), &made.key_pem)?;
        write_private(&self.dir.join(SERVER_NAMES), &wanted)?;
        Ok(made)
    }

    /// The key that signs heads of audit chains; made by the first node that asks.
    pub async fn audit_key(&self, store: &Store) -> Result<SigningKey> {
        let rows = rows(store, &self.master, Kind::Audit).await?;
        open_row(&self.master, Kind::Audit, rows.last().context("there is no audit key")?)
    }
}

/// The keys of a kind, the first first; that is made by the first node that asks.
pub(crate) async fn rows(store: &Store, master: &MasterKey, kind: Kind) -> Result<Vec<ServerKey>> {
    for _ in 0..2 {
        let rows = server_keys::list(store, kind).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        let row = seal_row(master, kind, 1, &SigningKey::generate(&mut rng()), None);
        match server_keys::insert(store, kind, &row).await {
            Err(e) if e.conflict() != Some("server_keys_pkey") => return Err(e.into()),
            _ => {} // ours, or the node's that was first: read it back
        }
    }
    bail!("the {} key cannot be found after it was made", kind.name())
}

/// The key in a row.
pub(crate) fn open_row(master: &MasterKey, kind: Kind, row: &ServerKey) -> Result<SigningKey> {
    let name = kind.name();
    let secret = open(master, aad(kind, row.version), &row.sealed).with_context(|| {
        format!("the {name} key does not open: is this the master key that belongs to this database?")
    })?;
    let secret: &[u8; 32] =
        secret.as_slice().try_into().with_context(|| format!("the {name} key has a wrong length"))?;
    Ok(SigningKey::from_bytes(secret))
}

/// A row with a key, and its predecessor's word where it has one.
pub(crate) fn seal_row(
    master: &MasterKey,
    kind: Kind,
    version: i32,
    key: &SigningKey,
    certificate: Option<Certificate>,
) -> ServerKey {
    let sealed = seal(master, &mut rng(), aad(kind, version), &*key.to_bytes());
    let (certificate, certificate_signature) = certificate.map(|c| (c.body, c.signature)).unzip();
    ServerKey { version, public_key: key.public().to_bytes().to_vec(), sealed, certificate, certificate_signature }
}

fn aad(kind: Kind, version: i32) -> Aad<'static> {
    Aad { tenant: None, table: "server_keys.sealed", row: kind.name(), version: version.into() }
}

fn authority(dir: &Path) -> Result<Authority> {
    let (certificate, key) = (dir.join(AUTHORITY.0), dir.join(AUTHORITY.1));
    match (read_if_there(&certificate)?, read_if_there(&key)?) {
        (Some(certificate_pem), Some(key_pem)) => {
            let key_pem = Zeroizing::new(key_pem);
            Authority::from_pem(&certificate_pem, &key_pem)
                .with_context(|| format!("the authority {} cannot be used", certificate.display()))
        }
        // The key is written first, so a certificate alone means that its key was lost.
        (None, _) => {
            let made = Authority::create("Mendwright authority")?;
            write_private(&key, &made.key_pem())?;
            write_private(&certificate, made.certificate_pem())?;
            Ok(made)
        }
        (Some(_), None) => bail!(
            "{} is missing: without it this installation's agents, who pinned {}, cannot be served",
            key.display(),
            certificate.display()
        ),
    }
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let mode = fs::metadata(path)?.permissions().mode();
            ensure!(mode & 0o077 == 0, "{} is readable by others; its mode must be 0600", path.display());
            Ok(Some(text))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Whole or not at all, and never readable by others in between.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&fresh).with_context(|| format!("{} cannot be written", fresh.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(dir) = path.parent() {
        fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_outlive_a_restart_and_a_lost_one_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let names = vec!["localhost".to_owned()];
        let first = Keystore::open(&path).unwrap();
        let certificate = first.server_certificate(&names).unwrap();
        let again = Keystore::open(&path).unwrap();
        assert_eq!(first.authority.fingerprint(), again.authority.fingerprint());
        assert_eq!(certificate.chain_pem, again.server_certificate(&names).unwrap().chain_pem);
        fs::remove_file(path.join(AUTHORITY.1)).unwrap();
        assert!(Keystore::open(&path).is_err());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Keystore::open(dir.path()).unwrap();
        fs::set_permissions(dir.path().join(AUTHORITY.1), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Keystore::open(dir.path()).is_err());
    }
}
