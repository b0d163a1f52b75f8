//! The limits on acting that concern one host, with what is used of them now. Nothing is locked and nothing is made:
//! a bucket that no run has met yet is told with the numbers it would have.

use domain::remediate::guardrails::{BucketFacts, BucketKind};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::remediate::{groups, guardrails};
use crate::{Result, TenantTx};

/// The most fixes of a host that are told.
const FIXES: i64 = 10;

/// One bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Which fix, where the bucket is one fix's.
    pub playbook: Option<String>,
    /// Its numbers and what uses them.
    pub facts: BucketFacts,
}

/// Organization, client, the host's service groups, host, then the fixes that were due here, in order of their names.
pub async fn list(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid) -> Result<Vec<Bucket>> {
    let tenant_id = tx.tenant_id();
    let mut keys =
        vec![(BucketKind::Tenant, tenant_id.to_string(), None), (BucketKind::Client, client_id.to_string(), None)];
    let of_host = groups::list_over(tx, client_id, Some(host_id)).await?;
    keys.extend(of_host.into_iter().map(guardrails::group_bucket).map(|(kind, key)| (kind, key, None)));
    keys.push((BucketKind::Host, host_id.to_string(), None));
    let fixes = sqlx::query!(
        "SELECT b.scope_key, p.name FROM guardrail_buckets b
         JOIN playbooks p ON p.tenant_id = $1 AND b.scope_key = $2 || '/' || p.playbook_id
         WHERE b.tenant_id = $1 AND b.scope_kind = 'host_playbook' ORDER BY p.name LIMIT $3",
        tenant_id,
        host_id.to_string(),
        FIXES
    )
    .fetch_all(tx.conn())
    .await?;
    for fix in fixes {
        for kind in [BucketKind::HostPlaybook, BucketKind::HostPlaybookDay] {
            keys.push((kind, fix.scope_key.clone(), Some(fix.name.clone())));
        }
    }
    let mut buckets = Vec::with_capacity(keys.len());
    for (kind, key, playbook) in keys {
        buckets.push(Bucket { playbook, ..find(tx, kind, key).await? });
    }
    Ok(buckets)
}

/// One bucket, of no fix.
pub async fn find(tx: &mut TenantTx, kind: BucketKind, key: String) -> Result<Bucket> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = guardrails::find(tx, kind, &key).await?;
    let used = sqlx::query!(
        "SELECT run_id, slot_no, flight_no, occupied_until, released_at FROM guardrail_admissions
         WHERE tenant_id = $1 AND scope_kind = $2 AND scope_key = $3 AND (occupied_until > $4 OR released_at IS NULL)
         ORDER BY occupied_until, slot_no",
        tenant_id,
        kind.word(),
        key,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    let limits = guardrails::find_limits(tx, kind, &key, row.set).await?;
    let slots = used.iter().map(|u| (u.occupied_until.to_jiff(), u.slot_no.unsigned_abs()));
    let in_flight = used.iter().filter(|u| u.released_at.is_none());
    let facts = BucketFacts {
        kind,
        frozen: row.frozen,
        clock_high: row.clock_high.unwrap_or(now),
        limits,
        occupied: slots.filter(|(until, _)| *until > now).collect(),
        flights: in_flight.filter_map(|u| u.flight_no.map(i32::unsigned_abs)).collect(),
        own_flight: false,
        key,
    };
    Ok(Bucket { playbook: None, facts })
}
