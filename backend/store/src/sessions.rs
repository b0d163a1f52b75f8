//! Table `sessions`: sign-in sessions, found by the hash of what the cookie says.
//!
//! A session ends after `idle` without a request and after `absolute` in any case; both are read from the
//! database's clock. `seen_at` is written at most once a minute, so that reading pages writes little.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::Entry;
use crate::people::account;
use crate::people::letters;
use crate::{Origin, Queue, Result, Store, SystemTx, logins};

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a request.
    pub idle: Duration,
    /// In any case.
    pub absolute: Duration,
}

/// A session that lasts still.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it holds.
    pub data: Value,
    /// When it ends if nothing is asked any more.
    pub expires_at: Timestamp,
}

/// How stale `seen_at` may be.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_secs(60);

fn end(created_at: Timestamp, now: Timestamp, limits: Limits) -> Timestamp {
    (now + limits.idle).min(created_at + limits.absolute)
}

/// Makes a session; false when the hash is taken.
pub async fn insert(store: &Store, hash: &[u8], login_id: Option<Uuid>, data: &Value, limits: Limits) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let changed = sqlx::query!(
        "INSERT INTO sessions (session_hash, login_id, data, created_at, seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5) ON CONFLICT DO NOTHING",
        hash,
        login_id,
        data,
        now.to_sqlx() as _,
        end(now, now, limits).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(changed == 1)
}

/// Writes what a session holds; makes no session: one that was signed out meanwhile stays gone.
pub async fn update(store: &Store, hash: &[u8], login_id: Option<Uuid>, data: &Value) -> Result<bool> {
    let mut tx = store.system().await?;
    let changed =
        sqlx::query!("UPDATE sessions SET data = $2, login_id = $3 WHERE session_hash = $1", hash, data, login_id)
            .execute(tx.conn())
            .await?
            .rows_affected();
    tx.commit().await?;
    Ok(changed == 1)
}

/// The session of this hash, if it lasts still; says that it was seen.
pub async fn find(store: &Store, hash: &[u8], limits: Limits) -> Result<Option<Found>> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let row = sqlx::query!(
        "SELECT data, created_at, seen_at, expires_at FROM sessions WHERE session_hash = $1 AND expires_at > $2",
        hash,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut expires_at = row.expires_at.to_jiff();
    if now.duration_since(row.seen_at.to_jiff()) >= TOUCH_EVERY {
        expires_at = end(row.created_at.to_jiff(), now, limits);
        tx.commit_soon().await?;
        touch(&mut tx, hash, now, expires_at).await?;
        tx.commit().await?;
    }
    Ok((expires_at > now).then_some(Found { data: row.data, expires_at }))
}

/// Whether the session of this hash lasts and is still this login's; unlike [`find`], it is no use of it.
pub async fn lasts(store: &Store, hash: &[u8], login_id: Uuid) -> Result<bool> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM sessions WHERE session_hash = $1 AND login_id = $2 AND expires_at > $3) AS "lasts!""#,
        hash,
        login_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Requests of one session that come together find it due together: one of them writes, and none waits for it.
