//! Tables `sign_on` and `sign_on_subjects`: an organization's own provider of sign-on, and whom it means by its subjects.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use keys::seal::{CryptoRng, MasterKey};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::audit::{self, Entry};
use crate::error::exactly_one;
use crate::sealing::{self, Place};
use crate::{Result, TenantTx};

/// How members sign in by the organization's provider.
#[derive(Clone, Debug)]
pub struct SignOn {
    /// The provider.
    pub issuer: String,
    /// What it knows us by: OpenID Connect's client id.
    pub application_id: String,
    /// The secret, sealed for the tenant and this version.
    pub secret_sealed: Vec<u8>,
    /// The version of the sealing key that it is sealed with; none: with the master key, as before secrets had a store.
    pub sealing_version: Option<i32>,
    /// Counts on with each change.
    pub version: i32,
    /// The domains whose addresses count.
    pub domains: Vec<String>,
    /// When it was set.
    pub changed_at: Timestamp,
    /// Who set it.
    pub changed_by: String,
}

/// The organization's provider, if it has one.
pub async fn find(tx: &mut TenantTx) -> Result<Option<SignOn>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT issuer, application_id, secret_sealed, sealing_version, version, domains, changed_at, changed_by
         FROM sign_on WHERE tenant_id = $1",
        tenant_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| SignOn {
        issuer: row.issuer,
        application_id: row.application_id,
        secret_sealed: row.secret_sealed,
        sealing_version: row.sealing_version,
        version: row.version,
        domains: row.domains,
        changed_at: row.changed_at.to_jiff(),
        changed_by: row.changed_by,
    }))
}

/// Locks the organization's provider, and counts its version on: what was begun before ends.
pub async fn next_version(tx: &mut TenantTx) -> Result<i32> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "UPDATE tenants SET sign_on_version = sign_on_version + 1 WHERE tenant_id = $1 RETURNING sign_on_version",
        tenant_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Locks how members sign on: whether they must come by the provider, and the version of now.
pub async fn lock(tx: &mut TenantTx) -> Result<(bool, i32)> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT requires_sign_on, sign_on_version FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE",
        tenant_id
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.requires_sign_on, row.sign_on_version))
}

/// A provider that is set.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// What it knows us by: OpenID Connect's client id.
    pub application_id: &'a str,
    /// The secret, sealed.
    pub secret_sealed: &'a [u8],
    /// The version of the sealing key.
    pub sealing_version: i32,
    /// Of [`next_version`].
    pub version: i32,
    /// The domains whose addresses count.
    pub domains: &'a [String],
    /// Who sets it.
    pub by: &'a str,
}

/// Sets the organization's provider. Another provider's subjects are other people: whom the one before meant is forgotten.
async fn set(tx: &mut TenantTx, new: &New<'_>) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!("DELETE FROM sign_on_subjects WHERE tenant_id = $1 AND issuer <> $2", tenant_id, new.issuer)
        .execute(tx.conn())
        .await?;
    let done = sqlx::query!(
        "INSERT INTO sign_on (tenant_id, issuer, application_id, secret_sealed, version, domains, changed_at, changed_by, sealing_version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (tenant_id) DO UPDATE SET issuer = excluded.issuer,
           application_id = excluded.application_id, secret_sealed = excluded.secret_sealed, version = excluded.version,
           domains = excluded.domains, sealing_version = excluded.sealing_version, changed_at = excluded.changed_at, changed_by = excluded.changed_by",
        tenant_id,
        new.issuer,
        new.application_id,
        new.secret_sealed,
        new.version,
        new.domains,
        now.to_sqlx() as _,
        new.by,
        new.sealing_version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("sign_on::set", done.rows_affected())
}

/// Where the secret stands; `row`: the tenant, as text.
pub fn place(row: &str, version: i32, tenant_id: Uuid) -> Place<'_> {
    Place { bound: "sign_on.secret_sealed", table: "sign_on", column: "secret_sealed", row, version, id: tenant_id }
}

/// Opens the secret of the provider that is set. One that is sealed with the master key still is sealed anew, with the
/// tenant's own.
pub async fn open(
    tx: &mut TenantTx,
    master: &MasterKey,
    rng: &mut (impl CryptoRng + Send),
    set: &SignOn,
) -> Result<Zeroizing<Vec<u8>>> {
    let tenant_id = tx.tenant_id();
    let row = tenant_id.to_string();
    let place = place(&row, set.version, tenant_id);
    let secret = sealing::open_with(tx, master, set.sealing_version, &place, &set.secret_sealed).await?;
    if set.sealing_version.is_none() {
        let sealing = sealing::newest(tx, master, rng).await?;
        let sealed = sealing.seal(tenant_id, rng, &place, &secret);
        sqlx::query!(
            "UPDATE sign_on SET secret_sealed = $3, sealing_version = $4
             WHERE tenant_id = $1 AND version = $2 AND sealing_version IS NULL",
            tenant_id,
            set.version,
            sealed,
            sealing.version
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(secret)
}

/// Puts the secret in place that is sealed anew.
pub(crate) async fn update_sealed(tx: &mut TenantTx, sealed: &[u8], sealing_version: i32) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE sign_on SET secret_sealed = $2, sealing_version = $3 WHERE tenant_id = $1",
        tenant_id,
        sealed,
        sealing_version
    )
    .execute(tx.conn())
    .await?;
    exactly_one("sign_on::update_sealed", done.rows_affected())
}

