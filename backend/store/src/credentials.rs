//! Table `credentials`: the secrets that name a tenant, by the hash alone. They are looked up in [`crate::auth`].

use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// Gives a host its key: `key_id` is the SHA-256 of the public half.
pub async fn insert_host_key(tx: &mut TenantTx, key_id: &[u8], host_id: Uuid) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id) VALUES ($1, 'host_key', $2, $3)",
        tenant_id,
        key_id,
        host_id
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes one use of an enrolment's token, and says how many are left; none when there was none, or it is expired or revoked.
pub async fn spend_enrolment_token(tx: &mut TenantTx, enrolment_id: Uuid) -> Result<Option<i32>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"UPDATE credentials SET uses_left = uses_left - 1
           WHERE tenant_id = $1 AND kind = 'enrolment_token' AND subject_id = $2 AND uses_left > 0
             AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3) RETURNING uses_left AS "uses_left!""#,
        tenant_id,
        enrolment_id,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The host's keys open nothing any more.
pub async fn revoke_host_keys(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND kind = 'host_key' AND subject_id = $2 AND revoked_at IS NULL",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
