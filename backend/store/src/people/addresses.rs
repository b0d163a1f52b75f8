//! Letters about another address of a login. Whoever signs in names whom they go to, so they are counted by who asks too.

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::letters::{self, Kind};
use crate::{Queue, Result, Store};

/// Letters that one login has sent to other addresses within an hour, whatever the addresses.
const AN_HOUR: i64 = 5;

/// Queues the letter about another address for a login. False: as many as may be were queued within the hour.
pub async fn ask(store: &Store, login_id: Uuid, kind: Kind, address: &str) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    // Whoever asks at the same time waits, and is counted.
    sqlx::query!("SELECT login_id FROM logins WHERE login_id = $1 FOR UPDATE", login_id).fetch_one(tx.conn()).await?;
    let asked = sqlx::query_scalar!(
        r#"SELECT count(*) AS "asked!" FROM letters
           WHERE login_id = $1 AND kind IN ('confirm_address', 'has_account') AND created_at > $2"#,
        login_id,
        (now - SignedDuration::from_hours(1)).to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    if asked >= AN_HOUR {
        return Ok(false);
    }
    letters::insert_in(&mut tx, kind, address, Some(login_id), &serde_json::json!({})).await?;
    tx.commit_soon().await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Letters);
    Ok(true)
}
