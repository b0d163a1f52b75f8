//! Table `sources`: where tries come from that fail, so that guesses at many accounts are slowed down too.

use std::time::Duration;

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;

use crate::{Result, Store};

/// A source that was quiet for so long begins anew.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Whether a source may try now.
pub async fn may_try(store: &Store, source: &str) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let locked_until = sqlx::query_scalar!("SELECT locked_until FROM sources WHERE source = $1", source)
        .fetch_optional(tx.conn())
        .await?
        .flatten();
    Ok(locked_until.is_none_or(|until| until.to_jiff() <= now))
}

/// Counts a try of `source` that failed. `wait` says how long the source rests after so many.
pub async fn mark_failed(store: &Store, source: &str, wait: fn(u32) -> Duration) -> Result<()> {
    count(store, source, wait, true).await.map(drop)
}

/// Counts a try of `source` before it is known how it ends, unless the source rests: then false. One that is right is
/// [given back](give_back).
pub async fn claim_try(store: &Store, source: &str, wait: fn(u32) -> Duration) -> Result<bool> {
    count(store, source, wait, false).await
}

/// What was claimed was right.
pub async fn give_back(store: &Store, source: &str) -> Result<()> {
    let mut tx = store.system().await?;
    sqlx::query!(
        "UPDATE sources SET failed_count = greatest(failed_count - 1, 0), locked_until = NULL WHERE source = $1",
        source
    )
    .execute(tx.conn())
    .await?;
    tx.commit_soon().await?;
    tx.commit().await
}

async fn count(store: &Store, source: &str, wait: fn(u32) -> Duration, while_it_rests: bool) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let count = sqlx::query_scalar!(
        "INSERT INTO sources (source, failed_count, last_at) VALUES ($1, 1, $2)
         ON CONFLICT (source) DO UPDATE SET last_at = $2,
           failed_count = CASE WHEN sources.last_at < $3 THEN 1 ELSE sources.failed_count + 1 END
           WHERE $4 OR sources.locked_until IS NULL OR sources.locked_until <= $2
         RETURNING failed_count",
        source,
        now.to_sqlx() as _,
        (now - FORGET_AFTER).to_sqlx() as _,
        while_it_rests
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(count) = count else { return Ok(false) };
    let until = now + wait(count.unsigned_abs());
    sqlx::query!("UPDATE sources SET locked_until = $2 WHERE source = $1", source, until.to_sqlx() as _)
        .execute(tx.conn())
        .await?;
    tx.commit_soon().await?;
    tx.commit().await?;
    Ok(true)
}

/// Forgets sources that were quiet long enough. Says how many.
pub async fn delete_quiet(store: &Store) -> Result<u64> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let done = sqlx::query!("DELETE FROM sources WHERE last_at < $1", (now - FORGET_AFTER).to_sqlx() as _)
        .execute(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}
