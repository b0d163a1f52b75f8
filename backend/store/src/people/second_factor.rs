//! The second factor of a login beside passkeys: a shared secret for one-time codes, and recovery codes. Columns of `logins`, table
//! `recovery_codes`.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{account, letters, passkeys};
use crate::audit::Entry;
use crate::error::exactly_one;
use crate::{Origin, Result, Store, SystemTx, sessions};

/// What ended a token that was made with the password alone, as people read it.
pub(super) const FIRST: &str = "a first second factor";

/// A login's shared secret, sealed.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The secret, sealed with the master key.
    pub sealed: Vec<u8>,
    /// Counts from 1; bound into the seal, so that an old secret cannot be put back.
    pub version: i32,
    /// Since when it counts; none while its first code was not shown yet.
    pub since: Option<Timestamp>,
    /// The newest step of time whose code was taken: no code is taken twice.
    pub step: Option<i64>,
}

/// The secret of a login, if one was made.
pub async fn find(store: &Store, login_id: Uuid) -> Result<Option<Sealed>> {
    let mut tx = store.system().await?;
    let row = sqlx::query!(
        "SELECT totp_sealed, totp_version, totp_since, totp_step FROM logins WHERE login_id = $1",
        login_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.and_then(|row| {
        Some(Sealed {
            sealed: row.totp_sealed?,
            version: row.totp_version,
            since: row.totp_since.map(jiff_sqlx::Timestamp::to_jiff),
            step: row.totp_step,
        })
    }))
}

