//! What turned critical lately around a run: hosts of its client, and clients with its check.

use std::collections::BTreeMap;

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
    let asked = (client_id, check_id);
    Ok(list(tx, &[asked]).await?.remove(&asked).unwrap_or_default())
}

/// Reads it for checks, each of a client.
pub async fn list(tx: &mut TenantTx, asked: &[(Uuid, Uuid)]) -> Result<BTreeMap<(Uuid, Uuid), Facts>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let (clients, checks): (Vec<Uuid>, Vec<Uuid>) = asked.iter().copied().unzip();
    let onsets = sqlx::query!(
        r#"SELECT v.client_id AS "client_id!", v.check_id AS "check_id!", o.of_host AS "of_host!", o.id AS "id!", o.at AS "at!"
           FROM unnest($2::uuid[], $3::uuid[]) AS v(client_id, check_id) CROSS JOIN LATERAL (
             (SELECT true AS of_host, host_id AS id, opened_at AS at FROM alerts
               WHERE tenant_id = $1 AND client_id = v.client_id AND severity = 'critical' AND opened_at > $4 ORDER BY opened_at DESC LIMIT $5)
             UNION ALL
             (SELECT false, client_id, opened_at FROM alerts
               WHERE tenant_id = $1 AND check_id = v.check_id AND severity = 'critical' AND opened_at > $4 ORDER BY opened_at DESC LIMIT $5)) o"#,
        tenant_id,
        &clients,
        &checks,
        (now - LOOKED_BACK).to_sqlx() as _,
        MOST
    )
    .fetch_all(tx.conn())
    .await?;
    let mut keys: Vec<String> = clients.iter().map(Uuid::to_string).collect();
    keys.extend([tenant_id.to_string(), "*".to_owned()]);
    let set = sqlx::query!(
        r#"SELECT scope_kind, scope_key, max_storm AS "max_storm!" FROM guardrail_buckets
           WHERE tenant_id = $1 AND scope_kind IN ('client', 'tenant') AND scope_key = ANY ($2) AND max_storm IS NOT NULL"#,
        tenant_id,
        &keys
    )
    .fetch_all(tx.conn())
    .await?;
    // Its own number, else that of all buckets of the kind.
    let max = |kind: BucketKind, own: &str| {
        let of = |key: &str| set.iter().find(|row| row.scope_kind == kind.word() && row.scope_key == key);
        of(own).or_else(|| of("*")).and_then(|row| number(Some(row.max_storm)))
    };
    let max_clients = max(BucketKind::Tenant, &tenant_id.to_string());
    let mut facts: BTreeMap<(Uuid, Uuid), Facts> = asked
        .iter()
        .map(|asked| {
            let max_hosts = max(BucketKind::Client, &asked.0.to_string());
            (*asked, Facts { max_hosts, max_clients, ..Facts::default() })
        })
        .collect();
    for row in onsets {
        let Some(of) = facts.get_mut(&(row.client_id, row.check_id)) else { continue };
        let onset: Onset = (row.at.to_jiff(), row.id);
        if row.of_host { of.hosts.push(onset) } else { of.clients.push(onset) }
    }
    for of in facts.values_mut() {
        of.hosts.sort_unstable();
        of.clients.sort_unstable();
    }
    Ok(facts)
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
