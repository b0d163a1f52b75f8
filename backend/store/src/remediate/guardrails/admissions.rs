//! Admissions: slots and flights that runs take in locked buckets, and give back by evidence.

use std::collections::BTreeSet;

use domain::remediate::decide::Slot;
use domain::remediate::guardrails::BucketKind;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::words;
use crate::{Result, StoreError, TenantTx};

/// What one run takes.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The run.
    pub run_id: Uuid,
    /// Its attempt, from 1.
    pub attempt: i16,
    /// The slots.
    pub slots: &'a [Slot],
}

/// Takes the slots of admissions; [`mark_clock`] follows in the same transaction. A `conflict` of
/// `guardrail_admissions_slot` or `_flight` means that the lock was not what kept the limit.
pub async fn admit(tx: &mut TenantTx, admitted: &[Taken<'_>]) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let slots = || admitted.iter().flat_map(|taken| taken.slots.iter().map(move |slot| (taken, slot)));
    let run_ids: Vec<Uuid> = slots().map(|(taken, _)| taken.run_id).collect();
    let attempts: Vec<i32> = slots().map(|(taken, _)| i32::from(taken.attempt)).collect();
    let kinds: Vec<String> = slots().map(|(_, s)| s.kind.word().to_owned()).collect();
    let keys: Vec<String> = slots().map(|(_, s)| s.key.clone()).collect();
    let numbers: Vec<i32> = slots().map(|(_, s)| s.slot_no as i32).collect();
    // No flight: 0 here, NULL in the row.
    let flights: Vec<i32> = slots().map(|(_, s)| s.flight_no.map_or(0, |n| n as i32)).collect();
    let spans: Vec<i64> = slots().map(|(_, s)| (s.occupied_until.duration_since(now).as_micros()) as i64).collect();
    sqlx::query!(
        "INSERT INTO guardrail_admissions (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until)
         SELECT $1, s.kind, s.key, s.run_id, s.attempt, s.slot_no, nullif(s.flight_no, 0), $4::timestamptz, $4::timestamptz + s.micros * interval '1 microsecond'
         FROM unnest($2::uuid[], $3::int[], $5::text[], $6::text[], $7::int[], $8::int[], $9::bigint[])
           AS s(run_id, attempt, kind, key, slot_no, flight_no, micros)",
        tenant_id,
        &run_ids,
        &attempts,
        now.to_sqlx() as _,
        &kinds,
        &keys,
        &numbers,
        &flights,
        &spans
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// After admissions: the locked buckets remember this now, so that none is made before it.
pub async fn mark_clock(tx: &mut TenantTx, keys: &[(BucketKind, String)]) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let keys: Vec<_> = keys.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let (kinds, names) = words(&keys);
    let done = sqlx::query!(
        "UPDATE guardrail_buckets SET clock_high = greatest(clock_high, $4)
         WHERE tenant_id = $1 AND scope_kind = ANY ($2) AND scope_key = ANY ($3)
           AND (scope_kind, scope_key) IN (SELECT * FROM unnest($2::text[], $3::text[]))",
        tenant_id,
        &kinds,
        &names,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() != keys.len() as u64 {
        let (statement, expected) = ("guardrails::mark_clock", keys.len() as u64);
        return Err(StoreError::WrongRowCount { statement, expected, changed: done.rows_affected() });
    }
    Ok(())
}

/// Finished rows of locked buckets move to the history, in two statements.
pub async fn move_finished(tx: &mut TenantTx, keys: &[(BucketKind, String)]) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let (kinds, names) = words(keys);
    let moved = sqlx::query!(
        "INSERT INTO guardrail_history (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until, released_at, outcome)
         SELECT tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until, released_at, outcome
         FROM guardrail_admissions WHERE tenant_id = $1 AND scope_kind = ANY ($2) AND scope_key = ANY ($3)
           AND (scope_kind, scope_key) IN (SELECT * FROM unnest($2::text[], $3::text[])) AND released_at IS NOT NULL AND occupied_until <= $4",
        tenant_id,
        &kinds,
        &names,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!(
        "DELETE FROM guardrail_admissions a WHERE tenant_id = $1 AND scope_kind = ANY ($2) AND scope_key = ANY ($3)
         AND (scope_kind, scope_key) IN (SELECT * FROM unnest($2::text[], $3::text[])) AND released_at IS NOT NULL AND occupied_until <= $4
         AND EXISTS (SELECT 1 FROM guardrail_history h WHERE h.tenant_id = a.tenant_id AND h.scope_kind = a.scope_kind AND h.scope_key = a.scope_key
           AND h.run_id = a.run_id AND h.attempt = a.attempt AND h.slot_no = a.slot_no)",
        tenant_id,
        &kinds,
        &names,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Releases a run's admissions by evidence; its buckets must be locked. With proof that nothing was executed
/// the window slots end too.
pub async fn release(tx: &mut TenantTx, run_id: Uuid, outcome: &str, executed: Executed) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE guardrail_admissions SET released_at = $3, outcome = $4,
           occupied_until = CASE WHEN $5 THEN greatest($3, admitted_at + interval '1 microsecond') ELSE occupied_until END
         WHERE tenant_id = $1 AND run_id = $2 AND released_at IS NULL",
        tenant_id,
        run_id,
        now.to_sqlx() as _,
        outcome,
        executed == Executed::No
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether anything was executed under an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executed {
    /// Something was, or may have been.
    Yes,
    /// Proven that nothing was.
    No,
}
