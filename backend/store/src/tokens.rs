//! Tables `api_tokens` and `api_answers`: tokens of the API as people see them, and what was answered once.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::error::exactly_one;
use crate::{Result, Store, TenantTx};

/// A token's use is written down at most this often.
const USED_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// What was answered to an Idempotency-Key is kept for this long.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// A token that is made.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its first characters, by which people know it.
    pub hint: &'a str,
    /// The SHA-256 of its text.
    pub hash: &'a [u8],
    /// Who makes it.
    pub login_id: Uuid,
    /// The service account that it is of; none: it is its maker's own.
    pub seat_id: Option<Uuid>,
    /// The words of its scopes.
    pub scopes: &'a [String],
    /// Networks it may be used from; none: all.
    pub networks: &'a [String],
    /// Its end.
    pub expires_at: Timestamp,
    /// The token that makes it, with which it ends; none: a person does.
    pub minted_by: Option<Uuid>,
}

/// A token as people see it.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct Token {
    pub token_id: Uuid,
    pub name: String,
    pub hint: String,
    /// Whose it is: its maker's, or a service account's.
    pub whose: Uuid,
    /// The maker's name; none: they are no member any more, and a token of their own may nothing.
    pub by: Option<String>,
    /// The name of the service account that it is of.
    pub service: Option<String>,
    pub scopes: Vec<String>,
    pub networks: Vec<String>,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub used_from: Option<String>,
    pub revoked_at: Option<Timestamp>,
    pub revoked_by: Option<String>,
    /// The token that made it; none: a person did.
    pub minted_by: Option<Uuid>,
    /// What people call that one.
    pub minted_by_name: Option<String>,
}

/// Makes a token; its id.
pub async fn insert(tx: &mut TenantTx, new: &NewToken<'_>) -> Result<Uuid> {
    let (tenant_id, token_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id, expires_at) VALUES ($1, 'api_token', $2, $3, $4)",
        tenant_id,
        new.hash,
        token_id,
        new.expires_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO api_tokens (tenant_id, token_id, name, hint, login_id, scopes, networks, made_at, expires_at, seat_id, minted_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        tenant_id,
        token_id,
        new.name,
        new.hint,
        new.login_id,
        new.scopes,
        new.networks,
        now.to_sqlx() as _,
        new.expires_at.to_sqlx() as _,
        new.seat_id,
        new.minted_by
    )
    .execute(tx.conn())
    .await?;
    let mut detail = json!({ "hint": new.hint, "minted_by": new.minted_by });
    if let Some(seat_id) = new.seat_id {
        detail["service"] = json!(seat_id);
    }
    let made = json!({ "name": new.name, "scopes": new.scopes, "networks": new.networks, "expires_at": new.expires_at.to_string() });
    audit::insert(tx, None, Entry::made("token.made", ("token", token_id), made).with(detail)).await?;
    Ok(token_id)
}

/// The tenant's tokens, those that still work first, then the newest.
pub async fn list(tx: &mut TenantTx, of: Option<Uuid>, limit: i64) -> Result<Vec<Token>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        r#"SELECT t.token_id, t.name, t.hint, coalesce(t.seat_id, t.login_id) AS "whose!", m.name AS "by?",
             CASE WHEN t.seat_id IS NOT NULL THEN coalesce(v.name, 'a service account that was removed') END AS service, t.scopes, t.networks, t.made_at, t.expires_at, t.used_at, t.used_from,
             t.revoked_at, t.revoked_by, t.minted_by, p.name AS "minted_by_name?"
           FROM api_tokens t LEFT JOIN memberships m ON m.tenant_id = $1 AND m.login_id = t.login_id
             LEFT JOIN service_seats v ON v.tenant_id = $1 AND v.seat_id = t.seat_id
             LEFT JOIN api_tokens p ON p.tenant_id = $1 AND p.token_id = t.minted_by
           WHERE t.tenant_id = $1 AND ($4::uuid IS NULL OR t.login_id = $4 AND t.seat_id IS NULL)
           ORDER BY (t.revoked_at IS NULL AND t.expires_at > $2) DESC, t.made_at DESC, t.token_id LIMIT $3"#,
        tenant_id,
        now.to_sqlx() as _,
        limit,
        of
    )
    .fetch_all(tx.conn())
    .await?;
    let token = rows.into_iter().map(|r| Token {
        token_id: r.token_id,
        name: r.name,
        hint: r.hint,
        whose: r.whose,
        by: r.by,
        service: r.service,
        scopes: r.scopes,
        networks: r.networks,
        made_at: r.made_at.to_jiff(),
        expires_at: r.expires_at.to_jiff(),
        used_at: r.used_at.map(|at| at.to_jiff()),
        used_from: r.used_from,
        revoked_at: r.revoked_at.map(|at| at.to_jiff()),
        revoked_by: r.revoked_by,
        minted_by: r.minted_by,
        minted_by_name: r.minted_by_name,
    });
    Ok(token.collect())
}

