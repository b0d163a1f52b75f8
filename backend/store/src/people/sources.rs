//! Table `sources`: where tries come from that fail, so that guesses at many accounts are slowed down too.

use std::time::Duration;

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;

use crate::{Result, Store, SystemTx};

/// A source that was quiet for so long begins anew.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What tries are counted by.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is called.
    pub name: String,
    /// How long it rests after so many tries that failed.
    pub rests: fn(u32) -> Duration,
}

/// Whether a source counts a try while it rests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rests {
    CountsOn,
    CountsNothing,
}

/// Counts a try that failed by each of these; the wider ones come first, here and in the other two.
pub async fn mark_failed(store: &Store, sources: &[Source]) -> Result<()> {
    let mut tx = store.system().await?;
    for source in sources {
        count(&mut tx, source, Rests::CountsOn).await?;
    }
    tx.commit_soon().await?;
    tx.commit().await
}

/// Counts a try by each of these before it is known how it ends, unless one of them rests: then none counts it, and it is
/// false. One that is right is [given back](give_back).
pub async fn claim_try(store: &Store, sources: &[Source]) -> Result<bool> {
    let mut tx = store.system().await?;
    for source in sources {
        if !count(&mut tx, source, Rests::CountsNothing).await? {
            return Ok(false);
        }
    }
    tx.commit_soon().await?;
    tx.commit().await?;
    Ok(true)
}

/// What was claimed was right, or could not be looked at.
pub async fn give_back(store: &Store, sources: &[Source]) -> Result<()> {
    let mut tx = store.system().await?;
    for source in sources {
        sqlx::query!(
            "UPDATE sources SET failed_count = greatest(failed_count - 1, 0), locked_until = NULL WHERE source = $1",
            source.name
        )
        .execute(tx.conn())
        .await?;
    }
    tx.commit_soon().await?;
    tx.commit().await
}

/// Counts a letter of all whose source is not counted, together by the hour: so many, and then none until the next one begins.
pub async fn claim_letter(store: &Store, rests: fn(u32) -> Duration) -> Result<bool> {
    let mut tx = store.system().await?;
    let name = tx.now().await?.strftime("letters of %Y-%m-%d %H h").to_string();
    if !count(&mut tx, &Source { name, rests }, Rests::CountsNothing).await? {
        return Ok(false);
    }
    tx.commit_soon().await?;
    tx.commit().await?;
    Ok(true)
}

async fn count(tx: &mut SystemTx, source: &Source, rests: Rests) -> Result<bool> {
    let now = tx.now().await?;
    let count = sqlx::query_scalar!(
        "INSERT INTO sources (source, failed_count, last_at) VALUES ($1, 1, $2)
         ON CONFLICT (source) DO UPDATE SET last_at = $2,
           failed_count = CASE WHEN sources.last_at < $3 THEN 1 ELSE sources.failed_count + 1 END
           WHERE $4 OR sources.locked_until IS NULL OR sources.locked_until <= $2
         RETURNING failed_count",
        source.name,
        now.to_sqlx() as _,
        (now - FORGET_AFTER).to_sqlx() as _,
        rests == Rests::CountsOn
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(count) = count else { return Ok(false) };
    // One that does not rest rests until no moment: those side by side have read the clock before us.
    let rests = (source.rests)(count.unsigned_abs());
    let until = (!rests.is_zero()).then(|| now + rests);
    let until = until.map(|until| until.to_sqlx());
    sqlx::query!("UPDATE sources SET locked_until = $2 WHERE source = $1", source.name, until as _)
        .execute(tx.conn())
        .await?;
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
