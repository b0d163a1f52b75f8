//! Envelope encryption of secrets at rest.
//!
//! Each value gets a data key of its own; the data key is wrapped by the master key. Both layers are
//! XChaCha20-Poly1305 and bound to where the value stands ([`Aad`]), so a ciphertext moved to another
//! tenant, table, row or version does not open. Layout: `1 ‖ nonce 24 ‖ wrapped key 48 ‖ nonce 24 ‖ text`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
/// What makes keys and nonces.
pub use rand::CryptoRng;
use uuid::Uuid;
use zeroize::Zeroizing;

const LAYOUT: u8 = 1;
const NONCE: usize = 24;
const WRAPPED: usize = 48;
const HEAD: usize = 1 + NONCE + WRAPPED + NONCE;

/// Why something does not open, or the master key is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes were not sealed by this key for this place, or were altered.
    #[error("the sealed value does not open")]
    Open,
    /// The master key's file cannot be read or made.
    #[error("the master key file cannot be used")]
    File(#[from] io::Error),
    /// The file is there but is no key.
    #[error("the master key file does not hold 64 hex digits")]
    Format,
    /// Others than the owner may read the file.
    #[error("the master key file is readable by others; its mode must be 0600")]
    Mode,
}

/// Where a sealed value stands. It opens only there.
#[derive(Debug, Clone, Copy)]
pub struct Aad<'a> {
    /// The tenant; none for the platform's own secrets.
    pub tenant: Option<Uuid>,
    /// `table.column`.
    pub table: &'a str,
    /// The row's key, as text.
    pub row: &'a str,
    /// The row's version, so that an old value cannot be put back.
    pub version: i64,
}

impl Aad<'_> {
    /// Fields with their lengths: no two places have the same bytes.
    fn bytes(&self, layer: &str) -> Vec<u8> {
        let tenant = self.tenant.map(|t| t.to_string()).unwrap_or_default();
        let version = self.version.to_string();
        let mut bytes = Vec::new();
        for field in ["mendwright seal v1", layer, &tenant, self.table, self.row, &version] {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes
    }
}

/// The key in a file of its own beside the data. Wiped when dropped; has no `Debug`.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut());
        Self(key)
    }

    /// From 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the key from `path`: 64 hex digits and a newline, mode 0600.
    ///
    /// # Errors
    /// The file is missing, readable by others, or holds no key.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let mut file = fs::File::open(path)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(Error::Mode);
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text)?;
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_end(), key.as_mut()).map_err(|_| Error::Format)?;
        Ok(Self(key))
    }

    /// Reads the key from `path`, or makes one there. Two processes that do so at once end up with the
    /// same key: the file appears whole, by a link that fails if it is there.
    ///
    /// # Errors
    /// As [`MasterKey::load`], or the file cannot be made.
    pub fn load_or_create(path: &Path, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        match Self::load(path) {
            Err(Error::File(e)) if e.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
        let key = Self::generate(rng);
        let mut suffix = [0; 8];
        rng.fill_bytes(&mut suffix);
        let fresh = path.with_extension(format!("new-{}", hex::encode(suffix)));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        let text = Zeroizing::new(format!("{}\n", hex::encode(key.0.as_ref())));
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&fresh, path);
        fs::remove_file(&fresh)?;
        match linked {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e.into()),
            _ => {}
        }
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::File::open(folder)?.sync_all()?;
        }
        Self::load(path)
    }
}

/// Seals `plaintext` for the place `aad`.
pub fn seal(master: &MasterKey, rng: &mut impl CryptoRng, aad: Aad<'_>, plaintext: &[u8]) -> Vec<u8> {
    let mut key = Zeroizing::new([0; 32]);
    let (mut key_nonce, mut nonce) = ([0; NONCE], [0; NONCE]);
    rng.fill_bytes(key.as_mut());
    rng.fill_bytes(&mut key_nonce);
    rng.fill_bytes(&mut nonce);
    let mut sealed = Vec::with_capacity(HEAD + plaintext.len() + 16);
    sealed.push(LAYOUT);
    sealed.extend_from_slice(&key_nonce);
    sealed.extend_from_slice(&encrypt(&master.0, &key_nonce, &aad.bytes("key"), key.as_ref()));
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&encrypt(&key, &nonce, &aad.bytes("value"), plaintext));
    sealed
}

