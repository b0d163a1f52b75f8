//! Table `platform_signs`: that an organization had something, for the storm of the whole platform; see
//! [`domain::remediate::platform_storm`]. Nothing else of it leaves the organization.

use domain::remediate::platform_storm::Sign;
use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;

use crate::{Result, TenantTx};

/// Organizations are counted once each, so one sign of a kind in this time says all.
const ONCE_IN: SignedDuration = SignedDuration::from_secs(30);

/// Notes a sign, if there is none of its kind yet in this half minute.
pub async fn note(tx: &mut TenantTx, sign: Sign) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO platform_signs (tenant_id, sign, at)
         SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM platform_signs s WHERE s.tenant_id = $1 AND s.sign = $2 AND s.at > $4)
         ON CONFLICT DO NOTHING",
        tenant_id,
        sign.word(),
        now.to_sqlx() as _,
        (now - ONCE_IN).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
