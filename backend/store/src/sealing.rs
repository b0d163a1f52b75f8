//! What a tenant's secrets are sealed with: a key of its own, which the master key seals (table `sealing_keys`).
//!
//! Whoever seals, and whoever puts a new key in the place of the old one, locks the tenant's row first: so nothing is
//! sealed with a key that is just being destroyed.

use keys::seal::{Aad, CryptoRng, MasterKey, open, seal};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::people::sign_on;
use crate::tenant_keys::{self, SealingKey};
use crate::{Result, StoreError, TenantTx, changes, secrets};

/// A tenant's sealing key, open. It seals as the master key does.
pub struct Sealing {
    /// Counts from 1.
    pub version: i32,
    /// The key.
    pub key: MasterKey,
}

/// Where a sealed value stands, and what it is sealed with.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// `table.column`, as it is bound to the value.
    pub bound: &'static str,
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// What else the value is bound to: the row, as text.
    pub row: &'a str,
    /// The row's version.
    pub version: i32,
    /// The row, as an error names it.
    pub id: Uuid,
}

impl Place<'_> {
    fn aad(&self, tenant_id: Uuid) -> Aad<'_> {
        Aad { tenant: Some(tenant_id), table: self.bound, row: self.row, version: self.version.into() }
    }

    pub(crate) fn does_not_open(&self, source: keys::seal::Error) -> StoreError {
        StoreError::DoesNotOpen { table: self.table, column: self.column, id: self.id, source }
    }
}

impl Sealing {
    /// Seals a value for its place.
    pub fn seal(&self, tenant_id: Uuid, rng: &mut impl CryptoRng, place: &Place<'_>, value: &[u8]) -> Vec<u8> {
        seal(&self.key, rng, place.aad(tenant_id), value)
    }

    /// Opens what was sealed for that place.
    pub fn open(&self, tenant_id: Uuid, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        open(&self.key, place.aad(tenant_id), sealed).map_err(|source| place.does_not_open(source))
    }
}

/// Locks the tenant's row against whoever seals or rotates. It comes before the row of any sealed value.
pub(crate) async fn lock(tx: &mut TenantTx) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("SELECT tenant_id FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE", tenant_id)
        .fetch_one(tx.conn())
        .await?;
    Ok(())
}

fn of_key(row: &str, version: i32, id: Uuid) -> Place<'_> {
    Place { bound: "sealing_keys.sealed", table: "sealing_keys", column: "sealed", row, version, id }
}

/// Opens a sealing key as it is stored.
pub fn open_key(tenant_id: Uuid, master: &MasterKey, stored: &SealingKey) -> Result<Sealing> {
    let row = tenant_id.to_string();
    let place = of_key(&row, stored.version, tenant_id);
    let secret = open(master, place.aad(tenant_id), &stored.sealed).map_err(|source| place.does_not_open(source))?;
    let secret = <[u8; 32]>::try_from(&secret[..]).map_err(|_| place.does_not_open(keys::seal::Error::Open))?;
    Ok(Sealing { version: stored.version, key: MasterKey::from_bytes(secret) })
}

async fn make(tx: &mut TenantTx, master: &MasterKey, rng: &mut impl CryptoRng, version: i32) -> Result<Sealing> {
    let tenant_id = tx.tenant_id();
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(secret.as_mut());
    let row = tenant_id.to_string();
    let sealed = seal(master, rng, of_key(&row, version, tenant_id).aad(tenant_id), &*secret);
    tenant_keys::insert_sealing(tx, &SealingKey { version, sealed }).await?;
    Ok(Sealing { version, key: MasterKey::from_bytes(*secret) })
}

/// The newest sealing key, to seal with; the first one is made.
pub async fn newest(tx: &mut TenantTx, master: &MasterKey, rng: &mut (impl CryptoRng + Send)) -> Result<Sealing> {
    lock(tx).await?;
    match tenant_keys::find_sealing(tx, None).await? {
        Some(stored) => open_key(tx.tenant_id(), master, &stored),
        None => make(tx, master, rng, 1).await,
    }
}

/// The sealing key of a version, to open with.
pub async fn of(tx: &mut TenantTx, master: &MasterKey, version: i32) -> Result<Option<Sealing>> {
    let stored = tenant_keys::find_sealing(tx, Some(version)).await?;
    stored.map(|stored| open_key(tx.tenant_id(), master, &stored)).transpose()
}

/// What a rotation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The new key's version.
    pub version: i32,
    /// How many values are sealed with it now.
    pub values: u32,
}

/// Puts a new sealing key in the place of the old one: every value is sealed anew, and the old key is destroyed. One that
/// does not open stops it, and then nothing is different.
pub async fn rotate(tx: &mut TenantTx, master: &MasterKey, rng: &mut (impl CryptoRng + Send)) -> Result<Rotated> {
    let old = newest(tx, master, rng).await?;
    let tenant_id = tx.tenant_id();
    let new = make(tx, master, rng, old.version + 1).await?;
    let mut values = 0;
    for key in tenant_keys::list_sealed(tx).await? {
        let row = key.key_id.to_string();
        let place = tenant_keys::place(&row, &key);
        let opened = open_with(tx, master, key.sealing_version, &place, &key.sealed).await?;
        let sealed = new.seal(tenant_id, rng, &place, &opened);
        tenant_keys::update_sealed(tx, key.key_id, &sealed, new.version).await?;
        values += 1;
    }
    if let Some(set) = sign_on::find(tx).await? {
        let row = tenant_id.to_string();
        let place = sign_on::place(&row, set.version, tenant_id);
        let opened = open_with(tx, master, set.sealing_version, &place, &set.secret_sealed).await?;
        let sealed = new.seal(tenant_id, rng, &place, &opened);
        sign_on::update_sealed(tx, &sealed, new.version).await?;
        values += 1;
    }
    if let Some((waits, version)) = changes::find_sealed(tx, changes::Subject::SignOn).await? {
        let row = tenant_id.to_string();
        let place = sign_on::place(&row, version, tenant_id);
        let opened = open_with(tx, master, Some(waits.sealing_version), &place, &waits.secret).await?;
        let sealed =
            changes::Sealed { secret: new.seal(tenant_id, rng, &place, &opened), sealing_version: new.version };
        changes::update_sealed(tx, changes::Subject::SignOn, &sealed).await?;
        values += 1;
    }
    for secret in secrets::list_sealed(tx).await? {
        let row = secret.row();
        let place = secret.place(&row);
        let opened = open_with(tx, master, Some(secret.sealing_version), &place, &secret.sealed).await?;
        let sealed = new.seal(tenant_id, rng, &place, &opened);
        secrets::update_sealed(tx, secret.secret_id, &sealed, new.version).await?;
        values += 1;
    }
    tenant_keys::delete_sealing_before(tx, new.version).await?;
    Ok(Rotated { version: new.version, values })
}

/// Opens what is sealed with a version of the sealing key; none said: with the master key, as before there were sealing keys.
pub async fn open_with(
    tx: &mut TenantTx,
    master: &MasterKey,
    version: Option<i32>,
    place: &Place<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let tenant_id = tx.tenant_id();
    match version {
        None => open(master, place.aad(tenant_id), sealed).map_err(|source| place.does_not_open(source)),
        Some(version) => match of(tx, master, version).await? {
            Some(sealing) => sealing.open(tenant_id, place, sealed),
            None => Err(place.does_not_open(keys::seal::Error::Open)),
        },
    }
}