/// Opens what [`seal`] made for the same place.
///
/// # Errors
/// [`Error::Open`] for another key, another place, or altered bytes.
pub fn open(master: &MasterKey, aad: Aad<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (head, text) = sealed.split_at_checked(HEAD).ok_or(Error::Open)?;
    let [LAYOUT, head @ ..] = head else { return Err(Error::Open) };
    let (key_nonce, rest) = head.split_at(NONCE);
    let (wrapped, nonce) = rest.split_at(WRAPPED);
    let bytes = decrypt(&master.0, key_nonce, &aad.bytes("key"), wrapped)?;
    let key = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| Error::Open)?);
    decrypt(&key, nonce, &aad.bytes("value"), text)
}

fn encrypt(key: &[u8; 32], nonce: &[u8; NONCE], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .expect("a value in memory is far below the cipher's limit of 256 GiB")
}

fn decrypt(key: &[u8; 32], nonce: &[u8], aad: &[u8], msg: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| Error::Open)?;
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(nonce), Payload { msg, aad })
        .map(Zeroizing::new)
        .map_err(|_| Error::Open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    const PLACE: Aad<'static> = Aad { tenant: None, table: "tenant_keys.secret", row: "7", version: 3 };

    #[test]
    fn a_value_opens_only_where_it_was_sealed() {
        let (master, mut rng) = (MasterKey::from_bytes([1; 32]), StdRng::seed_from_u64(1));
        let sealed = seal(&master, &mut rng, PLACE, b"secret");
        assert_eq!(open(&master, PLACE, &sealed).unwrap().as_slice(), b"secret");
        for place in [
            Aad { tenant: Some(Uuid::nil()), ..PLACE },
            Aad { table: "other.secret", ..PLACE },
            Aad { row: "8", ..PLACE },
            Aad { version: 2, ..PLACE },
            Aad { table: "tenant_keys.secret7", row: "", ..PLACE },
        ] {
            assert!(open(&master, place, &sealed).is_err(), "{place:?}");
        }
        assert!(open(&MasterKey::from_bytes([2; 32]), PLACE, &sealed).is_err());
    }

    #[test]
    fn a_value_sealed_by_the_first_release_opens() {
        let sealed = seal(&MasterKey::from_bytes([1; 32]), &mut Counting(0), PLACE, b"golden");
        assert_eq!(hex::encode(crate::digest(&sealed).0), GOLDEN_SEALED);
    }
    const GOLDEN_SEALED: &str = "db0ed8d1f9cfa06a819e56e6886af992b0adce1ce014497b4415169939832aec";

    /// Counts instead of being random, so that the vector does not depend on a generator's algorithm.
    struct Counting(u8);
    impl rand::TryRng for Counting {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.0 = self.0.wrapping_add(1);
            Ok(self.0.into())
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.try_next_u32().map(u64::from)
        }
        fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
            for byte in dst {
                self.0 = self.0.wrapping_add(1);
                *byte = self.0;
            }
            Ok(())
        }
    }
    impl rand::TryCryptoRng for Counting {}

    #[test]
    fn the_master_key_file_is_made_once_and_private() {
        let mut rng = StdRng::seed_from_u64(2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = MasterKey::load_or_create(&path, &mut rng).unwrap();
        let again = MasterKey::load_or_create(&path, &mut rng).unwrap();
        assert_eq!(first.0, again.0);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(MasterKey::load(&path), Err(Error::Mode)));
    }

    proptest! {
        #[test]
        fn no_altered_byte_goes_unnoticed(text in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let (master, mut rng) = (MasterKey::from_bytes([1; 32]), StdRng::seed_from_u64(3));
            let mut sealed = seal(&master, &mut rng, PLACE, &text);
            let opened = open(&master, PLACE, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), text.as_slice());
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(open(&master, PLACE, &sealed).is_err());
            prop_assert!(open(&master, PLACE, &sealed[..at]).is_err());
        }
    }
}
