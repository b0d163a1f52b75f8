//! Table `logins`: who may sign in, and how often somebody tried.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use crate::audit::Entry;
use crate::people::{account, letters};
use crate::{Origin, Queue, Result, Store, SystemTx, TenantTx, channels};

/// What came of asking to try a password.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// There is no such login, or it has no password.
    Unknown,
    /// It was tried too often just now.
    Locked,
    /// Compare; the try is counted already, so that tries side by side are all counted.
    Compare {
        /// The login.
        login_id: Uuid,
        /// The hash of its password.
        password_hash: String,
    },
}

/// Counts a try at a login's password. `wait` says how long the login rests after so many tries without success.
///
/// Whether there is such a login is not to be read off the time: each way has the same statements, and its commit does not
/// wait for the disk. A server that crashes forgets some tries.
pub async fn claim_attempt(store: &Store, email: &str, wait: fn(u32) -> Duration) -> Result<Attempt> {
    let mut tx = store.system().await?;
    let row = sqlx::query!(
        "SELECT login_id, password_hash, failed_count, locked_until FROM logins WHERE lower(email) = lower($1) FOR UPDATE",
        email
    )
    .fetch_optional(tx.conn())
    .await?;
    let now = tx.now().await?;
    let (attempt, login_id, count) = match row {
        Some(row) if row.locked_until.is_some_and(|until| until.to_jiff() > now) => (Attempt::Locked, Uuid::nil(), 0),
        Some(row) => match row.password_hash {
            Some(password_hash) => {
                let login_id = row.login_id;
                (Attempt::Compare { login_id, password_hash }, login_id, row.failed_count.saturating_add(1))
            }
            None => (Attempt::Unknown, Uuid::nil(), 0),
        },
        None => (Attempt::Unknown, Uuid::nil(), 0),
    };
    let until = now + wait(count.unsigned_abs());
    sqlx::query!(
        "UPDATE logins SET failed_count = $2, locked_until = $3 WHERE login_id = $1",
        login_id,
        count,
        until.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.commit_soon().await?;
    tx.commit().await?;
    Ok(attempt)
}

/// What was claimed could not be compared: it was no guess. One that counts at the same time keeps its own.
pub async fn give_back(store: &Store, login_id: Uuid) -> Result<()> {
    let mut tx = store.system().await?;
    sqlx::query!(
        "UPDATE logins SET failed_count = greatest(failed_count - 1, 0), locked_until = NULL WHERE login_id = $1",
        login_id
    )
    .execute(tx.conn())
    .await?;
    tx.commit_soon().await?;
    tx.commit().await
}

/// The password was right: the count begins anew, and the audit tells how many tries came before, where they were many.
pub async fn mark_signed_in(store: &Store, login_id: Uuid, origin: Origin) -> Result<()> {
    let mut tx = store.system().await?;
    let tries = count_tries_in(&mut tx, login_id).await?;
    sqlx::query!("UPDATE logins SET failed_count = 0, locked_until = NULL WHERE login_id = $1", login_id)
        .execute(tx.conn())
        .await?;
    // The one that was right was counted too.
    account::note_guesses_in(&mut tx, login_id, tries - 1, origin).await?;
    tx.commit().await
}

/// Locks a login's row until the end of the transaction. **The login first**: whoever changes several rows of an account (letters,
/// sessions, tokens, factors) locks it before any of them, so that no two wait for each other.
pub(crate) async fn lock(tx: &mut SystemTx, login_id: Uuid) -> Result<()> {
    sqlx::query!("SELECT login_id FROM logins WHERE login_id = $1 FOR UPDATE", login_id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(())
}

/// Tries at the password since the count began; whoever counts at the same time waits.
async fn count_tries_in(tx: &mut SystemTx, login_id: Uuid) -> Result<i32> {
    let tries = sqlx::query_scalar!("SELECT failed_count FROM logins WHERE login_id = $1 FOR UPDATE", login_id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(tries.unwrap_or(0))
}

/// An account, as its owner sees it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The address.
    pub email: String,
    /// The hash of its password, if it has one.
    pub password_hash: Option<String>,
    /// Since when codes of an app count.
    pub codes_since: Option<Timestamp>,
    /// How many passkeys it has.
    pub passkeys: i64,
}

impl Account {
    /// Whether the password alone does not let in.
    pub fn has_second_factor(&self) -> bool {
        self.codes_since.is_some() || self.passkeys > 0
    }
}

/// The account of a login.
pub async fn find_account(store: &Store, login_id: Uuid) -> Result<Option<Account>> {
    let mut tx = store.system().await?;
    let row = sqlx::query!(
        r#"SELECT email, password_hash, totp_since,
             (SELECT count(*) FROM passkeys p WHERE p.login_id = g.login_id) AS "passkeys!"
           FROM logins g WHERE login_id = $1"#,
        login_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Account {
        email: row.email,
        password_hash: row.password_hash,
        codes_since: row.totp_since.map(jiff_sqlx::Timestamp::to_jiff),
        passkeys: row.passkeys,
    }))
}

/// The login of an address.
pub async fn find_by_email(store: &Store, email: &str) -> Result<Option<Uuid>> {
    let mut tx = store.system().await?;
    Ok(sqlx::query_scalar!("SELECT login_id FROM logins WHERE lower(email) = lower($1)", email)
        .fetch_optional(tx.conn())
        .await?)
}

/// Makes a login; its address must be nobody's (`logins_email_key`).
pub async fn insert(store: &Store, email: &str, password_hash: &str) -> Result<Uuid> {
    let mut tx = store.system().await?;
    let login_id = Store::new_id();
    sqlx::query!(
        "INSERT INTO logins (login_id, email, password_hash) VALUES ($1, $2, $3)",
        login_id,
        email,
        password_hash
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(login_id)
}

/// Sets a new password and ends the login's sessions but `kept`, every link that was sent before and its API tokens; a letter
/// tells the owner.
pub async fn set_password(
    store: &Store,
    login_id: Uuid,
    password_hash: &str,
    kept: Option<&[u8]>,
    told: &serde_json::Value,
    origin: Origin,
) -> Result<()> {
    let mut tx = store.system().await?;
    set_password_in(&mut tx, login_id, password_hash, kept, told, origin).await?;
    account::note_in(&mut tx, Entry::done("account.password_changed", account::subject(login_id)), origin).await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Letters);
    store.wake().wake(Queue::Audit);
    Ok(())
}

async fn set_password_in(
    tx: &mut SystemTx,
    login_id: Uuid,
    password_hash: &str,
    kept: Option<&[u8]>,
    told: &serde_json::Value,
    origin: Origin,
) -> Result<()> {
    let guesses = count_tries_in(tx, login_id).await?;
    let email = sqlx::query_scalar!(
        "UPDATE logins SET password_hash = $2, failed_count = 0, locked_until = NULL WHERE login_id = $1 RETURNING email",
        login_id,
        password_hash
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM sessions WHERE login_id = $1 AND ($2::bytea IS NULL OR session_hash <> $2)",
        login_id,
        kept
    )
    .execute(tx.conn())
    .await?;
    letters::end_of_login_in(tx, login_id).await?;
    account::end_tokens_in(tx, login_id, "a new password", origin).await?;
    letters::insert_in(tx, letters::Kind::AccountChanged, &email, Some(login_id), told).await?;
    account::note_guesses_in(tx, login_id, guesses, origin).await
}

/// Sets a new password by the link of a letter, which is used up; false if the link cannot be followed.
pub async fn reset_password(
    store: &Store,
    secret_hash: &[u8],
    password_hash: &str,
    told: &serde_json::Value,
    origin: Origin,
) -> Result<bool> {
    let mut tx = store.system().await?;
    let letter = letters::follow_with_login_in(&mut tx, secret_hash).await?;
    let Some((letter_id, login_id)) = letter
        .filter(|letter| letter.kind == letters::Kind::Reset)
        .and_then(|letter| Some((letter.letter_id, letter.login_id?)))
    else {
        return Ok(false);
    };
    letters::mark_used_in(&mut tx, letter_id).await?;
    set_password_in(&mut tx, login_id, password_hash, None, told, origin).await?;
    account::note_in(&mut tx, Entry::done("account.password_reset", account::subject(login_id)), origin).await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Letters);
    store.wake().wake(Queue::Audit);
    Ok(true)
}