async fn touch(tx: &mut SystemTx, hash: &[u8], now: Timestamp, expires_at: Timestamp) -> Result<()> {
    sqlx::query!(
        "UPDATE sessions SET seen_at = $2, expires_at = $3
         WHERE session_hash = (SELECT session_hash FROM sessions WHERE session_hash = $1 AND seen_at < $2 FOR UPDATE SKIP LOCKED)",
        hash,
        now.to_sqlx() as _,
        expires_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends one session.
pub async fn delete(store: &Store, hash: &[u8]) -> Result<()> {
    let mut tx = store.system().await?;
    sqlx::query!("DELETE FROM sessions WHERE session_hash = $1", hash).execute(tx.conn()).await?;
    tx.commit().await
}

/// Its owner signs out: the session ends, and the organization that it was in is told. One that has ended already is no news.
pub async fn sign_out(store: &Store, hash: &[u8], login_id: Uuid, tenant_id: Uuid, origin: Origin) -> Result<()> {
    let mut tx = store.system().await?;
    if !delete_in(&mut tx, login_id, hash).await? {
        return Ok(());
    }
    let entry = Entry::done("account.signed_out", account::subject(login_id));
    account::note_where(&mut tx, Some(tenant_id), entry, origin).await?;
    tx.commit().await?;
    store.wake().wake(Queue::Audit);
    Ok(())
}

/// A session of a login that lasts still.
#[derive(Clone, Debug)]
pub struct Open {
    /// What it is found by; no secret.
    pub session_hash: Vec<u8>,
    /// What it holds.
    pub data: Value,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to a minute.
    pub seen_at: Timestamp,
}

/// The sessions of a login that last still, newest use first, without those that wait for the second factor.
pub async fn list_of_login(store: &Store, login_id: Uuid) -> Result<Vec<Open>> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let rows = sqlx::query!(
        "SELECT session_hash, data, created_at, seen_at FROM sessions WHERE login_id = $1 AND expires_at > $2 AND data ? 'login_id'
         ORDER BY seen_at DESC, session_hash LIMIT 100",
        login_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Open {
            session_hash: row.session_hash,
            data: row.data,
            created_at: row.created_at.to_jiff(),
            seen_at: row.seen_at.to_jiff(),
        })
        .collect())
}

/// Ends one session of a login; false if it has none of this hash.
pub async fn delete_of(store: &Store, login_id: Uuid, hash: &[u8], origin: Origin) -> Result<bool> {
    let mut tx = store.system().await?;
    if !delete_in(&mut tx, login_id, hash).await? {
        return Ok(false);
    }
    note_ended(&mut tx, login_id, 1, origin).await?;
    tx.commit().await?;
    store.wake().wake(Queue::Audit);
    Ok(true)
}

async fn delete_in(tx: &mut SystemTx, login_id: Uuid, hash: &[u8]) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM sessions WHERE login_id = $1 AND session_hash = $2", login_id, hash)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

async fn note_ended(tx: &mut SystemTx, login_id: Uuid, sessions: u64, origin: Origin) -> Result<()> {
    let entry = Entry::done("account.sessions_ended", account::subject(login_id));
    account::note_in(tx, entry.with(json!({ "sessions": sessions })), origin).await
}

/// Ends every session of a login: "sign out everywhere", with every link that was sent before and its API tokens. Says how
/// many sessions there were.
pub async fn delete_of_login(store: &Store, login_id: Uuid, origin: Origin) -> Result<u64> {
    let mut tx = store.system().await?;
    logins::lock(&mut tx, login_id).await?;
    let changed =
        sqlx::query!("DELETE FROM sessions WHERE login_id = $1", login_id).execute(tx.conn()).await?.rows_affected();
    letters::end_of_login_in(&mut tx, login_id).await?;
    account::end_tokens_in(&mut tx, login_id, "signing out everywhere", origin).await?;
    note_ended(&mut tx, login_id, changed, origin).await?;
    tx.commit().await?;
    store.wake().wake(Queue::Audit);
    Ok(changed)
}

/// Ends every session of a login but `kept`, in a transaction that changes what lets in.
pub(crate) async fn delete_others_in(tx: &mut SystemTx, login_id: Uuid, kept: Option<&[u8]>) -> Result<()> {
    sqlx::query!(
        "DELETE FROM sessions WHERE login_id = $1 AND ($2::bytea IS NULL OR session_hash <> $2)",
        login_id,
        kept
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Deletes what has ended. Says how many there were.
pub async fn delete_expired(store: &Store) -> Result<u64> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let changed = sqlx::query!("DELETE FROM sessions WHERE expires_at <= $1", now.to_sqlx() as _)
        .execute(tx.conn())
        .await?
        .rows_affected();
    tx.commit().await?;
    Ok(changed)
}