/// Ends signing in by a provider.
async fn delete(tx: &mut TenantTx) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("DELETE FROM sign_on_subjects WHERE tenant_id = $1", tenant_id).execute(tx.conn()).await?;
    let done = sqlx::query!("DELETE FROM sign_on WHERE tenant_id = $1", tenant_id).execute(tx.conn()).await?;
    exactly_one("sign_on::delete", done.rows_affected())
}

/// What the audit says of a provider.
fn told(issuer: &str, application_id: &str, domains: &[String], required: bool) -> Value {
    json!({ "issuer": issuer, "client_id": application_id, "domains": domains, "required": required })
}

/// What the audit says of the provider that is set; it stands still, for [`next_version`] has locked it.
async fn find_told(tx: &mut TenantTx) -> Result<Option<Value>> {
    let Some(set) = find(tx).await? else { return Ok(None) };
    let required = is_required(tx).await?;
    Ok(Some(told(&set.issuer, &set.application_id, &set.domains, required)))
}

/// Sets the provider, and whether members must come by it; `detail` is what the audit says beside that. [`next_version`] comes
/// before it.
pub async fn put(tx: &mut TenantTx, new: &New<'_>, required: bool, detail: Value) -> Result<()> {
    let before = find_told(tx).await?;
    set(tx, new).await?;
    set_required(tx, required).await?;
    let subject = ("tenant", tx.tenant_id());
    let after = told(new.issuer, new.application_id, new.domains, required);
    let entry = match before {
        Some(before) => Entry::changed("organization.sign_on_set", subject, before, after),
        None => Entry::made("organization.sign_on_set", subject, after),
    };
    audit::insert(tx, None, entry.with(detail)).await
}

/// Ends signing in by the provider, and every session that it began; false if there was none.
pub async fn end(tx: &mut TenantTx, detail: Value) -> Result<bool> {
    let (tenant_id, _) = (tx.tenant_id(), next_version(tx).await?);
    let Some(before) = find_told(tx).await? else { return Ok(false) };
    delete(tx).await?;
    set_required(tx, false).await?;
    let entry = Entry::removed("organization.sign_on_removed", ("tenant", tenant_id), before);
    audit::insert(tx, None, entry.with(detail)).await?;
    Ok(true)
}

/// Whether everybody but owners must come by the provider.
pub async fn is_required(tx: &mut TenantTx) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!("SELECT requires_sign_on FROM tenants WHERE tenant_id = $1", tenant_id)
        .fetch_one(tx.conn())
        .await?)
}

/// Sets whether everybody but owners must come by the provider.
async fn set_required(tx: &mut TenantTx, required: bool) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!("UPDATE tenants SET requires_sign_on = $2 WHERE tenant_id = $1", tenant_id, required)
        .execute(tx.conn())
        .await?;
    exactly_one("sign_on::set_required", done.rows_affected())
}

/// Who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comes {
    /// A member who came before as the same subject.
    Again(Uuid),
    /// A member who comes for the first time; the subject is theirs from now on.
    First(Uuid),
    /// Nobody of this address is a member.
    Nobody,
    /// The member came as another subject before, or the subject is another member's.
    Other,
}

/// The member whom a provider means by `subject`, who has the address `email`: the two are bound to each other at first.
pub async fn bind(tx: &mut TenantTx, issuer: &str, subject: &str, email: &str) -> Result<Comes> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let member = sqlx::query_scalar!(
        "SELECT login_id FROM memberships WHERE tenant_id = $1 AND lower(email) = lower($2) FOR UPDATE",
        tenant_id,
        email
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(login_id) = member else { return Ok(Comes::Nobody) };
    let bound = sqlx::query!(
        "SELECT login_id, issuer, subject FROM sign_on_subjects
         WHERE tenant_id = $1 AND (login_id = $2 OR issuer = $3 AND subject = $4)",
        tenant_id,
        login_id,
        issuer,
        subject
    )
    .fetch_all(tx.conn())
    .await?;
    if !bound.is_empty() {
        let same = bound.iter().all(|row| row.login_id == login_id && row.issuer == issuer && row.subject == subject);
        return Ok(if same { Comes::Again(login_id) } else { Comes::Other });
    }
    sqlx::query!(
        "INSERT INTO sign_on_subjects (tenant_id, login_id, issuer, subject, bound_at) VALUES ($1, $2, $3, $4, $5)",
        tenant_id,
        login_id,
        issuer,
        subject,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(Comes::First(login_id))
}
