//! Enrolment tokens as people make and see them: for one host (table `enrolments`) and for many (`enrolment_tokens`). Only
//! a hash of a token is kept, in `credentials`.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Result, Store, TenantTx};

/// Whom a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// One host of this name, which is trusted at once.
    Host(String),
    /// So many hosts, each of which a person accepts.
    Many(i32),
}

/// A new token.
#[derive(Debug)]
pub struct New<'a> {
    /// The client whose hosts it makes.
    pub client_id: Uuid,
    /// Where they stand.
    pub site_id: Option<Uuid>,
    /// Their tags.
    pub tags: &'a Value,
    /// The networks it may be used from; none: any.
    pub networks: &'a [String],
    /// For whom.
    pub whom: &'a For,
    /// Its first characters.
    pub begins: &'a str,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// How long it lives.
    pub lives: Duration,
    /// Who makes it.
    pub by: &'a str,
}

/// Keeps a token that a person has made.
pub async fn insert(tx: &mut TenantTx, new: &New<'_>) -> Result<Uuid> {
    let (tenant_id, token_id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let expires_at = now + new.lives;
    let uses = match new.whom {
        For::Host(name) => {
            sqlx::query!(
                "INSERT INTO enrolments (tenant_id, client_id, enrolment_id, site_id, host_name, tags, created_at, expires_at, networks, begins, created_by)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                tenant_id,
                new.client_id,
                token_id,
                new.site_id,
                name,
                new.tags,
                now.to_sqlx() as _,
                expires_at.to_sqlx() as _,
                new.networks,
                new.begins,
                new.by
            )
            .execute(tx.conn())
            .await?;
            1
        }
        For::Many(uses) => {
            sqlx::query!(
                "INSERT INTO enrolment_tokens (tenant_id, client_id, token_id, site_id, tags, networks, begins, uses, created_at, created_by, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                tenant_id,
                new.client_id,
                token_id,
                new.site_id,
                new.tags,
                new.networks,
                new.begins,
                uses,
                now.to_sqlx() as _,
                new.by,
                expires_at.to_sqlx() as _
            )
            .execute(tx.conn())
            .await?;
            *uses
        }
    };
    sqlx::query!(
        "INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id, expires_at, uses_left) VALUES ($1, 'enrolment_token', $2, $3, $4, $5)",
        tenant_id,
        &new.hash[..],
        token_id,
        expires_at.to_sqlx() as _,
        uses
    )
    .execute(tx.conn())
    .await?;
    let host = match new.whom {
        For::Host(name) => Some(name),
        For::Many(_) => None,
    };
    let made = json!({ "begins": new.begins, "host": host, "uses": uses, "expires_at": expires_at, "networks": new.networks,
        "site": new.site_id, "tags": new.tags });
    let entry = Entry::made("enrolment_token.made", ("enrolment_token", token_id), made);
    audit::insert(tx, Some(new.client_id), entry).await?;
    Ok(token_id)
}

/// A token that is there.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its id.
    pub token_id: Uuid,
    /// Its client.
    pub client_id: Uuid,
    /// The client's name.
    pub client: String,
    /// Its site.
    pub site: Option<String>,
    /// The host it is for, where it is for one.
    pub host: Option<String>,
    /// Its first characters, where they were kept.
    pub begins: Option<String>,
    /// The networks it may be used from.
    pub networks: Vec<String>,
    /// How often it could be used at first.
    pub uses: i32,
    /// How often it still can.
    pub uses_left: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom; none: a file.
    pub created_by: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A token as it is stored.
pub(crate) struct Stored {
    pub(crate) token_id: Uuid,
    pub(crate) client_id: Uuid,
    pub(crate) client: String,
    pub(crate) site: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) begins: Option<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) uses: i32,
    pub(crate) uses_left: i32,
    pub(crate) created_at: jiff_sqlx::Timestamp,
    pub(crate) created_by: Option<String>,
    pub(crate) expires_at: jiff_sqlx::Timestamp,
    pub(crate) revoked_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Stored> for Token {
    fn from(r: Stored) -> Token {
        Token {
            token_id: r.token_id,
            client_id: r.client_id,
            client: r.client,
            site: r.site,
            host: r.host,
            begins: r.begins,
            networks: r.networks,
            uses: r.uses,
            uses_left: r.uses_left,
            created_at: r.created_at.to_jiff(),
            created_by: r.created_by,
            expires_at: r.expires_at.to_jiff(),
            revoked_at: r.revoked_at.map(|at| at.to_jiff()),
        }
    }
}