/// What came of following the link that proves a new address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The address is the login's.
    Done,
    /// The link cannot be followed.
    NoLink,
    /// Somebody else has an account with it.
    Taken,
}

/// Gives a login the address that the link of a letter proves; the old address is told, and a link that was sent there sets
/// no password any more.
pub async fn change_email(store: &Store, secret_hash: &[u8], origin: Origin) -> Result<Moved> {
    let mut tx = store.system().await?;
    let letter = letters::follow_with_login_in(&mut tx, secret_hash).await?;
    let Some((letter, login_id)) = letter
        .filter(|letter| letter.kind == letters::Kind::ConfirmAddress)
        .and_then(|letter| letter.login_id.map(|login_id| (letter, login_id)))
    else {
        return Ok(Moved::NoLink);
    };
    let taken = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM logins WHERE lower(email) = lower($2) AND login_id <> $1) AS "taken!""#,
        login_id,
        letter.address
    )
    .fetch_one(tx.conn())
    .await?;
    if taken {
        return Ok(Moved::Taken);
    }
    letters::end_of_login_in(&mut tx, login_id).await?;
    let old =
        sqlx::query_scalar!("SELECT email FROM logins WHERE login_id = $1", login_id).fetch_one(tx.conn()).await?;
    sqlx::query!("UPDATE logins SET email = $2 WHERE login_id = $1", login_id, letter.address)
        .execute(tx.conn())
        .await?;
    sqlx::query!("UPDATE memberships SET email = $2 WHERE login_id = $1", login_id, letter.address)
        .execute(tx.conn())
        .await?;
    channels::move_of_login(&mut tx, login_id, &old, &letter.address).await?;
    let told = json!({ "what": "address", "to": letter.address });
    letters::insert_in(&mut tx, letters::Kind::AccountChanged, &old, Some(login_id), &told).await?;
    let (was, is) = (json!({ "email": old }), json!({ "email": letter.address }));
    let entry = Entry::changed("account.address_changed", account::subject(login_id), was, is);
    account::note_in(&mut tx, entry, origin).await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Letters);
    store.wake().wake(Queue::Audit);
    Ok(Moved::Done)
}

