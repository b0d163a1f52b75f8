//! Tables `letters` and `links`: mails to one person about their account, and what their links are for.
//!
//! A letter holds no secret: its link is minted when it is sent, and only the link's hash is kept. A letter that is
//! sent again has one more link; whichever is followed first uses the letter up.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Queue, Result, Store, StoreError, SystemTx, TenantTx, logins};

/// What a letter says, and what its link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Proves the address of somebody who wants an organization of their own.
    SignUp,
    /// They have an account already.
    HasAccount,
    /// Invites to an organization.
    Invitation,
    /// Sets a new password.
    Reset,
    /// Proves a new address.
    ConfirmAddress,
    /// Tells of a change; it has no link of its own.
    AccountChanged,
    /// Tells an owner how the audit's chain ends.
    AuditHead,
}

impl Kind {
    const ALL: [(Kind, &'static str); 7] = [
        (Kind::SignUp, "sign_up"),
        (Kind::HasAccount, "has_account"),
        (Kind::Invitation, "invitation"),
        (Kind::Reset, "reset"),
        (Kind::ConfirmAddress, "confirm_address"),
        (Kind::AccountChanged, "account_changed"),
        (Kind::AuditHead, "audit_head"),
    ];

    /// The stored word.
    pub fn word(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("account_changed", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.iter().find(|(_, w)| *w == word).map(|(kind, _)| *kind)
    }

    /// How long its link can be followed, from when it is sent; none where there is no link.
    pub fn link_lasts(self) -> Option<Duration> {
        const MINUTE: u64 = 60;
        match self {
            Kind::Reset => Some(Duration::from_secs(10 * MINUTE)),
            Kind::SignUp | Kind::ConfirmAddress => Some(Duration::from_secs(60 * MINUTE)),
            Kind::Invitation => Some(Duration::from_secs(72 * 60 * MINUTE)),
            Kind::HasAccount | Kind::AccountChanged | Kind::AuditHead => None,
        }
    }
}

/// Letters of one kind to one address within an hour; more are not queued, so that nobody's mailbox is filled through us.
/// What tells of a change is always queued: whoever takes an account over must not be able to silence it.
const AN_HOUR: i64 = 5;
/// For so long the letter that was asked for last does; its link can be followed twice as long.
const RESET_DOES: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// A letter that is to be sent.
#[derive(Debug)]
pub struct Due {
    /// Its id.
    pub letter_id: Uuid,
    /// What it says.
    pub kind: Kind,
    /// To whom.
    pub address: String,
    /// What it needs to say: names, never secrets.
    pub facts: Value,
    /// When it was queued.
    pub created_at: Timestamp,
    /// How often it was tried before.
    pub attempts: u32,
    token: Uuid,
}

/// A letter whose link was followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its id.
    pub letter_id: Uuid,
    /// What its link does.
    pub kind: Kind,
    /// The address it proves.
    pub address: String,
    /// The login it was sent about.
    pub login_id: Option<Uuid>,
    /// What it said.
    pub facts: Value,
}

/// Queues a letter. The answer takes as long whether it is or not, because the commit does not wait for the disk.
pub async fn insert(store: &Store, kind: Kind, address: &str, login_id: Option<Uuid>, facts: &Value) -> Result<()> {
    let mut tx = store.system().await?;
    insert_in(&mut tx, kind, address, login_id, facts).await?;
    tx.commit_soon().await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Letters);
    Ok(())
}

/// Whoever counts the letters of an address waits for whoever counts them too, until that one has committed. It comes after the
/// login's row and after those of letters, and there is one in a transaction.
async fn lock_address(tx: &mut SystemTx, address: &str) -> Result<()> {
    let name = format!("letters to {}", address.to_lowercase());
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name).execute(tx.conn()).await?;
    Ok(())
}