/// How many tokens of the tenant still work, and how many of them are a member's own, those included that their tokens made.
pub async fn count_alive(tx: &mut TenantTx, login_id: Uuid) -> Result<(i64, i64)> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE login_id = $3 AND seat_id IS NULL) AS "own!" FROM api_tokens
           WHERE tenant_id = $1 AND revoked_at IS NULL AND expires_at > $2"#,
        tenant_id,
        now.to_sqlx() as _,
        login_id
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.all, row.own))
}

/// Whose a token is: its maker's, or a service account's; none: there is no such token.
pub async fn find_owner(tx: &mut TenantTx, token_id: Uuid) -> Result<Option<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(seat_id, login_id) AS "whose!" FROM api_tokens WHERE tenant_id = $1 AND token_id = $2"#,
        tenant_id,
        token_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// A token that asks for another one.
#[derive(Debug)]
pub struct Asking {
    /// The words of its scopes.
    pub scopes: Vec<String>,
    /// Networks it may be used from; none: all.
    pub networks: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// The token that asks for another one, locked against being revoked meanwhile; none: it works no more.
pub async fn lock_asking(tx: &mut TenantTx, token_id: Uuid) -> Result<Option<Asking>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        "SELECT scopes, networks, expires_at FROM api_tokens
         WHERE tenant_id = $1 AND token_id = $2 AND revoked_at IS NULL AND expires_at > $3 FOR SHARE",
        tenant_id,
        token_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Asking { scopes: r.scopes, networks: r.networks, expires_at: r.expires_at.to_jiff() }))
}

/// Ends a token at once, and with it every one that was made by it or by one of those. False: it was revoked already.
pub async fn mark_revoked(tx: &mut TenantTx, token_id: Uuid, by: &str) -> Result<bool> {
    if !end(tx, token_id, by, None).await? {
        return Ok(false);
    }
    // Each look comes after the locks of those that it asks about: whatever they were making is there by then.
    let mut makers = vec![token_id];
    while !makers.is_empty() {
        makers = list_minted(tx, &makers).await?;
        for minted in &makers {
            end(tx, *minted, by, Some(token_id)).await?;
        }
    }
    Ok(true)
}

/// Ends a login's own tokens in the tenant, and those that they made: its seat ends, or begins anew. Those of service accounts
/// that it made go on. Says how many there were.
pub async fn revoke_of_login(tx: &mut TenantTx, login_id: Uuid, by: &str) -> Result<usize> {
    let tenant_id = tx.tenant_id();
    let alive = sqlx::query_scalar!(
        "SELECT token_id FROM api_tokens WHERE tenant_id = $1 AND login_id = $2 AND seat_id IS NULL AND revoked_at IS NULL ORDER BY token_id",
        tenant_id,
        login_id
    )
    .fetch_all(tx.conn())
    .await?;
    for token_id in &alive {
        mark_revoked(tx, *token_id, by).await?;
    }
    Ok(alive.len())
}