/// What stands around every page of a member.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The member's name.
    pub member: String,
    /// The tenant's name.
    pub organization: String,
    /// Incidents the member may see that need a person.
    pub needs_you: i64,
    /// Changes of the organization that wait for a second person.
    pub to_confirm: i64,
    /// Runs the member may see that wait for a yes.
    pub to_approve: i64,
    /// Whether all actions are stopped, here or everywhere.
    pub frozen: bool,
}

/// The seat of a login, or of a service account, in the transaction's tenant; or what stands around the pages of a support
/// session.
pub async fn find_seat(tx: &mut TenantTx, login_id: Uuid) -> Result<Option<Seat>> {
    let tenant_id = tx.tenant_id();
    let seat = sqlx::query_as!(
        Seat,
        r#"SELECT coalesce(m.name, v.name, 'The platform’s support') AS "member!", t.name AS organization,
             (SELECT count(*) FROM incidents i WHERE i.tenant_id = $1 AND i.state = 'escalated'
               AND NOT EXISTS (SELECT 1 FROM clients x WHERE x.tenant_id = $1 AND x.client_id = i.client_id AND x.archived_at IS NOT NULL)) AS "needs_you!",
             (SELECT count(*) FROM proposed_changes c WHERE c.tenant_id = $1 AND c.state = 'proposed') AS "to_confirm!",
             (SELECT count(*) FROM runs r WHERE r.tenant_id = $1 AND r.state = 'awaiting_approval') AS "to_approve!",
             (EXISTS (SELECT 1 FROM platform_state WHERE frozen)
              OR EXISTS (SELECT 1 FROM guardrail_buckets b WHERE b.tenant_id = $1 AND b.scope_kind = 'tenant' AND b.frozen)) AS "frozen!"
           FROM tenants t LEFT JOIN memberships m ON m.tenant_id = t.tenant_id AND m.login_id = $2
             LEFT JOIN service_seats v ON v.tenant_id = t.tenant_id AND v.seat_id = $2
           WHERE t.tenant_id = $1 AND (m.login_id IS NOT NULL OR v.seat_id IS NOT NULL OR EXISTS
             (SELECT 1 FROM support_grants s WHERE s.tenant_id = $1 AND s.grant_id = $2))"#,
        tenant_id,
        login_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(seat)
}
