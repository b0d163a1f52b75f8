//! Table `nodes`: server processes and their heartbeat.

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Result, Store};

/// A process that was not seen for this long is dead, and with it the links it held.
pub const DEAD_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// Says that this process has started.
pub async fn insert(store: &Store, node_id: Uuid) -> Result<()> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    sqlx::query!("INSERT INTO nodes (node_id, started_at, seen_at) VALUES ($1, $2, $2)", node_id, now.to_sqlx() as _)
        .execute(tx.conn())
        .await?;
    tx.commit().await
}

/// Says that this process lives.
pub async fn mark_seen(store: &Store, node_id: Uuid) -> Result<()> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let done = sqlx::query!("UPDATE nodes SET seen_at = $2 WHERE node_id = $1", node_id, now.to_sqlx() as _)
        .execute(tx.conn())
        .await?;
    exactly_one("nodes::mark_seen", done.rows_affected())?;
    tx.commit().await
}
