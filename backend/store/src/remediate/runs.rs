//! Tables `remediations`, `runs`, `run_events`: the story of each act. Every change of state goes through
//! one statement that names the state it leaves, and writes the event beside it.

use domain::run::{State, may_go};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::live::Kind;
use crate::{Queue, Result, Store, StoreError, TenantTx};

/// What a mapping asks for.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct NewRun {
    pub client_id: Uuid,
    pub alert_id: Uuid,
    pub incident_id: Uuid,
    pub host_id: Uuid,
    pub check_id: Uuid,
    pub target: String,
    pub mapping_id: Uuid,
    pub mapping_version: i32,
    pub mode: String,
    pub rung: i16,
    pub playbook_id: Uuid,
    pub playbook_digest: Vec<u8>,
    pub parameters: Value,
}

/// A run as the loops need it.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct Run {
    pub run_id: Uuid,
    pub client_id: Uuid,
    pub alert_id: Uuid,
    pub incident_id: Uuid,
    pub host_id: Uuid,
    pub check_id: Uuid,
    pub rung: i16,
    pub playbook_id: Uuid,
    pub playbook_digest: Vec<u8>,
    pub mode: String,
    pub state: String,
    pub attempt: i16,
}

/// Opens a remediation with its first run, planned and due now.
pub async fn plan(tx: &mut TenantTx, new: &NewRun) -> Result<Uuid> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let (remediation_id, run_id) = (Store::new_id(), Store::new_id());
    sqlx::query!(
        "INSERT INTO remediations (tenant_id, client_id, remediation_id, alert_id, incident_id, mapping_id, mapping_version, opened_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tenant_id,
        new.client_id,
        remediation_id,
        new.alert_id,
        new.incident_id,
        new.mapping_id,
        new.mapping_version,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung,
           playbook_id, playbook_digest, parameters, mode, state, planned_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'planned', $15, $15)",
        tenant_id,
        new.client_id,
        run_id,
        remediation_id,
        new.alert_id,
        new.incident_id,
        new.host_id,
        new.check_id,
        new.target,
        new.rung,
        new.playbook_id,
        new.playbook_digest,
        new.parameters,
        new.mode,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    event(tx, new.client_id, run_id, None, State::Planned, "a mapping matched", json!({})).await?;
    tx.due(Queue::Remediate, now);
    Ok(run_id)
}

/// What the next rung of a ladder runs.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct NextRung {
    pub rung: i16,
    pub playbook_id: Uuid,
    pub playbook_digest: Vec<u8>,
    pub parameters: Value,
    pub mode: String,
}

/// The next rung of the remediation of `run_id`, a run of its own: planned and due now.
pub async fn plan_rung(tx: &mut TenantTx, run_id: Uuid, next: &NextRung, cause: &str) -> Result<Uuid> {
    let (tenant_id, now, new_id) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    let client_id = sqlx::query_scalar!(
        "INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung,
           playbook_id, playbook_digest, parameters, mode, state, planned_at, due_at)
         SELECT $1, client_id, $3, remediation_id, alert_id, incident_id, host_id, check_id, target, $4, $5, $6, $7, $8, 'planned', $9, $9
         FROM runs WHERE tenant_id = $1 AND run_id = $2 RETURNING client_id",
        tenant_id,
        run_id,
        new_id,
        next.rung,
        next.playbook_id,
        next.playbook_digest,
        next.parameters,
        next.mode,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    event(tx, client_id, new_id, None, State::Planned, cause, json!({ "after": run_id })).await?;
    tx.due(Queue::Remediate, now);
    Ok(new_id)
}

async fn event(
    tx: &mut TenantTx,
    client_id: Uuid,
    run_id: Uuid,
    from: Option<State>,
    to: State,
    cause: &str,
    detail: Value,
) -> Result<()> {
    let (tenant_id, now, actor) = (tx.tenant_id(), tx.now().await?, tx.actor().to_owned());
    sqlx::query!(
        "INSERT INTO run_events (tenant_id, client_id, run_id, seq, at, from_state, to_state, cause, detail, actor)
         VALUES ($1, $2, $3, (SELECT coalesce(max(seq), 0) + 1 FROM run_events WHERE tenant_id = $1 AND run_id = $3), $4, $5, $6, $7, $8, $9)",
        tenant_id,
        client_id,
        run_id,
        now.to_sqlx() as _,
        from.map(State::word),
        to.word(),
        cause,
        detail,
        actor
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Incident, client_id, None);
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
    if !may_go(from, to) {
        return Err(StoreError::Conflict(format!("run_edge_{}_{}", from.word(), to.word()), None));
    }
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let waits = matches!(to, State::Planned | State::Held);
    let row = sqlx::query!(
        "UPDATE runs SET state = $4::text, version = version + 1, due_at = $5::timestamptz,
           hold_reason = CASE WHEN $4 = 'held' THEN $6 ELSE hold_reason END,
           hold_until = CASE WHEN $4 = 'held' THEN $5::timestamptz ELSE NULL END,
           attempt = CASE WHEN $4 = 'admitted' THEN attempt + 1 ELSE attempt END,
           admitted_at = CASE WHEN $4 = 'admitted' THEN $7 ELSE admitted_at END,
           started_at = CASE WHEN $4 = 'running' THEN $7 ELSE started_at END,
           ended_at = CASE WHEN $8 THEN $7 ELSE NULL END,
           end_reason = CASE WHEN $8 THEN $6 ELSE end_reason END,
           lease_token = NULL, lease_expires_at = NULL, lease_count = 0
         WHERE tenant_id = $1 AND run_id = $2 AND state = $3 RETURNING client_id",
        tenant_id,
        run_id,
        from.word(),
        to.word(),
        waits.then(|| due_at.unwrap_or(now).to_sqlx()) as _,
        cause,
        now.to_sqlx() as _,
        to.is_end()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(false) };
    event(tx, row.client_id, run_id, Some(from), to, cause, detail).await?;
    if waits {
        tx.due(Queue::Remediate, due_at.unwrap_or(now));
    }
    Ok(true)
}