/// Queues a letter in a transaction that is under way; none if the address got too many of its kind within the hour, except one
/// that tells of a change. Those that are queued side by side are all counted.
pub(crate) async fn insert_in(
    tx: &mut SystemTx,
    kind: Kind,
    address: &str,
    login_id: Option<Uuid>,
    facts: &Value,
) -> Result<()> {
    if kind != Kind::AccountChanged {
        lock_address(tx, address).await?;
    }
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO letters (letter_id, kind, address, login_id, facts, created_at, due_at)
         SELECT $1, $2, $3, $4, $5, $6, $6 WHERE $2 = 'account_changed'
           OR (SELECT count(*) FROM letters WHERE lower(address) = lower($3) AND kind = $2 AND created_at > $7) < $8",
        Store::new_id(),
        kind.word(),
        address,
        login_id,
        facts,
        now.to_sqlx() as _,
        (now - jiff::SignedDuration::from_hours(1)).to_sqlx() as _,
        AN_HOUR
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Queues the letter that sets a new password, if there is such a login: the same statements either way. Whoever asks again within
/// minutes has a link that works; so a stranger who asks and asks for somebody keeps them from nothing.
pub async fn insert_reset(store: &Store, email: &str) -> Result<()> {
    let mut tx = store.system().await?;
    lock_address(&mut tx, email).await?;
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO letters (letter_id, kind, address, login_id, facts, created_at, due_at)
         SELECT $1, 'reset', g.email, g.login_id, '{}', $2, $2 FROM logins g WHERE lower(g.email) = lower($3)
           AND NOT EXISTS (SELECT 1 FROM letters l WHERE lower(l.address) = lower($3) AND l.kind = 'reset' AND l.used_at IS NULL AND l.created_at > $4)",
        Store::new_id(),
        now.to_sqlx() as _,
        email,
        (now - RESET_DOES).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.commit_soon().await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Letters);
    Ok(())
}

/// Queues the letter of an invitation, in the transaction that makes it.
pub async fn insert_invitation(tx: &mut TenantTx, address: &str, facts: &Value) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO letters (letter_id, kind, address, facts, created_at, due_at) VALUES ($1, 'invitation', $2, $3, $4, $4)",
        Store::new_id(),
        address,
        facts,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Queues a letter that tells a member of a change; nobody has so many that it is not sent.
pub async fn insert_to_member(tx: &mut TenantTx, login_id: Uuid, facts: &Value) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO letters (letter_id, kind, address, facts, created_at, due_at)
         SELECT $3, 'account_changed', m.email, $4, $5, $5 FROM memberships m WHERE m.tenant_id = $1 AND m.login_id = $2",
        tenant_id,
        login_id,
        Store::new_id(),
        facts,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.due(Queue::Letters, now);
    Ok(())
}

