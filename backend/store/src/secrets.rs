//! Table `secrets`: an organization's keys and passwords, sealed, used by their name and never shown.

use domain::secret::Kind;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use keys::Secret;
use keys::seal::{CryptoRng, MasterKey};
use uuid::Uuid;

use crate::error::exactly_one;
use crate::sealing::{self, Place};
use crate::tenant_keys::SealingKey;
use crate::{Result, Store, StoreError, TenantTx};

/// A use is written down once in this time: a probe uses its secret every few seconds.
const USED_EVERY: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

/// A secret, without its value.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its id.
    pub secret_id: Uuid,
    /// Unique in the tenant.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Counts from 1; each replacement counts on.
    pub version: i32,
    /// When this version was set.
    pub set_at: Timestamp,
    /// Who set it.
    pub set_by: String,
    /// When it was last used, within a minute.
    pub used_at: Option<Timestamp>,
}

/// A secret's sealed value with all that it is bound to.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its id.
    pub secret_id: Uuid,
    name: String,
    kind: String,
    version: i32,
    /// The value.
    pub sealed: Vec<u8>,
    /// The version of the sealing key.
    pub sealing_version: i32,
}

impl Sealed {
    /// What the value is bound to beside its version: a name or a kind that is put on another row opens nothing.
    pub fn row(&self) -> String {
        bound(self.secret_id, &self.kind, &self.name)
    }

    /// Where it stands, by its [`Sealed::row`].
    pub fn place<'a>(&self, row: &'a str) -> Place<'a> {
        place(row, self.version, self.secret_id)
    }
}

fn bound(id: Uuid, kind: &str, name: &str) -> String {
    format!("{id} {kind} {name}")
}

fn place(row: &str, version: i32, id: Uuid) -> Place<'_> {
    Place { bound: "secrets.sealed", table: "secrets", column: "sealed", row, version, id }
}

fn kind(word: &str, id: Uuid) -> Result<Kind> {
    Kind::parse(word).ok_or(StoreError::Corrupt { table: "secrets", column: "kind", id })
}

/// Every secret of the tenant, by name.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Stored>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT secret_id, name, kind, version, set_at, set_by, used_at FROM secrets WHERE tenant_id = $1 ORDER BY name",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Stored {
                kind: kind(&row.kind, row.secret_id)?,
                secret_id: row.secret_id,
                name: row.name,
                version: row.version,
                set_at: row.set_at.to_jiff(),
                set_by: row.set_by,
                used_at: row.used_at.map(|at| at.to_jiff()),
            })
        })
        .collect()
}

/// A secret that is new.
pub struct New<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub value: &'a Secret,
    /// Who sets it.
    pub by: &'a str,
}

