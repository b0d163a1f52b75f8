//! Runs that go from one state to another, and what is written of it.

use domain::run::{State, may_go};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::live::Kind;
use crate::{Queue, Result, StoreError, TenantTx};

/// A step of runs to a state.
pub(super) struct Step<'a> {
    /// The state.
    pub(super) to: State,
    /// Why, as people read it.
    pub(super) cause: &'a str,
    /// More about it.
    pub(super) detail: Value,
}

/// Writes a step into the histories of runs, each with its client; `from` is none where they are new.
pub(super) async fn write_events(
    tx: &mut TenantTx,
    runs: &[(Uuid, Uuid)],
    from: Option<State>,
    step: Step<'_>,
) -> Result<()> {
    let (tenant_id, now, actor) = (tx.tenant_id(), tx.now().await?, tx.actor().to_owned());
    let (run_ids, clients): (Vec<Uuid>, Vec<Uuid>) = runs.iter().copied().unzip();
    sqlx::query!(
        "INSERT INTO run_events (tenant_id, client_id, run_id, seq, at, from_state, to_state, cause, detail, actor)
         SELECT $1, r.client_id, r.run_id, (SELECT coalesce(max(seq), 0) + 1 FROM run_events e WHERE e.tenant_id = $1 AND e.run_id = r.run_id),
           $4, $5, $6, $7, $8, $9
         FROM unnest($2::uuid[], $3::uuid[]) AS r(run_id, client_id)",
        tenant_id,
        &run_ids,
        &clients,
        now.to_sqlx() as _,
        from.map(State::word),
        step.to.word(),
        step.cause,
        step.detail,
        actor
    )
    .execute(tx.conn())
    .await?;
    for client_id in clients {
        tx.changes(Kind::Incident, client_id, None);
    }
    Ok(())
}

/// Takes a run from one state to another; `false` when it is not in `from` any more. `due_at` is for `planned` and `held`.
pub async fn advance(
    tx: &mut TenantTx,
    run_id: Uuid,
    from: State,
    to: State,
    cause: &str,
    detail: Value,
    due_at: Option<Timestamp>,
) -> Result<bool> {
    Ok(take_step(tx, &[run_id], from, Step { to, cause, detail }, due_at).await? == 1)
}

/// Admits planned runs; all of them must be planned still.
pub async fn admit(tx: &mut TenantTx, run_ids: &[Uuid], cause: &str) -> Result<()> {
    let step = Step { to: State::Admitted, cause, detail: json!({}) };
    let (expected, changed) = (run_ids.len() as u64, take_step(tx, run_ids, State::Planned, step, None).await?);
    if changed == expected {
        Ok(())
    } else {
        Err(StoreError::WrongRowCount { statement: "runs::admit", expected, changed })
    }
}

/// Takes the runs that are in `from` a step; answers how many were.
async fn take_step(
    tx: &mut TenantTx,
    run_ids: &[Uuid],
    from: State,
    step: Step<'_>,
    due_at: Option<Timestamp>,
) -> Result<u64> {
    let to = step.to;
    if !may_go(from, to) {
        return Err(StoreError::Conflict(format!("run_edge_{}_{}", from.word(), to.word()), None));
    }
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let waits = matches!(to, State::Planned | State::Held);
    let rows = sqlx::query!(
        "UPDATE runs SET state = $4::text, version = version + 1, due_at = $5::timestamptz,
           hold_reason = CASE WHEN $4 = 'held' THEN $6 ELSE hold_reason END,
           hold_until = CASE WHEN $4 = 'held' THEN $5::timestamptz ELSE NULL END,
           attempt = CASE WHEN $4 = 'admitted' THEN attempt + 1 ELSE attempt END,
           admitted_at = CASE WHEN $4 = 'admitted' THEN $7 ELSE admitted_at END,
           started_at = CASE WHEN $4 = 'running' THEN $7 ELSE started_at END,
           ended_at = CASE WHEN $8 THEN $7 ELSE NULL END,
           end_reason = CASE WHEN $8 THEN $6 ELSE end_reason END,
           lease_token = NULL, lease_expires_at = NULL, lease_count = 0
         WHERE tenant_id = $1 AND run_id = ANY ($2) AND state = $3 RETURNING run_id, client_id",
        tenant_id,
        run_ids,
        from.word(),
        to.word(),
        waits.then(|| due_at.unwrap_or(now).to_sqlx()) as _,
        step.cause,
        now.to_sqlx() as _,
        to.is_end()
    )
    .fetch_all(tx.conn())
    .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let runs: Vec<(Uuid, Uuid)> = rows.iter().map(|row| (row.run_id, row.client_id)).collect();
    write_events(tx, &runs, Some(from), step).await?;
    if waits {
        tx.due(Queue::Remediate, due_at.unwrap_or(now));
    }
    Ok(runs.len() as u64)
}