/// Finds a run.
pub async fn find(tx: &mut TenantTx, run_id: Uuid) -> Result<Option<Run>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Run,
        "SELECT run_id, client_id, alert_id, incident_id, host_id, check_id, rung, playbook_id, playbook_digest, mode, state, attempt
         FROM runs WHERE tenant_id = $1 AND run_id = $2",
        tenant_id,
        run_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Finds runs, each in the order of its id here; one that is not there is left out.
pub async fn list(tx: &mut TenantTx, run_ids: &[Uuid]) -> Result<Vec<Run>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        Run,
        "SELECT run_id, client_id, alert_id, incident_id, host_id, check_id, rung, playbook_id, playbook_digest, mode, state, attempt
         FROM runs WHERE tenant_id = $1 AND run_id = ANY ($2) ORDER BY array_position($2, run_id)",
        tenant_id,
        run_ids
    )
    .fetch_all(tx.conn())
    .await?)
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

/// Whether a run of the alert has not ended.
pub async fn has_unfinished(tx: &mut TenantTx, alert_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM runs WHERE tenant_id = $1 AND alert_id = $2 AND ended_at IS NULL) AS "e!""#,
        tenant_id,
        alert_id
    )
    .fetch_one(tx.conn())
    .await?)
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

/// A run that was permitted and has not ended.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its incident, where people read of it.
    pub incident_id: Uuid,
    /// The name of its host.
    pub host: String,
    /// The name of its playbook.
    pub playbook: String,
    /// When it was permitted.
    pub since: Timestamp,
}

/// Runs of a scope that have their permit, and so may be at work; the one that began first before the others.
pub async fn list_running(tx: &mut TenantTx, of: &Withdraw) -> Result<Vec<Running>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT r.incident_id, h.name AS host, p.name AS playbook, j.permitted_at AS "permitted_at!" FROM jobs j
           JOIN runs r ON r.tenant_id = $1 AND r.run_id = j.run_id
           JOIN hosts h ON h.tenant_id = $1 AND h.host_id = j.host_id
           JOIN playbooks p ON p.tenant_id = $1 AND p.playbook_id = r.playbook_id
         WHERE j.tenant_id = $1 AND j.state = 'permitted'
           AND ($2::uuid IS NULL OR j.host_id = $2) AND ($3::uuid IS NULL OR j.client_id = $3)
           AND ($4::bytea IS NULL OR r.playbook_digest = $4) ORDER BY j.permitted_at, r.run_id LIMIT 1000"#,
        tenant_id,
        of.host_id,
        of.client_id,
        of.digest
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Running {
            incident_id: row.incident_id,
            host: row.host,
            playbook: row.playbook,
            since: row.permitted_at.to_jiff(),
        })
        .collect())
}

/// Whose jobs are withdrawn: all that is given must hold; nothing given is the whole tenant.
#[derive(Debug, Clone, Default)]
pub struct Withdraw {
    /// Of this host.
    pub host_id: Option<Uuid>,
    /// Of this client.
    pub client_id: Option<Uuid>,
    /// Of this playbook version.
    pub digest: Option<Vec<u8>>,
    /// Of this purpose: `fix` leaves undos alone.
    pub purpose: Option<&'static str>,
}

impl Withdraw {
    /// All of one host.
    pub fn of_host(host_id: Uuid) -> Withdraw {
        Withdraw { host_id: Some(host_id), ..Withdraw::default() }
    }
}

