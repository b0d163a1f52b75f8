//! What turned critical lately around a run: hosts of its client, and clients with its check.

use domain::remediate::guardrails::BucketKind;
use domain::remediate::storm::{Facts, LOOKED_BACK, Onset};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::guardrails::{self, number};
use super::runs::{self, Withdraw};
use super::stops::Place;
use crate::{Queue, Result, TenantTx};

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

/// What a storm of the whole platform means here: while there is one, fixes that have no permit are taken back and held; once
/// it is over, also before its time, those that it holds are decided anew. Undos go on.
pub async fn follow_platform(tx: &mut TenantTx) -> Result<()> {
    if guardrails::platform(tx).await?.storm.is_none() {
        return make_due(tx).await;
    }
    if runs::list_hosts_unpermitted(tx, None).await?.is_empty() {
        return Ok(());
    }
    Place::Tenant.lock(tx).await?;
    let fixes = Withdraw { purpose: Some("fix"), ..Withdraw::default() };
    runs::withdraw_unpermitted(tx, &fixes, "a storm on the whole platform").await.map(drop)
}

/// Makes the runs due that the platform's storm holds.
async fn make_due(tx: &mut TenantTx) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE runs r SET due_at = $2 WHERE r.tenant_id = $1 AND r.state = 'held' AND r.due_at > $2
           AND (SELECT e.detail ->> 'storm' = 'platform' FROM run_events e WHERE e.tenant_id = $1 AND e.run_id = r.run_id ORDER BY e.seq DESC LIMIT 1)",
        tenant_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() > 0 {
        tx.due(Queue::Remediate, now);
    }
    Ok(())
}
