//! What bounds the damage at a client: runs nobody has judged yet, remediations that went badly, a version's record.

use domain::remediate::damage::{BAD_COUNTS, Facts, Numbers};
use domain::remediate::guardrails::{BucketKind, Size};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::guardrails::{number, size};
use super::runs::Run;
use crate::{Result, TenantTx};

/// What of it is the same for all runs of a client in a batch.
#[derive(Debug, Clone)]
pub struct OfClient {
    /// When each bad remediation of the last day went bad.
    pub bad: Vec<Timestamp>,
    /// How large the client is.
    pub size: Size,
}

/// Reads that.
pub async fn find_of_client(tx: &mut TenantTx, client_id: Uuid) -> Result<OfClient> {
    let size = size(tx, BucketKind::Client, &client_id.to_string()).await?;
    Ok(OfClient { bad: list_bad(tx, client_id).await?, size })
}

/// Reads the rest for a waiting run, whose buckets are locked: the same for every waiting run of its client and version.
pub async fn find(tx: &mut TenantTx, run: &Run, of_client: &OfClient) -> Result<Facts> {
    let tenant_id = tx.tenant_id();
    let key = run.client_id.to_string();
    let counts = sqlx::query!(
        r#"WITH open AS (SELECT playbook_digest FROM runs WHERE tenant_id = $1 AND client_id = $2 AND ended_at IS NULL AND run_id <> $4
             AND state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing')),
           judged AS (SELECT state, started_at FROM runs WHERE tenant_id = $1 AND client_id = $2 AND playbook_digest = $3
             AND started_at IS NOT NULL ORDER BY started_at DESC LIMIT 256)
         SELECT (SELECT count(*) FROM open) AS "unproven!", (SELECT count(*) FROM open WHERE playbook_digest = $3) AS "of_version!",
           (SELECT count(*) FROM judged WHERE state = 'fixed' AND started_at > coalesce((SELECT max(started_at) FROM judged
             WHERE state IN ('not_fixed', 'made_worse', 'undoing', 'undone', 'undo_failed', 'unknown')), '-infinity')) AS "verified!",
           coalesce(b.max_unproven, d.max_unproven) AS max_unproven, coalesce(b.max_bad, d.max_bad) AS max_bad, coalesce(b.max_wave, d.max_wave) AS max_wave
         FROM guardrail_buckets b
           LEFT JOIN guardrail_buckets d ON d.tenant_id = b.tenant_id AND d.scope_kind = b.scope_kind AND d.scope_key = '*'
         WHERE b.tenant_id = $1 AND b.scope_kind = 'client' AND b.scope_key = $5"#,
        tenant_id,
        run.client_id,
        run.playbook_digest,
        run.run_id,
        key
    )
    .fetch_one(tx.conn())
    .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Facts {
        unproven: count(counts.unproven),
        unproven_of_version: count(counts.of_version),
        verified_of_version: count(counts.verified),
        bad: of_client.bad.clone(),
        set: Numbers {
            max_unproven: number(counts.max_unproven),
            max_bad: number(counts.max_bad),
            max_wave: number(counts.max_wave),
        },
    })
}

/// When each bad remediation of the client in the last day went bad, ascending; one in doubt is bad now.
pub async fn list_bad(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<Timestamp>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let since = now - BAD_COUNTS;
    let bad = sqlx::query_scalar!(
        r#"SELECT at AS "at!" FROM (
             SELECT closed_at AS at FROM remediations WHERE tenant_id = $1 AND client_id = $2 AND closed_at > $3 AND outcome IN ('not_fixed', 'made_worse')
             UNION ALL SELECT relapsed_at FROM remediations WHERE tenant_id = $1 AND client_id = $2 AND relapsed_at > $3
             UNION ALL SELECT $4 FROM runs WHERE tenant_id = $1 AND client_id = $2 AND ended_at IS NULL AND state = 'unknown') bad
           ORDER BY at LIMIT 256"#,
        tenant_id,
        client_id,
        since.to_sqlx() as _,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(bad.into_iter().map(|at| at.to_jiff()).collect())
}