/// The version that the next secret of a login will have.
pub async fn next_version(store: &Store, login_id: Uuid) -> Result<i32> {
    let mut tx = store.system().await?;
    let version = sqlx::query_scalar!("SELECT totp_version FROM logins WHERE login_id = $1", login_id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(version.unwrap_or(0) + 1)
}

/// Stores a new secret that does not count yet. One that counts is not replaced: it is ended first.
pub async fn insert(store: &Store, login_id: Uuid, sealed: &[u8], version: i32) -> Result<bool> {
    let mut tx = store.system().await?;
    let done = sqlx::query!(
        "UPDATE logins SET totp_sealed = $2, totp_version = $3, totp_step = NULL
         WHERE login_id = $1 AND totp_since IS NULL AND totp_version = $3 - 1",
        login_id,
        sealed,
        version
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// From now on the secret counts; with its recovery codes, by their hashes. Every session of the login but `kept` ends, and
/// every link that was sent before: whoever has one with the password alone is out. Where it is the first second factor its API
/// tokens end too, for they were made with the password alone. Its owner and their organizations are told.
pub async fn mark_proven(
    store: &Store,
    login_id: Uuid,
    (version, step): (i32, i64),
    codes: &[[u8; 32]],
    kept: Option<&[u8]>,
    origin: Origin,
) -> Result<bool> {
    let mut tx = store.system().await?;
    let others = passkeys::lock(&mut tx, login_id).await?;
    let now = tx.now().await?;
    let done = sqlx::query!(
        "UPDATE logins SET totp_since = $3, totp_step = $4
         WHERE login_id = $1 AND totp_version = $2 AND totp_sealed IS NOT NULL AND totp_since IS NULL",
        login_id,
        version,
        now.to_sqlx() as _,
        step
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 {
        replace_codes(&mut tx, login_id, codes).await?;
        sessions::delete_others_in(&mut tx, login_id, kept).await?;
        letters::end_of_login_in(&mut tx, login_id).await?;
        if others.passkeys == 0 {
            account::end_tokens_in(&mut tx, login_id, FIRST, origin).await?;
        }
        let entry = Entry::changed("member.second_factor_on", account::subject(login_id), by_app(false), by_app(true));
        account::tell_in(&mut tx, entry, &json!({ "what": "second factor on" }), origin).await?;
        tx.commit().await?;
        account::wake(store);
        return Ok(true);
    }
    Ok(false)
}

/// Whether codes of an app count, as the audit says it.
fn by_app(counts: bool) -> Value {
    json!({ "app": counts })
}

/// Gives a login new recovery codes; the old ones are gone. Its owner and their organizations are told.
pub async fn insert_codes(store: &Store, login_id: Uuid, codes: &[[u8; 32]], origin: Origin) -> Result<()> {
    let mut tx = store.system().await?;
    replace_codes(&mut tx, login_id, codes).await?;
    let entry = Entry::done("account.recovery_codes_replaced", account::subject(login_id));
    account::tell_in(&mut tx, entry, &json!({ "what": "recovery codes" }), origin).await?;
    tx.commit().await?;
    account::wake(store);
    Ok(())
}

pub(super) async fn replace_codes(tx: &mut SystemTx, login_id: Uuid, codes: &[[u8; 32]]) -> Result<()> {
    sqlx::query!("DELETE FROM recovery_codes WHERE login_id = $1", login_id).execute(tx.conn()).await?;
    for code in codes {
        sqlx::query!("INSERT INTO recovery_codes (login_id, code_hash) VALUES ($1, $2)", login_id, &code[..])
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// Recovery codes that are left.
pub async fn count_codes(store: &Store, login_id: Uuid) -> Result<i64> {
    let mut tx = store.system().await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "left!" FROM recovery_codes WHERE login_id = $1 AND used_at IS NULL"#,
        login_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Whether an organization where the login has a seat asks everybody for a second factor.
pub(super) async fn is_asked_for(tx: &mut SystemTx, login_id: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id
             WHERE m.login_id = $1 AND t.requires_second_factor) AS "asked_for!""#,
        login_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// What came of ending the codes of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// They count no more.
    Done,
    /// They are the last second factor, and an organization asks for one.
    AskedFor,
}

/// Ends the codes of an app, and every session of the login but `kept`; with the last second factor go the recovery codes. Its
/// owner and their organizations are told.
pub async fn delete(store: &Store, login_id: Uuid, kept: Option<&[u8]>, origin: Origin) -> Result<Ended> {
    let mut tx = store.system().await?;
    let factors = passkeys::lock(&mut tx, login_id).await?;
    if factors.passkeys == 0 {
        if is_asked_for(&mut tx, login_id).await? {
            return Ok(Ended::AskedFor);
        }
        sqlx::query!("DELETE FROM recovery_codes WHERE login_id = $1", login_id).execute(tx.conn()).await?;
    }
    let done = sqlx::query!(
        "UPDATE logins SET totp_sealed = NULL, totp_since = NULL, totp_step = NULL, second_failed_count = 0,
           second_locked_until = NULL WHERE login_id = $1",
        login_id
    )
    .execute(tx.conn())
    .await?;
    exactly_one("second_factor::delete", done.rows_affected())?;
    sessions::delete_others_in(&mut tx, login_id, kept).await?;
    let (was, is) = (by_app(factors.has_app), by_app(false));
    let entry = Entry::changed("member.second_factor_off", account::subject(login_id), was, is);
    account::tell_in(&mut tx, entry, &json!({ "what": "second factor off" }), origin).await?;
    tx.commit().await?;
    account::wake(store);
    Ok(Ended::Done)
}

/// Counts a try at a login's second factor; false while it rests. `wait` says how long it rests after so many tries
/// without success. The try is counted before it is judged, so that tries side by side are all counted.
pub async fn claim_attempt(store: &Store, login_id: Uuid, wait: fn(u32) -> Duration, origin: Origin) -> Result<bool> {
    let mut tx = store.system().await?;
    let row = sqlx::query!(
        "SELECT second_failed_count, second_locked_until FROM logins WHERE login_id = $1 FOR UPDATE",
        login_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(false) };
    let now = tx.now().await?;
    if row.second_locked_until.is_some_and(|until| until.to_jiff() > now) {
        return Ok(false);
    }
    let count = row.second_failed_count.saturating_add(1);
    sqlx::query!(
        "UPDATE logins SET second_failed_count = $2, second_locked_until = $3 WHERE login_id = $1",
        login_id,
        count,
        (now + wait(count.unsigned_abs())).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    account::note_code_tries_in(&mut tx, login_id, row.second_failed_count, origin).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes the code of a step of time, once: false if it, or a later one, was taken already.
pub async fn spend_step(store: &Store, login_id: Uuid, version: i32, step: i64) -> Result<bool> {
    let mut tx = store.system().await?;
    let done = sqlx::query!(
        "UPDATE logins SET totp_step = $3, second_failed_count = 0, second_locked_until = NULL
         WHERE login_id = $1 AND totp_version = $2 AND totp_since IS NOT NULL AND (totp_step IS NULL OR totp_step < $3)",
        login_id,
        version,
        step
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a recovery code, once.
pub async fn spend_code(store: &Store, login_id: Uuid, code_hash: &[u8]) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let done = sqlx::query!(
        "UPDATE recovery_codes SET used_at = $3 WHERE login_id = $1 AND code_hash = $2 AND used_at IS NULL",
        login_id,
        code_hash,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query!("UPDATE logins SET second_failed_count = 0, second_locked_until = NULL WHERE login_id = $1", login_id)
        .execute(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(true)
}
