//! Table `ceremonies`: what a browser has begun and not finished yet, found by the hash of a cookie and taken once.

use std::time::Duration;

use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, Store};

/// What one source may have begun at once: an office of many people does not get there, and the table stays small.
const AT_ONCE: i64 = 100;

/// What was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Adding a passkey.
    PasskeyAdd,
    /// Signing in with a passkey alone.
    PasskeySignIn,
    /// A passkey after the password.
    PasskeySecond,
    /// Proving anew by a passkey.
    PasskeyProve,
    /// Signing in by an organization's provider.
    SignOn,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Purpose::PasskeyAdd => "passkey_add",
            Purpose::PasskeySignIn => "passkey_sign_in",
            Purpose::PasskeySecond => "passkey_second",
            Purpose::PasskeyProve => "passkey_prove",
            Purpose::SignOn => "sign_on",
        }
    }
}

/// Something that begins.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// SHA-256 of what the browser's cookie says.
    pub secret_hash: &'a [u8],
    /// What it is for.
    pub purpose: Purpose,
    /// Whose it is, where that is known.
    pub login_id: Option<Uuid>,
    /// Where it comes from.
    pub source: &'a str,
    /// What is needed to finish it.
    pub state: &'a Value,
}

/// Notes what begins and can be finished within `lasts`; false if its source has begun too much.
pub async fn insert(store: &Store, new: &New<'_>, lasts: Duration) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let done = sqlx::query!(
        "INSERT INTO ceremonies (secret_hash, purpose, login_id, source, state, expires_at)
         SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT count(*) FROM ceremonies WHERE source = $4 AND expires_at > $7) < $8",
        new.secret_hash,
        new.purpose.word(),
        new.login_id,
        new.source,
        new.state,
        (now + lasts).to_sqlx() as _,
        now.to_sqlx() as _,
        AT_ONCE
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Takes what was begun for this purpose by this login: of several at once, one gets it.
pub async fn take(
    store: &Store,
    secret_hash: &[u8],
    purpose: Purpose,
    login_id: Option<Uuid>,
) -> Result<Option<Value>> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let state = sqlx::query_scalar!(
        "DELETE FROM ceremonies WHERE secret_hash = $1 AND purpose = $2 AND login_id IS NOT DISTINCT FROM $3 AND expires_at > $4
         RETURNING state",
        secret_hash,
        purpose.word(),
        login_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(state)
}

/// Deletes what was not finished in time. Says how much.
pub async fn delete_expired(store: &Store) -> Result<u64> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let done =
        sqlx::query!("DELETE FROM ceremonies WHERE expires_at <= $1", now.to_sqlx() as _).execute(tx.conn()).await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}
