//! What bounds the damage at a client: runs nobody has judged yet, remediations that went badly, a version's record.

use std::collections::BTreeMap;

use domain::remediate::damage::{BAD_COUNTS, Facts, Numbers};
use domain::remediate::guardrails::Size;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::guardrails::{list_client_sizes, number};
use crate::{Result, TenantTx};

/// What of it is the same for all runs of a client in a batch.
#[derive(Debug, Clone)]
pub struct OfClient {
    /// When each bad remediation of the last day went bad.
    pub bad: Vec<Timestamp>,
    /// How large the client is.
    pub size: Size,
}

/// Reads that, of each of these clients.
pub async fn list_of_clients(tx: &mut TenantTx, client_ids: &[Uuid]) -> Result<BTreeMap<Uuid, OfClient>> {
    let mut bad = list_bad_of(tx, client_ids).await?;
    let sizes = list_client_sizes(tx, client_ids).await?.into_iter();
    Ok(sizes.map(|(id, size)| (id, OfClient { bad: bad.remove(&id).unwrap_or_default(), size })).collect())
}

/// Reads the rest for waiting runs, whose buckets are locked: the same for every waiting run of a client and version, and
/// so asked by these two.
pub async fn list(
    tx: &mut TenantTx,
    versions: &[(Uuid, Vec<u8>)],
    of_clients: &BTreeMap<Uuid, OfClient>,
) -> Result<BTreeMap<(Uuid, Vec<u8>), Facts>> {
    let tenant_id = tx.tenant_id();
    let (clients, digests): (Vec<Uuid>, Vec<Vec<u8>>) = versions.iter().cloned().unzip();
    let rows = sqlx::query!(
        r#"SELECT v.client_id AS "client_id!", v.digest AS "digest!", o.unproven AS "unproven!", o.of_version AS "of_version!", j.verified AS "verified!",
             coalesce(b.max_unproven, d.max_unproven) AS max_unproven, coalesce(b.max_bad, d.max_bad) AS max_bad, coalesce(b.max_wave, d.max_wave) AS max_wave
           FROM unnest($2::uuid[], $3::bytea[]) AS v(client_id, digest)
             LEFT JOIN guardrail_buckets b ON b.tenant_id = $1 AND b.scope_kind = 'client' AND b.scope_key = v.client_id::text
             LEFT JOIN guardrail_buckets d ON d.tenant_id = $1 AND d.scope_kind = 'client' AND d.scope_key = '*'
             CROSS JOIN LATERAL (SELECT count(*) AS unproven, count(*) FILTER (WHERE r.playbook_digest = v.digest) AS of_version
               FROM runs r WHERE r.tenant_id = $1 AND r.client_id = v.client_id AND r.ended_at IS NULL
                 AND r.state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing')) o
             CROSS JOIN LATERAL (
               WITH judged AS (SELECT r.state, r.started_at FROM runs r WHERE r.tenant_id = $1 AND r.client_id = v.client_id
                 AND r.playbook_digest = v.digest AND r.started_at IS NOT NULL ORDER BY r.started_at DESC LIMIT 256)
               SELECT count(*) AS verified FROM judged WHERE state = 'fixed' AND started_at > coalesce((SELECT max(started_at) FROM judged
                 WHERE state IN ('not_fixed', 'made_worse', 'undoing', 'undone', 'undo_failed', 'unknown')), '-infinity')) j"#,
        tenant_id,
        &clients,
        &digests
    )
    .fetch_all(tx.conn())
    .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let facts = rows.into_iter().map(|row| {
        let facts = Facts {
            unproven: count(row.unproven),
            unproven_of_version: count(row.of_version),
            verified_of_version: count(row.verified),
            bad: of_clients.get(&row.client_id).map(|of_client| of_client.bad.clone()).unwrap_or_default(),
            set: Numbers {
                max_unproven: number(row.max_unproven),
                max_bad: number(row.max_bad),
                max_wave: number(row.max_wave),
            },
        };
        ((row.client_id, row.digest), facts)
    });
    Ok(facts.collect())
}

/// When each bad remediation of the client in the last day went bad, ascending; one in doubt is bad now.
pub async fn list_bad(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<Timestamp>> {
    Ok(list_bad_of(tx, &[client_id]).await?.remove(&client_id).unwrap_or_default())
}

async fn list_bad_of(tx: &mut TenantTx, client_ids: &[Uuid]) -> Result<BTreeMap<Uuid, Vec<Timestamp>>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let since = now - BAD_COUNTS;
    let rows = sqlx::query!(
        r#"SELECT c.id AS "client_id!", bad.at AS "at!" FROM unnest($2::uuid[]) AS c(id) CROSS JOIN LATERAL (SELECT at FROM (
             SELECT closed_at AS at FROM remediations WHERE tenant_id = $1 AND client_id = c.id AND closed_at > $3 AND outcome IN ('not_fixed', 'made_worse')
             UNION ALL SELECT relapsed_at FROM remediations WHERE tenant_id = $1 AND client_id = c.id AND relapsed_at > $3
             UNION ALL SELECT $4 FROM runs WHERE tenant_id = $1 AND client_id = c.id AND ended_at IS NULL AND state = 'unknown') bad
             ORDER BY at LIMIT 256) bad ORDER BY bad.at"#,
        tenant_id,
        client_ids,
        since.to_sqlx() as _,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    let mut bad: BTreeMap<Uuid, Vec<Timestamp>> = BTreeMap::new();
    for row in rows {
        bad.entry(row.client_id).or_default().push(row.at.to_jiff());
    }
    Ok(bad)
}
