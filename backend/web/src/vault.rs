//! What seals the secrets that pages store: shared secrets of second factors itself, and an organization's own sealing key.

use std::fmt;
use std::sync::Arc;

use keys::seal::{Aad, MasterKey, open, seal};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Failure;

/// The master key, as pages may use it.
#[derive(Clone)]
pub struct Vault(Arc<MasterKey>);

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Seals with `master`.
    pub fn new(master: Arc<MasterKey>) -> Vault {
        Vault(master)
    }

    /// What opens an organization's own sealing key: the organization's secrets are sealed with that one.
    pub(crate) fn master(&self) -> &MasterKey {
        &self.0
    }

    /// Seals a login's shared secret for its row and version.
    pub(crate) fn seal_shared_secret(&self, login_id: Uuid, version: i32, secret: &[u8]) -> Vec<u8> {
        let row = login_id.to_string();
        seal(&self.0, &mut rng(), shared_secret(&row, version), secret)
    }

    /// Opens a login's shared secret.
    pub(crate) fn open_shared_secret(
        &self,
        login_id: Uuid,
        version: i32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let row = login_id.to_string();
        open(&self.0, shared_secret(&row, version), sealed).map_err(|error| {
            tracing::error!(%login_id, error = &error as &dyn std::error::Error, "a shared secret does not open");
            Failure::BROKEN
        })
    }
}

fn shared_secret(row: &str, version: i32) -> Aad<'_> {
    Aad { tenant: None, table: "logins.totp_sealed", row, version: version.into() }
}

/// A random source for secrets, seeded by the operating system.
pub(crate) fn rng() -> StdRng {
    let mut seed = [0; 32];
    rand::fill(&mut seed);
    StdRng::from_seed(seed)
}