/// Queues a letter to each owner.
pub(crate) async fn insert_to_owners(tx: &mut TenantTx, kind: Kind, facts: &Value) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let owners = sqlx::query_scalar!(
        "SELECT email FROM memberships WHERE tenant_id = $1 AND role = 'owner' ORDER BY login_id",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    for address in owners {
        sqlx::query!(
            "INSERT INTO letters (letter_id, kind, address, facts, created_at, due_at) VALUES ($1, $5, $2, $3, $4, $4)",
            Store::new_id(),
            address,
            facts,
            now.to_sqlx() as _,
            kind.word()
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Takes letters that are due, for `lease`.
pub async fn claim_due(store: &Store, limit: i64, lease: Duration) -> Result<Vec<Due>> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let token = Store::new_id();
    let rows = sqlx::query!(
        "WITH picked AS MATERIALIZED (SELECT letter_id FROM letters WHERE state = 'queued' AND due_at <= $1
             AND (lease_expires_at IS NULL OR lease_expires_at < $1) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
         UPDATE letters l SET lease_token = $3, lease_expires_at = $4 FROM picked p WHERE l.letter_id = p.letter_id
         RETURNING l.letter_id, l.kind, l.address, l.facts, l.created_at, l.attempts",
        now.to_sqlx() as _,
        limit,
        token,
        (now + lease).to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    if !rows.is_empty() {
        tx.commit().await?;
    }
    rows.into_iter()
        .map(|row| {
            let kind = Kind::parse(&row.kind).ok_or(corrupt(row.letter_id))?;
            Ok(Due {
                letter_id: row.letter_id,
                kind,
                address: row.address,
                facts: row.facts,
                created_at: row.created_at.to_jiff(),
                attempts: row.attempts.unsigned_abs(),
                token,
            })
        })
        .collect()
}

fn corrupt(id: Uuid) -> StoreError {
    StoreError::Corrupt { table: "letters", column: "kind", id }
}

/// Notes the link of a letter that is about to be sent.
pub async fn insert_link(store: &Store, due: &Due, secret_hash: &[u8], lasts: Duration) -> Result<()> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO links (secret_hash, letter_id, expires_at) VALUES ($1, $2, $3)",
        secret_hash,
        due.letter_id,
        (now + lasts).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

/// How trying to send a letter ended.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// The relay took it.
    Sent,
    /// It is given up, because of this.
    Failed(&'a str),
    /// It is tried again then, because of this.
    Later(Timestamp, &'a str),
}

/// Writes down how trying ended.
pub async fn mark_tried(store: &Store, due: &Due, end: End<'_>) -> Result<()> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let (state, due_at, error) = match end {
        End::Sent => ("sent", now, None),
        End::Failed(why) => ("failed", now, Some(why)),
        End::Later(at, why) => ("queued", at, Some(why)),
    };
    let ended_at = (state != "queued").then(|| now.to_sqlx());
    let done = sqlx::query!(
        "UPDATE letters SET state = $3, due_at = $4, last_error = $5, ended_at = $6, attempts = attempts + 1,
           lease_token = NULL, lease_expires_at = NULL
         WHERE letter_id = $1 AND lease_token = $2",
        due.letter_id,
        due.token,
        state,
        due_at.to_sqlx() as _,
        error,
        ended_at as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("letters::mark_tried", done.rows_affected())?;
    tx.commit().await
}

/// The unused letter of a link that can be followed still.
pub async fn follow(store: &Store, secret_hash: &[u8]) -> Result<Option<Followed>> {
    let mut tx = store.system().await?;
    follow_in(&mut tx, secret_hash).await
}

/// As [`follow`], and nobody else can use it up meanwhile.
pub(crate) async fn follow_in(tx: &mut SystemTx, secret_hash: &[u8]) -> Result<Option<Followed>> {
    let now = tx.now().await?;
    let row = sqlx::query!(
        "SELECT l.letter_id, l.kind, l.address, l.login_id, l.facts FROM links k JOIN letters l ON l.letter_id = k.letter_id
         WHERE k.secret_hash = $1 AND k.expires_at > $2 AND l.used_at IS NULL FOR UPDATE OF l",
        secret_hash,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let kind = Kind::parse(&row.kind).ok_or(corrupt(row.letter_id))?;
    Ok(Some(Followed {
        letter_id: row.letter_id,
        kind,
        address: row.address,
        login_id: row.login_id,
        facts: row.facts,
    }))
}

/// As [`follow_in`], for what changes the login that the letter is about: that row is locked before the letter's
/// ([`logins::lock`]).
pub(crate) async fn follow_with_login_in(tx: &mut SystemTx, secret_hash: &[u8]) -> Result<Option<Followed>> {
    let login_id = sqlx::query_scalar!(
        "SELECT l.login_id FROM links k JOIN letters l ON l.letter_id = k.letter_id WHERE k.secret_hash = $1",
        secret_hash
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(login_id) = login_id.flatten() {
        logins::lock(tx, login_id).await?;
    }
    follow_in(tx, secret_hash).await
}

/// Uses a letter up.
pub(crate) async fn mark_used_in(tx: &mut SystemTx, letter_id: Uuid) -> Result<()> {
    let now = tx.now().await?;
    let done = sqlx::query!(
        "UPDATE letters SET used_at = $2 WHERE letter_id = $1 AND used_at IS NULL",
        letter_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("letters::mark_used", done.rows_affected())
}

/// Uses up what was asked for with a login before: links that set its password, or give it another address.
pub(crate) async fn end_of_login_in(tx: &mut SystemTx, login_id: Uuid) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "UPDATE letters SET used_at = $2 WHERE login_id = $1 AND kind IN ('reset', 'confirm_address') AND used_at IS NULL",
        login_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Uses a letter up.
pub async fn mark_used(store: &Store, letter_id: Uuid) -> Result<()> {
    let mut tx = store.system().await?;
    mark_used_in(&mut tx, letter_id).await?;
    tx.commit().await
}

/// Deletes letters that ended so long ago that nothing follows from them. Says how many.
pub async fn delete_old(store: &Store) -> Result<u64> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let done = sqlx::query!(
        "DELETE FROM letters WHERE state <> 'queued' AND ended_at < $1",
        (now - jiff::SignedDuration::from_hours(24 * 30)).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}