/// Withdraws the jobs of a scope that have no permit; their runs are held again and decided anew, which gives their slots
/// back, and an undo among them has failed. The scope's bucket is locked.
pub async fn withdraw_unpermitted(tx: &mut TenantTx, of: &Withdraw, reason: &str) -> Result<u64> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let rows = sqlx::query!(
        "UPDATE jobs j SET state = 'withdrawn', ended_at = $5, lease_expires_at = NULL FROM runs r
         WHERE j.tenant_id = $1 AND r.tenant_id = $1 AND r.run_id = j.run_id AND j.state IN ('queued', 'leased') AND j.purpose <> 'diagnostics'
           AND ($2::uuid IS NULL OR j.host_id = $2) AND ($3::uuid IS NULL OR j.client_id = $3)
           AND ($4::bytea IS NULL OR r.playbook_digest = $4) AND ($6::text IS NULL OR j.purpose = $6)
         RETURNING j.run_id, j.purpose, j.host_id",
        tenant_id,
        of.host_id,
        of.client_id,
        of.digest,
        now.to_sqlx() as _,
        of.purpose
    )
    .fetch_all(tx.conn())
    .await?;
    for r in &rows {
        crate::host_links::wake(tx, r.host_id).await?;
        if r.purpose == "undo" {
            super::undo::mark_failed(tx, r.run_id, reason).await?;
        } else {
            advance(tx, r.run_id, State::Admitted, State::Held, reason, json!({}), Some(now)).await?;
        }
    }
    Ok(rows.len() as u64)
}

/// Hosts with a job that has no permit: of one mapping's runs, or of all.
pub async fn list_hosts_unpermitted(tx: &mut TenantTx, mapping_id: Option<Uuid>) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT j.host_id FROM jobs j JOIN runs r ON r.tenant_id = j.tenant_id AND r.run_id = j.run_id
           JOIN remediations m ON m.tenant_id = r.tenant_id AND m.remediation_id = r.remediation_id
         WHERE j.tenant_id = $1 AND j.state IN ('queued', 'leased') AND j.purpose = 'fix'
           AND ($2::uuid IS NULL OR m.mapping_id = $2) ORDER BY j.host_id",
        tenant_id,
        mapping_id
    )
    .fetch_all(tx.conn())
    .await?)
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

/// A leased run.
#[derive(Debug, Clone, Copy)]
pub struct Claimed {
    /// The run.
    pub run_id: Uuid,
    /// How often it was leased since it last changed its state, this time included.
    pub tries: i32,
}

/// Leases due runs (`planned` or `held`) until now + `lease`, longest waiting first.
pub async fn claim_due(tx: &mut TenantTx, limit: i64, lease: std::time::Duration) -> Result<Vec<Claimed>> {
    let (tenant_id, now, token) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    let until = now + lease;
    let claimed = sqlx::query_as!(
        Claimed,
        "WITH picked AS MATERIALIZED (SELECT run_id FROM runs WHERE tenant_id = $1 AND state IN ('planned', 'held') AND due_at <= $2
           AND (lease_expires_at IS NULL OR lease_expires_at < $2) ORDER BY due_at, planned_at LIMIT $3 FOR UPDATE SKIP LOCKED)
         UPDATE runs r SET lease_token = $4, lease_expires_at = $5, lease_count = lease_count + 1 FROM picked p
         WHERE r.tenant_id = $1 AND r.run_id = p.run_id RETURNING r.run_id, r.lease_count AS tries",
        tenant_id,
        now.to_sqlx() as _,
        limit,
        token,
        until.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    if !claimed.is_empty() {
        tx.due(Queue::Remediate, until);
    }
    Ok(claimed)
}

/// Runs that ended and whose admissions are not released yet.
pub async fn list_unreleased(tx: &mut TenantTx) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT r.run_id FROM runs r JOIN guardrail_admissions a ON a.tenant_id = r.tenant_id AND a.run_id = r.run_id
         WHERE r.tenant_id = $1 AND a.released_at IS NULL AND (r.ended_at IS NOT NULL OR r.state IN ('planned', 'held'))
         LIMIT 100",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
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

/// Whether a run of the client, or of any, is held by a storm now.
pub async fn is_held_by_storm(tx: &mut TenantTx, client_id: Option<Uuid>) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND r.state = 'held' AND ($2::uuid IS NULL OR r.client_id = $2)
             AND (SELECT e.detail ? 'storm' FROM run_events e WHERE e.tenant_id = $1 AND e.run_id = r.run_id
                  ORDER BY e.seq DESC LIMIT 1)) AS "is!""#,
        tenant_id,
        client_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// How often the mapping of this run has fixed something, this run included; counted up to `most`.
pub async fn count_fixed_by_mapping(tx: &mut TenantTx, run_id: Uuid, most: u64) -> Result<u64> {
    let tenant_id = tx.tenant_id();
    let n = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM (SELECT 1 FROM runs r
             JOIN remediations m ON m.tenant_id = r.tenant_id AND m.remediation_id = r.remediation_id
             JOIN remediations o ON o.tenant_id = r.tenant_id AND o.mapping_id = m.mapping_id AND o.outcome = 'fixed'
           WHERE r.tenant_id = $1 AND r.run_id = $2 LIMIT $3) n"#,
        tenant_id,
        run_id,
        most.cast_signed()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(n.cast_unsigned())
}
