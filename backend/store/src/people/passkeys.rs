//! Table `passkeys`: public keys whose private halves are on somebody's devices.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::account;
use super::letters;
use super::second_factor::{FIRST, is_asked_for, replace_codes};
use crate::audit::Entry;
use crate::error::exactly_one;
use crate::{Origin, Result, Store, SystemTx, sessions};

/// Passkeys of one login.
pub const MOST: i64 = 20;

/// A passkey of a login.
#[derive(Clone, Debug)]
pub struct Passkey {
    /// Its id.
    pub passkey_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// The public key and what is known of the device, as `webauthn-rs` writes it.
    pub credential: Value,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
}

/// The passkeys of a login, oldest first.
pub async fn list(store: &Store, login_id: Uuid) -> Result<Vec<Passkey>> {
    let mut tx = store.system().await?;
    let rows = sqlx::query!(
        "SELECT passkey_id, name, credential, added_at, used_at FROM passkeys WHERE login_id = $1 ORDER BY added_at, passkey_id",
        login_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Passkey {
            passkey_id: row.passkey_id,
            name: row.name,
            credential: row.credential,
            added_at: row.added_at.to_jiff(),
            used_at: row.used_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
        .collect())
}

/// The passkey of a login with this credential id: its id and the credential.
pub async fn find(store: &Store, login_id: Uuid, credential_id: &[u8]) -> Result<Option<(Uuid, Value)>> {
    let mut tx = store.system().await?;
    let row = sqlx::query!(
        "SELECT passkey_id, credential FROM passkeys WHERE login_id = $1 AND credential_id = $2",
        login_id,
        credential_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.passkey_id, row.credential)))
}

/// A passkey that is to be added.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Whose it is.
    pub login_id: Uuid,
    /// What the device calls it.
    pub credential_id: &'a [u8],
    /// What its owner calls it.
    pub name: &'a str,
    /// The public key.
    pub credential: &'a Value,
}

/// What came of adding a passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is the login's first second factor: the recovery codes count from now on.
    First,
    /// It stands beside another factor.
    Another,
    /// It is somebody's already.
    Known,
    /// There are as many as one login may have.
    TooMany,
}

/// Adds a passkey; where it is the first second factor, with recovery codes, by their hashes, and every session of the login
/// but `kept` ends, with every link that was sent before and its API tokens: whoever has one with the password alone is out.
/// Its owner and their organizations are told.
pub async fn insert(
    store: &Store,
    new: &New<'_>,
    codes: &[[u8; 32]],
    kept: Option<&[u8]>,
    origin: Origin,
) -> Result<Added> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let others = lock(&mut tx, new.login_id).await?;
    if others.passkeys >= MOST {
        return Ok(Added::TooMany);
    }
    let done = sqlx::query!(
        "INSERT INTO passkeys (passkey_id, login_id, credential_id, name, credential, counter, added_at)
         VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT (credential_id) DO NOTHING",
        Store::new_id(),
        new.login_id,
        new.credential_id,
        new.name,
        new.credential,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() != 1 {
        return Ok(Added::Known);
    }
    let is_first = others.passkeys == 0 && !others.has_app;
    if is_first {
        replace_codes(&mut tx, new.login_id, codes).await?;
        sessions::delete_others_in(&mut tx, new.login_id, kept).await?;
        letters::end_of_login_in(&mut tx, new.login_id).await?;
        account::end_tokens_in(&mut tx, new.login_id, FIRST, origin).await?;
    }
    let made = json!({ "name": new.name });
    let entry = Entry::made("member.passkey_added", account::subject(new.login_id), made);
    account::tell_in(&mut tx, entry, &json!({ "what": "passkey added", "name": new.name }), origin).await?;
    tx.commit().await?;
    account::wake(store);
    Ok(if is_first { Added::First } else { Added::Another })
}

/// A login's factors, while nobody else changes them.
pub(super) struct Factors {
    /// How many passkeys it has.
    pub passkeys: i64,
    /// Whether codes of an app count.
    pub has_app: bool,
}

/// Locks a login's factors: whoever adds or removes one sees the others as they are.
pub(super) async fn lock(tx: &mut SystemTx, login_id: Uuid) -> Result<Factors> {
    let row = sqlx::query!(
        r#"SELECT (totp_since IS NOT NULL) AS "has_app!" FROM logins WHERE login_id = $1 FOR UPDATE"#,
        login_id
    )
    .fetch_one(tx.conn())
    .await?;
    // A statement of its own: it sees what was committed while this one waited for the lock.
    let passkeys = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM passkeys WHERE login_id = $1"#, login_id)
        .fetch_one(tx.conn())
        .await?;
    Ok(Factors { passkeys, has_app: row.has_app })
}

/// Notes that a passkey was used, with what the device says of itself now; false if its counter did not go on, as that of
/// a device and of its copy would not, or if it was removed meanwhile.
pub async fn mark_used(store: &Store, passkey_id: Uuid, credential: &Value, counter: i64) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let done = sqlx::query!(
        "UPDATE passkeys SET credential = $2, counter = $3, used_at = $4
         WHERE passkey_id = $1 AND (counter < $3 OR counter = 0 AND $3 = 0)",
        passkey_id,
        credential,
        counter,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// What came of removing a passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Done,
    /// The login has none of this id.
    Unknown,
    /// It is the last second factor, and an organization asks for one.
    AskedFor,
}

/// Removes a passkey of a login, and ends every session of it but `kept`: one may have been begun with that passkey. With
/// the last second factor go the recovery codes. Its owner and their organizations are told.
pub async fn delete(
    store: &Store,
    login_id: Uuid,
    passkey_id: Uuid,
    kept: Option<&[u8]>,
    origin: Origin,
) -> Result<Removed> {
    let mut tx = store.system().await?;
    let factors = lock(&mut tx, login_id).await?;
    let name = sqlx::query_scalar!(
        "DELETE FROM passkeys WHERE login_id = $1 AND passkey_id = $2 RETURNING name",
        login_id,
        passkey_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(name) = name else { return Ok(Removed::Unknown) };
    if factors.passkeys == 1 && !factors.has_app {
        if is_asked_for(&mut tx, login_id).await? {
            return Ok(Removed::AskedFor);
        }
        sqlx::query!("DELETE FROM recovery_codes WHERE login_id = $1", login_id).execute(tx.conn()).await?;
        let done = sqlx::query!(
            "UPDATE logins SET second_failed_count = 0, second_locked_until = NULL WHERE login_id = $1",
            login_id
        )
        .execute(tx.conn())
        .await?;
        exactly_one("passkeys::delete", done.rows_affected())?;
    }
    sessions::delete_others_in(&mut tx, login_id, kept).await?;
    let was = json!({ "name": name });
    let entry = Entry::removed("member.passkey_removed", account::subject(login_id), was);
    account::tell_in(&mut tx, entry, &json!({ "what": "passkey removed", "name": name }), origin).await?;
    tx.commit().await?;
    account::wake(store);
    Ok(Removed::Done)
}
