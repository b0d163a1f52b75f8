//! Table `run_neighbours`: the host's other checks that were ok before a run, asked again after it.

use std::time::Duration;

use domain::detect::Verdict;
use domain::verify::judge::Neighbour;
use jiff::Timestamp;
use uuid::Uuid;

use crate::detect::check_requests;
use crate::detect::check_states::Subject;
use crate::{Result, StoreError, TenantTx};

/// At most this many are watched a run, in the order of their ids.
const MOST: i64 = 64;

/// Notes those that are ok now, when the run gets its permit. A heartbeat cannot be asked for.
pub async fn insert_ok(tx: &mut TenantTx, run_id: Uuid, attempt: i16) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "INSERT INTO run_neighbours (tenant_id, client_id, run_id, attempt, host_id, check_id, target)
         SELECT $1, r.client_id, r.run_id, $3, r.host_id, s.check_id, s.target
         FROM runs r JOIN check_states s ON s.tenant_id = r.tenant_id AND s.host_id = r.host_id
           JOIN checks k ON k.tenant_id = s.tenant_id AND k.check_id = s.check_id
         WHERE r.tenant_id = $1 AND r.run_id = $2 AND s.verdict = 'ok' AND k.kind <> 'heartbeat' AND k.archived_at IS NULL
           AND (s.check_id <> r.check_id OR s.target <> r.target)
         ORDER BY s.check_id, s.target LIMIT $4 ON CONFLICT DO NOTHING",
        tenant_id,
        run_id,
        attempt,
        MOST
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Asks each of them at `at`; earlier questions count no more.
pub async fn ask(tx: &mut TenantTx, run_id: Uuid, attempt: i16, at: Timestamp, limit: Duration) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let subjects = sqlx::query_as!(
        Subject,
        "SELECT client_id, host_id, check_id, target FROM run_neighbours WHERE tenant_id = $1 AND run_id = $2 AND attempt = $3",
        tenant_id,
        run_id,
        attempt
    )
    .fetch_all(tx.conn())
    .await?;
    if subjects.is_empty() {
        return Ok(());
    }
    let (request_ids, _) = check_requests::insert_all(tx, &subjects, "verify", at, limit).await?;
    let checks: Vec<Uuid> = subjects.iter().map(|subject| subject.check_id).collect();
    let targets: Vec<String> = subjects.into_iter().map(|subject| subject.target).collect();
    sqlx::query!(
        "UPDATE run_neighbours n SET request_id = q.request_id
         FROM unnest($4::uuid[], $5::text[], $6::uuid[]) AS q(check_id, target, request_id)
         WHERE n.tenant_id = $1 AND n.run_id = $2 AND n.attempt = $3 AND n.check_id = q.check_id AND n.target = q.target",
        tenant_id,
        run_id,
        attempt,
        &checks,
        &targets,
        &request_ids
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// All of them with what they said last since they were asked, by name.
pub async fn list(tx: &mut TenantTx, run_id: Uuid, attempt: i16) -> Result<Vec<Neighbour>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT k.check_id, k.name, n.target, o.verdict AS "verdict?", o.seen AS "seen?"
           FROM run_neighbours n JOIN checks k ON k.tenant_id = n.tenant_id AND k.check_id = n.check_id
             LEFT JOIN check_requests q ON q.tenant_id = n.tenant_id AND q.request_id = n.request_id
             LEFT JOIN LATERAL (SELECT o.verdict, o.seen FROM observations o WHERE o.tenant_id = n.tenant_id AND o.host_id = n.host_id
               AND o.check_id = n.check_id AND o.target = n.target AND o.received_at >= q.asked_at ORDER BY o.received_at DESC LIMIT 1) o ON true
           WHERE n.tenant_id = $1 AND n.run_id = $2 AND n.attempt = $3 ORDER BY k.name, n.target"#,
        tenant_id,
        run_id,
        attempt
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|r| {
            let corrupt = StoreError::Corrupt { table: "observations", column: "verdict", id: r.check_id };
            let after = match r.verdict.as_deref() {
                None => None,
                Some(word) => Some(Verdict::parse(word).ok_or(corrupt)?),
            };
            Ok(Neighbour { check: r.name, target: r.target, after, seen: r.seen })
        })
        .collect()
}
