//! What clients hold of their organization's window, and who waits with nothing: facts of a fair share.

use std::collections::BTreeMap;

use domain::remediate::fair::Facts;
use domain::remediate::guardrails::BucketFacts;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// Other clients of the organization than each of these, archived ones left out.
pub async fn list_others(tx: &mut TenantTx, client_ids: &[Uuid]) -> Result<BTreeMap<Uuid, u32>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"WITH active AS MATERIALIZED (SELECT client_id FROM clients WHERE tenant_id = $1 AND archived_at IS NULL)
           SELECT c.id AS "client_id!", (SELECT count(*) FROM active a WHERE a.client_id <> c.id) AS "others!" FROM unnest($2::uuid[]) AS c(id)"#,
        tenant_id,
        client_ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.client_id, count(row.others))).collect())
}

fn count(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Reads it for a run of a client with so many `others`, where the shares can hold it
/// ([`domain::remediate::fair::matters`]); the organization's bucket is locked and has been read.
pub async fn find(tx: &mut TenantTx, client_id: Uuid, tenant: &BucketFacts, others: u32) -> Result<Facts> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let holds = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM guardrail_admissions a JOIN runs r ON r.tenant_id = $1 AND r.run_id = a.run_id
           WHERE a.tenant_id = $1 AND a.scope_kind = 'tenant' AND a.scope_key = $3 AND a.occupied_until > $4 AND r.client_id = $2"#,
        tenant_id,
        client_id,
        tenant.key,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    let facts = Facts { others, holds: count(holds), waiting: 0 };
    if !facts.asks_who_waits(tenant) {
        return Ok(facts);
    }
    let waiting = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM clients c WHERE c.tenant_id = $1 AND c.client_id <> $2 AND c.archived_at IS NULL
           AND EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND r.client_id = c.client_id AND r.state IN ('planned', 'held') AND r.due_at <= $4)
           AND NOT EXISTS (SELECT 1 FROM guardrail_admissions a JOIN runs r ON r.tenant_id = $1 AND r.run_id = a.run_id
             WHERE a.tenant_id = $1 AND a.scope_kind = 'tenant' AND a.scope_key = $3 AND a.occupied_until > $4 AND r.client_id = c.client_id)"#,
        tenant_id,
        client_id,
        tenant.key,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Facts { waiting: count(waiting), ..facts })
}