/// Adds a secret; nothing: there is one of that name.
pub async fn insert(
    tx: &mut TenantTx,
    master: &MasterKey,
    rng: &mut (impl CryptoRng + Send),
    new: &New<'_>,
) -> Result<Option<Uuid>> {
    let sealing = sealing::newest(tx, master, rng).await?;
    let (tenant_id, id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let row = bound(id, new.kind.word(), new.name);
    let sealed = sealing.seal(tenant_id, rng, &place(&row, 1, id), new.value.reveal().as_bytes());
    let done = sqlx::query!(
        "INSERT INTO secrets (tenant_id, secret_id, name, kind, version, sealed, sealing_version, set_at, set_by)
         VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8) ON CONFLICT ON CONSTRAINT secrets_name DO NOTHING",
        tenant_id,
        id,
        new.name,
        new.kind.word(),
        sealed,
        sealing.version,
        now.to_sqlx() as _,
        new.by
    )
    .execute(tx.conn())
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// Locks a secret, after what a rotation locks; nothing: there is none of that id.
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> Result<Option<Stored>> {
    sealing::lock(tx).await?;
    let tenant_id = tx.tenant_id();
    sqlx::query!("SELECT secret_id FROM secrets WHERE tenant_id = $1 AND secret_id = $2 FOR UPDATE", tenant_id, id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(list(tx).await?.into_iter().find(|secret| secret.secret_id == id))
}

/// Puts a new value in the place of the one that `locked` has, and gives its version. The old one is not kept.
pub async fn replace(
    tx: &mut TenantTx,
    master: &MasterKey,
    rng: &mut (impl CryptoRng + Send),
    locked: &Stored,
    value: &Secret,
    by: &str,
) -> Result<i32> {
    let sealing = sealing::newest(tx, master, rng).await?;
    let (tenant_id, id, now) = (tx.tenant_id(), locked.secret_id, tx.now().await?);
    let version = locked.version + 1;
    let row = bound(id, locked.kind.word(), &locked.name);
    let sealed = sealing.seal(tenant_id, rng, &place(&row, version, id), value.reveal().as_bytes());
    let done = sqlx::query!(
        "UPDATE secrets SET version = $4, sealed = $5, sealing_version = $6, set_at = $7, set_by = $8, used_at = NULL
         WHERE tenant_id = $1 AND secret_id = $2 AND version = $3",
        tenant_id,
        id,
        locked.version,
        version,
        sealed,
        sealing.version,
        now.to_sqlx() as _,
        by
    )
    .execute(tx.conn())
    .await?;
    exactly_one("secrets::replace", done.rows_affected())?;
    Ok(version)
}

/// Deletes a secret.
pub async fn delete(tx: &mut TenantTx, id: Uuid) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!("DELETE FROM secrets WHERE tenant_id = $1 AND secret_id = $2", tenant_id, id)
        .execute(tx.conn())
        .await?;
    exactly_one("secrets::delete", done.rows_affected())
}

/// Opens the secret of a name, to be used now; nothing: there is none.
pub async fn open(tx: &mut TenantTx, master: &MasterKey, name: &str) -> Result<Option<(Kind, Secret)>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    // One statement, so that value and key are of one instant while a rotation goes on beside it.
    let found = sqlx::query!(
        r#"SELECT s.secret_id, s.kind, s.version, s.sealed, s.used_at, k.version AS "key_version?", k.sealed AS "key_sealed?"
         FROM secrets s LEFT JOIN sealing_keys k ON k.tenant_id = s.tenant_id AND k.version = s.sealing_version
         WHERE s.tenant_id = $1 AND s.name = $2"#,
        tenant_id,
        name
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(found) = found else { return Ok(None) };
    let id = found.secret_id;
    let row = bound(id, &found.kind, name);
    let place = place(&row, found.version, id);
    let Some((version, sealed)) = found.key_version.zip(found.key_sealed) else {
        return Err(place.does_not_open(keys::seal::Error::Open));
    };
    let sealing = sealing::open_key(tenant_id, master, &SealingKey { version, sealed })?;
    let bytes = sealing.open(tenant_id, &place, &found.sealed)?;
    let corrupt = StoreError::Corrupt { table: "secrets", column: "sealed", id };
    let secret = Secret::from_bytes(&bytes).ok_or(corrupt)?;
    if found.used_at.is_none_or(|at| now.duration_since(at.to_jiff()) >= USED_EVERY) {
        sqlx::query!(
            "UPDATE secrets SET used_at = $3 WHERE tenant_id = $1 AND secret_id = $2",
            tenant_id,
            id,
            now.to_sqlx() as _
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(Some((kind(&found.kind, id)?, secret)))
}

/// Every sealed value.
pub(crate) async fn list_sealed(tx: &mut TenantTx) -> Result<Vec<Sealed>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Sealed,
        "SELECT secret_id, name, kind, version, sealed, sealing_version FROM secrets WHERE tenant_id = $1 ORDER BY secret_id",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Puts a value in place that is sealed anew.
pub(crate) async fn update_sealed(tx: &mut TenantTx, id: Uuid, sealed: &[u8], sealing_version: i32) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE secrets SET sealed = $3, sealing_version = $4 WHERE tenant_id = $1 AND secret_id = $2",
        tenant_id,
        id,
        sealed,
        sealing_version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("secrets::update_sealed", done.rows_affected())
}