/// Tokens made by these that are not revoked.
async fn list_minted(tx: &mut TenantTx, makers: &[Uuid]) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT token_id FROM api_tokens WHERE tenant_id = $1 AND minted_by = ANY ($2) AND revoked_at IS NULL ORDER BY token_id",
        tenant_id,
        makers
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Ends one token; `with` is the one that it ends with. False: it was revoked already.
async fn end(tx: &mut TenantTx, token_id: Uuid, by: &str, with: Option<Uuid>) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let name = sqlx::query_scalar!(
        "UPDATE api_tokens SET revoked_at = $3, revoked_by = $4 WHERE tenant_id = $1 AND token_id = $2 AND revoked_at IS NULL RETURNING name",
        tenant_id,
        token_id,
        now.to_sqlx() as _,
        by
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(name) = name else { return Ok(false) };
    let done = sqlx::query!(
        "UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND kind = 'api_token' AND subject_id = $2",
        tenant_id,
        token_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("tokens::mark_revoked", done.rows_affected())?;
    let (was, is) = (json!({ "revoked": false }), json!({ "revoked": true }));
    let entry = Entry::changed("token.revoked", ("token", token_id), was, is);
    audit::insert(tx, None, entry.with(json!({ "name": name, "with": with }))).await?;
    Ok(true)
}

/// A token that works, if its maker does.
#[derive(Debug)]
pub(crate) struct Alive {
    pub login_id: Uuid,
    /// The service account that it is of.
    pub seat_id: Option<Uuid>,
    pub scopes: Vec<String>,
    pub networks: Vec<String>,
    /// Whether its use was written down a short while ago.
    pub is_marked: bool,
}

/// The token, if it was not revoked and has not ended.
pub(crate) async fn find_alive(tx: &mut TenantTx, token_id: Uuid) -> Result<Option<Alive>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        "SELECT login_id, seat_id, scopes, networks, used_at FROM api_tokens
         WHERE tenant_id = $1 AND token_id = $2 AND revoked_at IS NULL AND expires_at > $3",
        tenant_id,
        token_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Alive {
        login_id: r.login_id,
        seat_id: r.seat_id,
        scopes: r.scopes,
        networks: r.networks,
        is_marked: r.used_at.is_some_and(|at| at.to_jiff() > now - USED_EVERY),
    }))
}

/// Writes down that a token was used, now and then. Requests that come together do not wait for the one that writes.
pub async fn mark_used(tx: &mut TenantTx, token_id: Uuid, from: Option<IpAddr>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE api_tokens SET used_at = $3, used_from = $4 WHERE tenant_id = $1 AND token_id = (SELECT token_id FROM api_tokens
           WHERE tenant_id = $1 AND token_id = $2 AND (used_at IS NULL OR used_at < $5) FOR UPDATE SKIP LOCKED)",
        tenant_id,
        token_id,
        now.to_sqlx() as _,
        from.map(|from| from.to_string()),
        (now - USED_EVERY).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The SHA-256 of the request it was given to.
    pub digest: Vec<u8>,
    /// Its status.
    pub status: i16,
    /// Its body.
    pub body: Value,
}

/// Takes an Idempotency-Key for this transaction, which waits for another one that has it; or says what was answered to it.
pub async fn claim_key(tx: &mut TenantTx, token_id: Uuid, key: &str, digest: &[u8]) -> Result<Option<Answer>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let kept = now - ANSWERS_KEPT;
    sqlx::query!(
        "DELETE FROM api_answers WHERE tenant_id = $1 AND token_id = $2 AND at < $3",
        tenant_id,
        token_id,
        kept.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let done = sqlx::query!(
        "INSERT INTO api_answers (tenant_id, token_id, idempotency_key, digest, status, body, at) VALUES ($1, $2, $3, $4, 0, 'null', $5)
         ON CONFLICT DO NOTHING",
        tenant_id,
        token_id,
        key,
        digest,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 {
        return Ok(None);
    }
    let answer = sqlx::query_as!(
        Answer,
        "SELECT digest, status, body FROM api_answers WHERE tenant_id = $1 AND token_id = $2 AND idempotency_key = $3",
        tenant_id,
        token_id,
        key
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Some(answer))
}

/// Keeps what is answered, in the transaction of what was done.
pub async fn keep_answer(tx: &mut TenantTx, token_id: Uuid, key: &str, status: u16, body: &Value) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE api_answers SET status = $4, body = $5 WHERE tenant_id = $1 AND token_id = $2 AND idempotency_key = $3",
        tenant_id,
        token_id,
        key,
        i16::try_from(status).unwrap_or(0),
        body
    )
    .execute(tx.conn())
    .await?;
    exactly_one("tokens::keep_answer", done.rows_affected())
}
