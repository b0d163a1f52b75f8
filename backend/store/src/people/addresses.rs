//! Letters about another address of a login. Whoever signs in names whom they go to, so they are counted by who asks too.

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::account;
use super::letters::{self, Kind};
use crate::audit::Entry;
use crate::{Origin, Result, Store, logins};

/// Letters that one login has sent to other addresses within an hour, whatever the addresses.
const AN_HOUR: i64 = 5;

/// Queues the letter about another address for a login; its owner and their organizations are told, and the same whether somebody
/// has that address or nobody. False: as many as may be were queued within the hour.
pub async fn ask(store: &Store, login_id: Uuid, kind: Kind, address: &str, origin: Origin) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    // Whoever asks at the same time waits, and is counted.
    logins::lock(&mut tx, login_id).await?;
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
    letters::insert_in(&mut tx, kind, address, Some(login_id), &json!({})).await?;
    // Whoever is signed in as them by stealth is seen before the link is followed, not after.
    let entry = Entry::done("account.address_asked", account::subject(login_id)).with(json!({ "to": address }));
    account::tell_in(&mut tx, entry, &json!({ "what": "address asked", "to": address }), origin).await?;
    // The answer takes as long whether the letter is queued or the address got too many.
    tx.commit_soon().await?;
    tx.commit().await?;
    account::wake(store);
    Ok(true)
}
