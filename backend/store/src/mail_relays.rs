//! Table `mail_relays`: an organization's own relay, and whether it takes mails.

use domain::relay::Relay;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::json;

use crate::error::exactly_one;
use crate::people::letters;
use crate::{Result, StoreError, TenantTx, configuration};

/// The owners are told once in this time at most.
const TOLD_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// The relay.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What it is.
    pub relay: Relay,
    /// When it was set.
    pub changed_at: Timestamp,
    /// Who set it.
    pub changed_by: String,
    /// Since when it does not take mails, and what it said last.
    pub refused: Option<(Timestamp, String)>,
}

/// The organization's relay, if it has one.
pub async fn find(tx: &mut TenantTx) -> Result<Option<Stored>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT relay, changed_at, changed_by, refused_at, refusal FROM mail_relays WHERE tenant_id = $1",
        tenant_id
    )
    .fetch_optional(tx.conn())
    .await?;
    let corrupt = |_| StoreError::Corrupt { table: "mail_relays", column: "relay", id: tenant_id };
    row.map(|row| {
        Ok(Stored {
            relay: serde_json::from_value(row.relay).map_err(corrupt)?,
            changed_at: row.changed_at.to_jiff(),
            changed_by: row.changed_by,
            refused: row.refused_at.map(|at| at.to_jiff()).zip(row.refusal),
        })
    })
    .transpose()
}

/// Sets the relay; what the one before refused is forgotten.
pub async fn set(tx: &mut TenantTx, relay: &Relay, by: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "INSERT INTO mail_relays (tenant_id, relay, changed_at, changed_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id) DO UPDATE SET relay = excluded.relay, changed_at = excluded.changed_at,
           changed_by = excluded.changed_by, refused_at = NULL, refusal = NULL, told_at = NULL",
        tenant_id,
        json!(relay),
        now.to_sqlx() as _,
        by
    )
    .execute(tx.conn())
    .await?;
    exactly_one("mail_relays::set", done.rows_affected())
}

/// Takes the relay out; false: there was none.
pub async fn delete(tx: &mut TenantTx) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!("DELETE FROM mail_relays WHERE tenant_id = $1", tenant_id).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}

/// The relay did not take a mail. Its first refusal is told to the owners, and then not again for a day.
pub async fn mark_refused(tx: &mut TenantTx, relay: &Relay, why: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let told = sqlx::query_scalar!(
        r#"WITH was AS MATERIALIZED (SELECT told_at FROM mail_relays WHERE tenant_id = $1 AND relay = $2 FOR UPDATE)
           UPDATE mail_relays m SET refused_at = coalesce(m.refused_at, $3), refusal = $4,
             told_at = CASE WHEN was.told_at > $5 THEN was.told_at ELSE $3 END
           FROM was WHERE m.tenant_id = $1 RETURNING coalesce(was.told_at > $5, false) AS "told!""#,
        tenant_id,
        json!(relay),
        now.to_sqlx() as _,
        why,
        (now - TOLD_EVERY).to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    // No row: another relay was set meanwhile.
    if told == Some(false) {
        let organization = configuration::find_tenant(tx).await?.map(|tenant| tenant.name);
        let facts = json!({ "what": "relay refuses", "organization": organization, "host": relay.host, "why": why });
        letters::insert_to_owners(tx, letters::Kind::AccountChanged, &facts).await?;
    }
    Ok(())
}

/// The relay took a mail.
pub async fn mark_accepted(tx: &mut TenantTx) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "UPDATE mail_relays SET refused_at = NULL, refusal = NULL WHERE tenant_id = $1 AND refused_at IS NOT NULL",
        tenant_id
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
