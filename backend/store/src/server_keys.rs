//! Table `server_keys`: the installation's own keys, sealed with the master key that lives outside the database.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use crate::{Result, Store};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signs envelopes.
    Dispatch,
    /// Signs heads of audit chains.
    Audit,
}

impl Kind {
    /// Its word in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Dispatch => "dispatch",
            Kind::Audit => "audit",
        }
    }
}

/// A key.
#[derive(Debug)]
pub struct ServerKey {
    /// Counts from 1.
    pub version: i32,
    /// The public half, 32 bytes.
    pub public_key: Vec<u8>,
    /// The private half, sealed.
    pub sealed: Vec<u8>,
    /// What its predecessor says of it; none for the first.
    pub certificate: Option<String>,
    /// The predecessor's signature over that.
    pub certificate_signature: Option<String>,
}

/// Every key of `kind`, the first first.
pub async fn list(store: &Store, kind: Kind) -> Result<Vec<ServerKey>> {
    let mut tx = store.system().await?;
    Ok(sqlx::query_as!(
        ServerKey,
        "SELECT version, public_key, sealed, certificate, certificate_signature FROM server_keys WHERE kind = $1 ORDER BY version",
        kind.name()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Adds a key; a conflict on `server_keys_pkey` says that another node was first.
pub async fn insert(store: &Store, kind: Kind, key: &ServerKey) -> Result<()> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    insert_at(tx.conn(), now, kind, key).await?;
    tx.commit().await
}

/// The same inside a transaction of the operator.
pub(crate) async fn insert_at(conn: &mut PgConnection, now: Timestamp, kind: Kind, key: &ServerKey) -> Result<()> {
    sqlx::query!(
        "INSERT INTO server_keys (kind, version, public_key, sealed, certificate, certificate_signature, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        kind.name(),
        key.version,
        key.public_key,
        key.sealed,
        key.certificate,
        key.certificate_signature,
        now.to_sqlx() as _
    )
    .execute(conn)
    .await?;
    Ok(())
}
