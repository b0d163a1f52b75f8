//! Table `verifications`: one row a run and attempt that is being verified.

use std::time::Duration;

use domain::seconds::Seconds;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use super::neighbours;
use crate::detect::check_requests;
use crate::detect::check_states::Subject;
use crate::error::exactly_one;
use crate::live::Kind;
use crate::{Queue, Result, Store, TenantTx};

/// A host that has not answered in this time cannot tell.
const ANSWER: Duration = Duration::from_secs(30);
/// The host's other checks are looked at this long before the end of the stability window, or in its last fifth if that is
/// shorter, so that the verdict does not wait for many looks at once. What they say by themselves till then counts too.
const AHEAD: SignedDuration = SignedDuration::from_secs(2);

/// A verification that has come due.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the columns' names")]
pub struct Due {
    pub run_id: Uuid,
    /// `fix` or `undo`.
    pub purpose: String,
    pub attempt: i16,
    pub client_id: Uuid,
    pub host_id: Uuid,
    pub alert_id: Uuid,
    pub incident_id: Uuid,
    pub check_id: Uuid,
    pub check: String,
    pub target: String,
    pub phase: String,
    pub settle: Seconds,
    pub stable: Seconds,
    pub first_ok_at: Option<Timestamp>,
    /// Its question is placed.
    pub is_asked: bool,
    /// The verdict of the answer to the question of this phase.
    pub answer: Option<String>,
    /// What the answer saw.
    pub seen: Option<Value>,
    /// It was in doubt whether the run ran, or how far.
    pub was_in_doubt: bool,
    /// The check turned bad between the first look and now.
    pub bad_since_first: bool,
    /// The job's last step ended with 0; only an undo is judged by it too.
    pub exited_ok: bool,
}

/// Begins to verify a run's fix or undo that has just ended, with the settle time and stability window of its
/// mapping; 2 s and 2 min, a service's defaults, where it says none. The first question is placed for the end of the settle
/// time; a fix that looks good needs the host's other checks at the end of its window only.
pub async fn insert(tx: &mut TenantTx, run_id: Uuid, purpose: &str, exited_ok: bool) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let run = sqlx::query!(
        r#"SELECT r.client_id, r.host_id, r.check_id, r.target, r.attempt, (w.settle * 1000)::int AS "settle_ms!", (w.stable * 1000)::int AS "stable_ms!",
             ceil(w.settle)::int AS "settle_secs!", ceil(w.stable)::int AS "stable_secs!"
         FROM runs r JOIN remediations m ON m.tenant_id = r.tenant_id AND m.remediation_id = r.remediation_id
           JOIN mapping_versions v ON v.tenant_id = m.tenant_id AND v.mapping_id = m.mapping_id AND v.version = m.mapping_version
           CROSS JOIN LATERAL (SELECT coalesce((v.definition->'verify'->>'settle_secs')::numeric, 2) AS settle,
             coalesce((v.definition->'verify'->>'stable_secs')::numeric, 120) AS stable) w
         WHERE r.tenant_id = $1 AND r.run_id = $2"#,
        tenant_id,
        run_id
    )
    .fetch_one(tx.conn())
    .await?;
    let at = now + SignedDuration::from_millis(i64::from(run.settle_ms));
    if purpose == "undo" {
        neighbours::ask(tx, run_id, run.attempt, at, ANSWER).await?;
    }
    let subject =
        Subject { client_id: run.client_id, host_id: run.host_id, check_id: run.check_id, target: run.target };
    let (request_id, due_at) = check_requests::insert(tx, &subject, "verify", at, ANSWER).await?;
    sqlx::query!(
        "INSERT INTO verifications (tenant_id, client_id, run_id, purpose, exited_ok, attempt, phase, due_at, request_id, settle_ms, stable_ms, settle_secs, stable_secs)
         VALUES ($1, $2, $3, $4, $5, $6, 'asked_first', $7, $8, $9, $10, $11, $12)",
        tenant_id,
        run.client_id,
        run_id,
        purpose,
        exited_ok,
        run.attempt,
        due_at.to_sqlx() as _,
        request_id,
        run.settle_ms,
        run.stable_ms,
        run.settle_secs,
        run.stable_secs
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether a phase's time has come, or its question is answered, and nobody works on it.
pub async fn has_due(tx: &mut TenantTx) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM verifications v WHERE v.tenant_id = $1 AND v.due_at IS NOT NULL
             AND (v.due_at <= $2 OR EXISTS (SELECT 1 FROM check_requests q WHERE q.tenant_id = $1 AND q.request_id = v.request_id
                    AND q.answered_at IS NOT NULL AND v.phase IN ('asked_first', 'asked_again')))
             AND (v.lease_expires_at IS NULL OR v.lease_expires_at < $2)) AS "due!""#,
        tenant_id,
        now.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Leases what is due: a phase's time has come, or its question and those to the neighbours are answered.
