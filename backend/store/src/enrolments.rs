//! Table `enrolments`: hosts that are planned, and who became them.

use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::{Result, TenantTx};

/// A planned host.
#[derive(Debug)]
pub struct Enrolment {
    /// Its client.
    pub client_id: Uuid,
    /// Its site.
    pub site_id: Option<Uuid>,
    /// The name it will have.
    pub host_name: String,
    /// Its tags.
    pub tags: Value,
    /// The networks its token may be used from; none: any.
    pub networks: Vec<String>,
    /// The key that spent it.
    pub public_key: Option<Vec<u8>>,
    /// The host it became.
    pub host_id: Option<Uuid>,
}

/// The enrolment, locked until the end of the transaction: of two agents with one token the second waits.
pub async fn find_locked(tx: &mut TenantTx, enrolment_id: Uuid) -> Result<Option<Enrolment>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Enrolment,
        "SELECT client_id, site_id, host_name, tags, networks, public_key, host_id FROM enrolments
         WHERE tenant_id = $1 AND enrolment_id = $2 FOR UPDATE",
        tenant_id,
        enrolment_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Says which host it became.
pub async fn mark_spent(tx: &mut TenantTx, enrolment_id: Uuid, public_key: &[u8], host_id: Uuid) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE enrolments SET public_key = $3, host_id = $4, spent_at = $5
         WHERE tenant_id = $1 AND enrolment_id = $2 AND spent_at IS NULL",
        tenant_id,
        enrolment_id,
        public_key,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    exactly_one("enrolments::mark_spent", done.rows_affected())
}
