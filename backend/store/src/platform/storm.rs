//! The storm of the whole platform: what is counted, and the row that says whether there is one. Whoever begins or ends it
//! writes that into the platform's audit in the same transaction, and every sweep and link looks again.

use domain::remediate::platform_storm::{Change, Seen, WITHIN};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::json;

use super::Did;
use super::acts::{note, wake_everything};
use crate::{Origin, Queue, Result, Store, SystemTx};

/// A sign is kept for this long.
const KEPT: SignedDuration = SignedDuration::from_mins(15);

/// Who began a storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The rule, by what it counted.
    Measured,
    /// An operator.
    Set,
}

/// A storm that is on.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Who began it.
    pub kind: Kind,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
}

/// What a look at the platform finds.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// When.
    pub now: Timestamp,
    /// Of the row that was read: what comes of this look is written only over that.
    pub version: i64,
    /// The storm that is written down; its time may be over.
    pub storm: Option<Storm>,
    /// What is counted.
    pub seen: Seen,
}

/// Looks.
pub async fn look(store: &Store) -> Result<Look> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let row =
        sqlx::query!("SELECT storm_kind, storm_since, storm_ends_at, storm_looked_at, version FROM platform_state")
            .fetch_one(tx.conn())
            .await?;
    let storm = match (row.storm_kind.as_deref(), row.storm_since, row.storm_ends_at) {
        (Some(kind), Some(since), Some(ends_at)) => {
            let kind = if kind == "set" { Kind::Set } else { Kind::Measured };
            Some(Storm { kind, since: since.to_jiff(), ends_at: ends_at.to_jiff() })
        }
        _ => None,
    };
    let from = row.storm_looked_at.map_or(now - WITHIN, |at| at.to_jiff().max(now - WITHIN));
    Ok(Look { now, version: row.version, storm, seen: count(&mut tx, from).await? })
}

/// Counts organizations by their signs after `from`.
async fn count(tx: &mut SystemTx, from: Timestamp) -> Result<Seen> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM tenants WHERE state = 'active') AS "active!",
             count(DISTINCT s.tenant_id) FILTER (WHERE s.sign = 'began') AS "began!",
             count(DISTINCT s.tenant_id) FILTER (WHERE s.sign = 'bad') AS "bad!",
             count(DISTINCT s.tenant_id) FILTER (WHERE s.sign = 'storm') AS "storm!"
           FROM platform_signs s WHERE s.at > $1"#,
        from.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    let [active, began, bad, storm] =
        [row.active, row.began, row.bad, row.storm].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok(Seen { active, began, bad, storm })
}

/// Writes down what came of a look, and forgets old signs. False: somebody else wrote since; the next look will see it.
pub async fn save(store: &Store, look: &Look, change: &Change) -> Result<bool> {
    let mut tx = store.system().await?;
    let before = (look.now - KEPT).to_sqlx();
    sqlx::query!("DELETE FROM platform_signs WHERE at < $1", before as _).execute(tx.conn()).await?;
    let rule = Did { actor: "the rule".to_owned(), origin: Origin::default() };
    let is_written = match change {
        Change::Stays => true,
        Change::Begins { ends_at, why } => {
            let is_written = begin(&mut tx, Kind::Measured, *ends_at, Some(look.version)).await?;
            if is_written {
                let detail = json!({ "reason": why, "ends_at": ends_at });
                note(&mut tx, &rule, "platform.storm_began", None, detail).await?;
            }
            is_written
        }
        Change::GoesOn(until) => prolong(&mut tx, *until, look.version).await?,
        Change::Ends => {
            let is_written = end(&mut tx, Some(look.version)).await?;
            if is_written {
                let detail = json!({ "reason": "it was quiet until its time was over" });
                note(&mut tx, &rule, "platform.storm_ended", None, detail).await?;
            }
            is_written
        }
    };
    let turns = is_written && matches!(change, Change::Begins { .. } | Change::Ends);
    if turns {
        wake_everything(&mut tx).await?;
    }
    tx.commit().await?;
    if turns {
        store.wake().wake_everywhere(Queue::Sweep);
    }
    Ok(is_written)
}

/// `None`: over whatever version there is.
async fn begin(tx: &mut SystemTx, kind: Kind, ends_at: Timestamp, version: Option<i64>) -> Result<bool> {
    let now = tx.now().await?;
    let done = sqlx::query!(
        "UPDATE platform_state SET storm = true, storm_kind = $1, storm_since = coalesce(storm_since, $2), storm_ends_at = $3, version = version + 1
         WHERE version = coalesce($4, version)",
        if kind == Kind::Set { "set" } else { "measured" },
        now.to_sqlx() as _,
        ends_at.to_sqlx() as _,
        version
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn prolong(tx: &mut SystemTx, until: Timestamp, version: i64) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE platform_state SET storm_ends_at = $1, version = version + 1 WHERE storm AND version = $2",
        until.to_sqlx() as _,
        version
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn end(tx: &mut SystemTx, version: Option<i64>) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE platform_state SET storm = false, storm_kind = NULL, storm_since = NULL, storm_ends_at = NULL, version = version + 1
         WHERE storm AND version = coalesce($1, version)",
        version
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An operator lets every fix wait for `lasts`, whatever is counted. One that is on takes this end.
pub async fn set_storm(store: &Store, lasts: SignedDuration, reason: &str, did: &Did) -> Result<()> {
    let mut tx = store.system().await?;
    let ends_at = tx.now().await? + lasts;
    begin(&mut tx, Kind::Set, ends_at, None).await?;
    note(&mut tx, did, "platform.storm_set", None, json!({ "reason": reason, "ends_at": ends_at })).await?;
    wake_everything(&mut tx).await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Sweep);
    Ok(())
}

/// An operator ends it: what was counted until now makes no storm any more. False: there is none.
pub async fn end_storm(store: &Store, reason: &str, did: &Did) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    if !end(&mut tx, None).await? {
        return Ok(false);
    }
    sqlx::query!("UPDATE platform_state SET storm_looked_at = $1", now.to_sqlx() as _).execute(tx.conn()).await?;
    note(&mut tx, did, "platform.storm_ended", None, json!({ "reason": reason })).await?;
    wake_everything(&mut tx).await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Sweep);
    Ok(true)
}