/// Cancels an alert's runs that have not been admitted; answers how many.
pub async fn cancel_waiting(tx: &mut TenantTx, alert_id: Uuid, reason: &str) -> Result<u64> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT run_id, state FROM runs WHERE tenant_id = $1 AND alert_id = $2
           AND state IN ('planned', 'held', 'awaiting_approval') FOR UPDATE",
        tenant_id,
        alert_id
    )
    .fetch_all(tx.conn())
    .await?;
    let mut cancelled = 0;
    for r in rows {
        if let Some(from) = State::parse(&r.state)
            && advance(tx, r.run_id, from, State::Cancelled, reason, json!({}), None).await?
        {
            close_remediation(tx, r.run_id, "cancelled").await?;
            cancelled += 1;
        }
    }
    Ok(cancelled)
}

/// Makes held runs due at once: those of one host, or all of the tenant.
pub async fn make_held_due(tx: &mut TenantTx, host_id: Option<Uuid>) -> Result<u64> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE runs SET due_at = $3 WHERE tenant_id = $1 AND state = 'held' AND ($2::uuid IS NULL OR host_id = $2)",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.due(Queue::Remediate, now);
    Ok(done.rows_affected())
}

/// A mapping was demoted: its runs that have not begun are in `mode` now, and are decided anew. Jobs without a permit
/// were withdrawn before; the tenant's bucket is locked.
pub async fn demote_waiting(tx: &mut TenantTx, mapping_id: Uuid, mode: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        "UPDATE runs r SET mode = $3, due_at = CASE WHEN r.state = 'awaiting_approval' THEN r.due_at ELSE $4 END FROM remediations m
         WHERE r.tenant_id = $1 AND m.tenant_id = r.tenant_id AND m.remediation_id = r.remediation_id AND m.mapping_id = $2
           AND r.state IN ('planned', 'held', 'awaiting_approval') RETURNING r.run_id, r.state",
        tenant_id,
        mapping_id,
        mode,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    for r in rows.iter().filter(|r| r.state == State::AwaitingApproval.word()) {
        let cause = "its mapping was demoted";
        advance(tx, r.run_id, State::AwaitingApproval, State::Planned, cause, json!({}), Some(now)).await?;
    }
    if !rows.is_empty() {
        tx.due(Queue::Remediate, now);
    }
    Ok(())
}

/// Counts a *not run* and answers how many there were.
pub async fn count_not_run(tx: &mut TenantTx, run_id: Uuid) -> Result<i16> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "UPDATE runs SET not_run_count = not_run_count + 1 WHERE tenant_id = $1 AND run_id = $2 RETURNING not_run_count",
        tenant_id,
        run_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The fix of a run did not last: its remediation has relapsed. False when that was known.
pub async fn mark_relapsed(tx: &mut TenantTx, run_id: Uuid) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE remediations SET relapsed_at = $3 WHERE tenant_id = $1 AND relapsed_at IS NULL AND outcome = 'fixed'
         AND remediation_id = (SELECT remediation_id FROM runs WHERE tenant_id = $1 AND run_id = $2)",
        tenant_id,
        run_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Closes the remediation of a run.
pub async fn close_remediation(tx: &mut TenantTx, run_id: Uuid, outcome: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE remediations SET closed_at = $3, outcome = $4 WHERE tenant_id = $1 AND closed_at IS NULL
         AND remediation_id = (SELECT remediation_id FROM runs WHERE tenant_id = $1 AND run_id = $2)",
        tenant_id,
        run_id,
        now.to_sqlx() as _,
        outcome
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
