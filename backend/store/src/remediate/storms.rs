//! What turned critical lately around a run: hosts of its client, and clients with its check.

use domain::remediate::guardrails::BucketKind;
use domain::remediate::storm::{Facts, LOOKED_BACK, Onset};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::guardrails::number;
use crate::{Result, TenantTx};

/// The newest so many are enough to see a storm, and how long it lasts.
const MOST: i64 = 256;

/// Reads it for a check of a client.
pub async fn find(tx: &mut TenantTx, client_id: Uuid, check_id: Uuid) -> Result<Facts> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let onsets = sqlx::query!(
        r#"(SELECT true AS "of_host!", host_id AS "id!", opened_at AS "at!" FROM alerts
             WHERE tenant_id = $1 AND client_id = $2 AND severity = 'critical' AND opened_at > $4 ORDER BY opened_at DESC LIMIT $5)
           UNION ALL
           (SELECT false, client_id, opened_at FROM alerts
             WHERE tenant_id = $1 AND check_id = $3 AND severity = 'critical' AND opened_at > $4 ORDER BY opened_at DESC LIMIT $5)"#,
        tenant_id,
        client_id,
        check_id,
        (now - LOOKED_BACK).to_sqlx() as _,
        MOST
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |of_host| {
        let mut of: Vec<Onset> =
            onsets.iter().filter(|row| row.of_host == of_host).map(|row| (row.at.to_jiff(), row.id)).collect();
        of.sort_unstable();
        of
    };
    let set = sqlx::query!(
        r#"SELECT scope_kind, max_storm AS "max_storm!" FROM guardrail_buckets
           WHERE tenant_id = $1 AND scope_kind IN ('client', 'tenant') AND scope_key IN ($2, $3, '*') AND max_storm IS NOT NULL
           ORDER BY scope_key = '*'"#,
        tenant_id,
        client_id.to_string(),
        tenant_id.to_string()
    )
    .fetch_all(tx.conn())
    .await?;
    let max = |kind: BucketKind| {
        set.iter().find(|row| row.scope_kind == kind.word()).and_then(|row| number(Some(row.max_storm)))
    };
    let (max_hosts, max_clients) = (max(BucketKind::Client), max(BucketKind::Tenant));
    Ok(Facts { hosts: of(true), clients: of(false), max_hosts, max_clients })
}
