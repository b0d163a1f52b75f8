//! What seals the secrets that pages store: shared secrets of second factors, and of providers of sign-on.

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

impl Vault {
    /// Seals what an organization's provider of sign-on knows us by.
    pub(crate) fn seal_sign_on(&self, tenant_id: Uuid, version: i32, secret: &str) -> Vec<u8> {
        let row = tenant_id.to_string();
        seal(&self.0, &mut rng(), sign_on(tenant_id, &row, version), secret.as_bytes())
    }

    /// Opens it.
    pub(crate) fn open_sign_on(
        &self,
        tenant_id: Uuid,
        version: i32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let row = tenant_id.to_string();
        open(&self.0, sign_on(tenant_id, &row, version), sealed).map_err(|error| {
            tracing::error!(%tenant_id, error = &error as &dyn std::error::Error, "a provider's secret does not open");
            Failure::BROKEN
        })
    }
}

fn sign_on(tenant_id: Uuid, row: &str, version: i32) -> Aad<'_> {
    Aad { tenant: Some(tenant_id), table: "sign_on.secret_sealed", row, version: version.into() }
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
