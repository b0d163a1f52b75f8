//! Table `server_keys`: the installation's own keys, sealed with the master key that lives outside the database.

use jiff_sqlx::ToSqlx;

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
}

/// The newest key of `kind`.
pub async fn find(store: &Store, kind: Kind) -> Result<Option<ServerKey>> {
    let mut tx = store.system().await?;
    Ok(sqlx::query_as!(
        ServerKey,
        "SELECT version, public_key, sealed FROM server_keys WHERE kind = $1 ORDER BY version DESC LIMIT 1",
        kind.name()
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Adds a key; a conflict on `server_keys_pkey` says that another node was first.
pub async fn insert(store: &Store, kind: Kind, key: &ServerKey) -> Result<()> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO server_keys (kind, version, public_key, sealed, created_at) VALUES ($1, $2, $3, $4, $5)",
        kind.name(),
        key.version,
        key.public_key,
        key.sealed,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}