/// The tokens that were made or ended after `since`, those that can still be used first.
pub async fn list(tx: &mut TenantTx, since: Timestamp, most: i64) -> Result<Vec<Token>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query_as!(
        Stored,
        r#"SELECT t.token_id AS "token_id!", t.client_id AS "client_id!", c.name AS client, s.name AS "site?", t.host AS "host?", t.begins AS "begins?",
             t.networks AS "networks!", t.uses AS "uses!", k.uses_left AS "uses_left!", t.created_at AS "created_at!", t.created_by AS "created_by?",
             t.expires_at AS "expires_at!", k.revoked_at
           FROM (SELECT e.tenant_id, e.enrolment_id AS token_id, e.client_id, e.site_id, e.host_name AS host, e.begins, e.networks, 1 AS uses, e.created_at, e.created_by, e.expires_at
                   FROM enrolments e WHERE e.tenant_id = $1 AND e.expires_at > $2
                 UNION ALL SELECT m.tenant_id, m.token_id, m.client_id, m.site_id, NULL, m.begins, m.networks, m.uses, m.created_at, m.created_by, m.expires_at
                   FROM enrolment_tokens m WHERE m.tenant_id = $1 AND m.expires_at > $2) t
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = t.client_id
           JOIN credentials k ON k.tenant_id = $1 AND k.kind = 'enrolment_token' AND k.subject_id = t.token_id
           LEFT JOIN sites s ON s.tenant_id = $1 AND s.site_id = t.site_id
           ORDER BY (k.revoked_at IS NULL AND k.uses_left > 0 AND t.expires_at > $3) DESC, t.created_at DESC, t.token_id LIMIT $4"#,
        tenant_id,
        since.to_sqlx() as _,
        now.to_sqlx() as _,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Token::from).collect())
}

/// The client of a token of either kind.
pub async fn find_client(tx: &mut TenantTx, token_id: Uuid) -> Result<Option<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT client_id AS "client_id!" FROM enrolments WHERE tenant_id = $1 AND enrolment_id = $2
           UNION ALL SELECT client_id FROM enrolment_tokens WHERE tenant_id = $1 AND token_id = $2"#,
        tenant_id,
        token_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Ends a token: nobody enrols with it any more. False: it is revoked already.
pub async fn revoke(tx: &mut TenantTx, client_id: Uuid, token_id: Uuid) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND kind = 'enrolment_token' AND subject_id = $2 AND revoked_at IS NULL",
        tenant_id,
        token_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let (was, is) = (json!({ "revoked": false }), json!({ "revoked": true }));
    let entry = Entry::changed("enrolment_token.revoked", ("enrolment_token", token_id), was, is);
    audit::insert(tx, Some(client_id), entry).await?;
    Ok(true)
}

/// Writes down that a use of a token was taken, by which host, and how many are left.
pub async fn note_spent(
    tx: &mut TenantTx,
    client_id: Uuid,
    token_id: Uuid,
    host_id: Uuid,
    uses_left: i32,
) -> Result<()> {
    let (was, is) = (json!({ "uses_left": uses_left.saturating_add(1) }), json!({ "uses_left": uses_left }));
    let entry = Entry::changed("enrolment_token.spent", ("enrolment_token", token_id), was, is);
    audit::insert(tx, Some(client_id), entry.with(json!({ "host": host_id }))).await
}

/// A token for many hosts, as whoever enrols meets it.
#[derive(Clone, Debug)]
pub struct Many {
    /// The client.
    pub client_id: Uuid,
    /// Where its hosts stand.
    pub site_id: Option<Uuid>,
    /// Their tags.
    pub tags: Value,
    /// The networks it may be used from.
    pub networks: Vec<String>,
}

/// The token, if it is one for many hosts.
pub async fn find_many(tx: &mut TenantTx, token_id: Uuid) -> Result<Option<Many>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Many,
        "SELECT client_id, site_id, tags, networks FROM enrolment_tokens WHERE tenant_id = $1 AND token_id = $2",
        tenant_id,
        token_id
    )
    .fetch_optional(tx.conn())
    .await?)
}