pub async fn claim_due(tx: &mut TenantTx, limit: i64, lease: Duration) -> Result<Vec<Due>> {
    let (tenant_id, now, token) = (tx.tenant_id(), tx.now().await?, Store::new_id());
    // Nobody is told of a lease: one that a crash takes back is as if it had never been.
    tx.commit_soon().await?;
    let until = now + lease;
    let rows = sqlx::query!(
        r#"WITH picked AS MATERIALIZED (SELECT v.run_id, v.purpose, v.attempt FROM verifications v WHERE v.tenant_id = $1 AND v.due_at IS NOT NULL
             AND (v.due_at <= $2 OR EXISTS (SELECT 1 FROM check_requests q WHERE q.tenant_id = $1 AND q.request_id = v.request_id
                    AND q.answered_at IS NOT NULL AND v.phase IN ('asked_first', 'asked_again'))
               AND NOT EXISTS (SELECT 1 FROM run_neighbours n JOIN check_requests q ON q.tenant_id = n.tenant_id AND q.request_id = n.request_id
                    WHERE n.tenant_id = $1 AND n.run_id = v.run_id AND n.attempt = v.attempt AND q.answered_at IS NULL AND q.expires_at > $2))
             AND (v.lease_expires_at IS NULL OR v.lease_expires_at < $2) ORDER BY v.due_at LIMIT $3 FOR UPDATE SKIP LOCKED),
           leased AS (UPDATE verifications v SET lease_token = $4, lease_expires_at = $5, lease_count = v.lease_count + 1 FROM picked p
             WHERE v.tenant_id = $1 AND v.run_id = p.run_id AND v.purpose = p.purpose AND v.attempt = p.attempt RETURNING v.*)
           SELECT l.run_id, l.purpose, l.exited_ok, l.attempt, l.client_id, r.host_id, r.alert_id, r.incident_id, r.check_id, k.name AS check_name, r.target, l.phase,
             coalesce(l.settle_ms, l.settle_secs * 1000) AS "settle_ms!", coalesce(l.stable_ms, l.stable_secs * 1000) AS "stable_ms!", l.first_ok_at, l.request_id IS NOT NULL AS "is_asked!", o.verdict AS "answer?", o.seen AS "seen?",
             EXISTS (SELECT 1 FROM run_events e WHERE e.tenant_id = $1 AND e.run_id = r.run_id AND e.to_state = 'unknown') AS "was_in_doubt!",
             EXISTS (SELECT 1 FROM observations b WHERE b.tenant_id = $1 AND b.host_id = r.host_id AND b.check_id = r.check_id
               AND b.target = r.target AND b.received_at > l.first_ok_at AND b.verdict IN ('warning', 'critical')) AS "bad_since_first!"
           FROM leased l JOIN runs r ON r.tenant_id = l.tenant_id AND r.run_id = l.run_id
             JOIN checks k ON k.tenant_id = r.tenant_id AND k.check_id = r.check_id
             LEFT JOIN observations o ON o.tenant_id = l.tenant_id AND o.request_id = l.request_id"#,
        tenant_id,
        now.to_sqlx() as _,
        limit,
        token,
        until.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    if !rows.is_empty() {
        tx.due(Queue::Verify, until);
    }
    Ok(rows
        .into_iter()
        .map(|r| Due {
            run_id: r.run_id,
            purpose: r.purpose,
            exited_ok: r.exited_ok,
            attempt: r.attempt,
            client_id: r.client_id,
            host_id: r.host_id,
            alert_id: r.alert_id,
            incident_id: r.incident_id,
            check_id: r.check_id,
            check: r.check_name,
            target: r.target,
            phase: r.phase,
            settle: Seconds::millis(r.settle_ms.unsigned_abs()),
            stable: Seconds::millis(r.stable_ms.unsigned_abs()),
            first_ok_at: r.first_ok_at.map(|t| t.to_jiff()),
            is_asked: r.is_asked,
            answer: r.answer,
            seen: r.seen,
            was_in_doubt: r.was_in_doubt,
            bad_since_first: r.bad_since_first,
        })
        .collect())
}

/// Asks once more at `at`, and the host's other checks a little before. It goes on when all have answered, or at the end
/// of [`ANSWER`].
pub async fn ask_again(tx: &mut TenantTx, due: &Due, at: Timestamp, first_ok_at: Option<Timestamp>) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let now = tx.now().await?;
    let ahead = (due.stable.span() / 5).min(AHEAD);
    neighbours::ask(tx, due.run_id, due.attempt, (at - ahead).max(now), ANSWER).await?;
    let (client_id, host_id, check_id, target) = (due.client_id, due.host_id, due.check_id, due.target.clone());
    let subject = Subject { client_id, host_id, check_id, target };
    let (request_id, due_at) = check_requests::insert(tx, &subject, "verify", at, ANSWER).await?;
    let done = sqlx::query!(
        "UPDATE verifications SET phase = 'asked_again', due_at = $4, request_id = $5, first_ok_at = $6, lease_token = NULL, lease_expires_at = NULL
         WHERE tenant_id = $1 AND run_id = $2 AND attempt = $3 AND phase = $7 AND purpose = $8",
        tenant_id,
        due.run_id,
        due.attempt,
        due_at.to_sqlx() as _,
        request_id,
        first_ok_at.map(|t| t.to_sqlx()) as _,
        due.phase,
        due.purpose
    )
    .execute(tx.conn())
    .await?;
    exactly_one("verifications::ask_again", done.rows_affected())?;
    tx.changes(Kind::Incident, due.client_id, due.incident_id);
    Ok(())
}

/// Ends it.
pub async fn mark_ended(tx: &mut TenantTx, due: &Due, outcome: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE verifications SET phase = 'ended', due_at = NULL, ended_at = $4, outcome = $5, lease_token = NULL, lease_expires_at = NULL
         WHERE tenant_id = $1 AND run_id = $2 AND attempt = $3 AND phase = $6 AND purpose = $7",
        tenant_id,
        due.run_id,
        due.attempt,
        now.to_sqlx() as _,
        outcome,
        due.phase,
        due.purpose
    )
    .execute(tx.conn())
    .await?;
    exactly_one("verifications::mark_ended", done.rows_affected())
}
