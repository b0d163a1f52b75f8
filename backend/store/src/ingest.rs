//! Table `ingest_days`: reports of metrics that an organization's plan had no room for.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// Adds reports of a client's hosts that were not kept today.
pub async fn note_not_kept(tx: &mut TenantTx, client_id: Uuid, not_kept: u32) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    sqlx::query!(
        "INSERT INTO ingest_days (tenant_id, client_id, day, not_kept) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, client_id, day) DO UPDATE SET not_kept = ingest_days.not_kept + excluded.not_kept",
        tenant_id,
        client_id,
        today.to_sqlx() as _,
        i64::from(not_kept)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many were not kept from `from` on.
pub async fn count_not_kept(tx: &mut TenantTx, from: Date) -> Result<u64> {
    let tenant_id = tx.tenant_id();
    let n = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(not_kept), 0)::bigint AS "n!" FROM ingest_days WHERE tenant_id = $1 AND day >= $2"#,
        tenant_id,
        from.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(n.unsigned_abs())
}
