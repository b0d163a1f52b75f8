//! Everything that one incident's page tells, as facts.

use domain::seconds::Seconds;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, TenantTx};

/// The incident.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Its id.
    pub incident_id: Uuid,
    /// Its client's id.
    pub client_id: Uuid,
    /// Its client's name.
    pub client: String,
    /// Its title.
    pub title: String,
    /// `warning` or `critical`.
    pub severity: String,
    /// `open`, `escalated` or `closed`.
    pub state: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// `fixed`, `recovered` or `by_person`.
    pub outcome: Option<String>,
    /// When a person was asked.
    pub escalated_at: Option<Timestamp>,
    /// Why.
    pub escalation_reason: Option<String>,
    /// Who has it: their login, their name, and since when.
    pub owner: Option<(Uuid, String, Timestamp)>,
}

/// The incident, if the scope may see it.
pub async fn find(tx: &mut TenantTx, incident_id: Uuid) -> Result<Option<Incident>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT i.client_id, c.name AS client, i.title, i.severity, i.state, i.opened_at, i.closed_at, i.outcome, i.escalated_at, i.escalation_reason, i.owner_login_id, i.owner, i.taken_at
         FROM incidents i JOIN clients c ON c.tenant_id = $1 AND c.client_id = i.client_id
         WHERE i.tenant_id = $1 AND i.incident_id = $2",
        tenant_id,
        incident_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| Incident {
        incident_id,
        client_id: r.client_id,
        client: r.client,
        title: r.title,
        severity: r.severity,
        state: r.state,
        opened_at: r.opened_at.to_jiff(),
        closed_at: r.closed_at.map(|at| at.to_jiff()),
        outcome: r.outcome,
        escalated_at: r.escalated_at.map(|at| at.to_jiff()),
        escalation_reason: r.escalation_reason,
        owner: match (r.owner_login_id, r.owner, r.taken_at) {
            (Some(login_id), Some(name), Some(at)) => Some((login_id, name, at.to_jiff())),
            _ => None,
        },
    }))
}

/// One alert, with the signal that raised it and what was seen.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its host.
    pub host_id: Uuid,
    /// The check's name.
    pub check: String,
    /// The check's definition.
    pub definition: Value,
    /// The target.
    pub target: String,
    /// `warning` or `critical`.
    pub severity: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// `fixed`, `recovered` or `by_person`.
    pub close_cause: Option<String>,
    /// When the raising signal was given.
    pub signalled_at: Option<Timestamp>,
    /// What the raising observation saw.
    pub seen: Option<Value>,
    /// When it was seen.
    pub observed_at: Option<Timestamp>,
    /// The decision record of that signal.
    pub detected: Option<Value>,
}

/// The incident's alerts, oldest first.
pub async fn list_alerts(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Alert>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT a.host_id, c.name AS check_name, c.definition, a.target, a.severity, a.opened_at, a.closed_at, a.close_cause,
             s.signalled_at AS "signalled_at?", o.seen AS "seen?", o.observed_at AS "observed_at?", d.record AS "detected?"
           FROM alerts a
           JOIN checks c ON c.tenant_id = $1 AND c.check_id = a.check_id
           LEFT JOIN LATERAL (SELECT s.signal_id, s.signalled_at, s.observation_id FROM signals s
             WHERE s.tenant_id = $1 AND s.host_id = a.host_id AND s.check_id = a.check_id AND s.target = a.target
               AND s.kind = 'raised' AND s.signalled_at <= a.opened_at ORDER BY s.state_version DESC LIMIT 1) s ON true
           LEFT JOIN observations o ON o.tenant_id = $1 AND o.observation_id = s.observation_id
           LEFT JOIN LATERAL (SELECT d.record FROM decisions d WHERE d.tenant_id = $1 AND d.subject_id = s.signal_id
             AND d.stage = 'detect' ORDER BY d.decided_at LIMIT 1) d ON true
           WHERE a.tenant_id = $1 AND a.incident_id = $2 ORDER BY a.opened_at, a.alert_id LIMIT 100"#,
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Alert {
            host_id: r.host_id,
            check: r.check_name,
            definition: r.definition,
            target: r.target,
            severity: r.severity,
            opened_at: r.opened_at.to_jiff(),
            closed_at: r.closed_at.map(|at| at.to_jiff()),
            close_cause: r.close_cause,
            signalled_at: r.signalled_at.map(|at| at.to_jiff()),
            seen: r.seen,
            observed_at: r.observed_at.map(|at| at.to_jiff()),
            detected: r.detected,
        })
        .collect())
}

/// One run with its playbook.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub run_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// The playbook's name.
    pub playbook: String,
    /// Its version.
    pub version: i32,
    /// The version's digest.
    pub digest: Vec<u8>,
    /// The version's content, canonical JSON.
    pub content: String,
    /// The version of the key that signed it.
    pub key_version: i32,
    /// Its state.
    pub state: String,
    /// Its mode.
    pub mode: String,
    /// Which rung of its ladder, from 1.
    pub rung: i16,
    /// Which attempt.
    pub attempt: i16,
    /// The target of the check.
    pub target: String,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// When it was admitted last.
    pub admitted_at: Option<Timestamp>,
    /// When it was permitted.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended so.
    pub end_reason: Option<String>,
    /// Why it is held.
    pub hold_reason: Option<String>,
    /// Until when.
    pub hold_until: Option<Timestamp>,
}

/// The incident's runs, oldest first.
pub async fn list_runs(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Run>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT r.run_id, r.host_id, p.name, v.version, v.digest, v.content, k.version AS key_version, r.state, r.mode, r.rung, r.attempt, r.target,
           r.planned_at, r.admitted_at, r.started_at, r.ended_at, r.end_reason, r.hold_reason, r.hold_until
         FROM runs r
         JOIN playbooks p ON p.tenant_id = $1 AND p.playbook_id = r.playbook_id
         JOIN playbook_versions v ON v.tenant_id = $1 AND v.digest = r.playbook_digest
         JOIN tenant_keys k ON k.tenant_id = $1 AND k.key_id = v.key_id
         WHERE r.tenant_id = $1 AND r.incident_id = $2 ORDER BY r.planned_at, r.rung, r.run_id LIMIT 100",
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Run {
            run_id: r.run_id,
            host_id: r.host_id,
            playbook: r.name,
            version: r.version,
            digest: r.digest,
            content: r.content,
            key_version: r.key_version,
            state: r.state,
            mode: r.mode,
            rung: r.rung,
            attempt: r.attempt,
            target: r.target,
            planned_at: r.planned_at.to_jiff(),
            admitted_at: r.admitted_at.map(|at| at.to_jiff()),
            started_at: r.started_at.map(|at| at.to_jiff()),
            ended_at: r.ended_at.map(|at| at.to_jiff()),
            end_reason: r.end_reason,
            hold_reason: r.hold_reason,
            hold_until: r.hold_until.map(|at| at.to_jiff()),
        })
        .collect())
}

/// One thing that happened to a run.
#[derive(Clone, Debug)]
pub struct RunEvent {
    /// The run.
    pub run_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// To which state.
    pub to_state: String,
    /// Why.
    pub cause: String,
    /// More of it.
    pub detail: Value,
    /// Who.
    pub actor: String,
}

/// What happened to the incident's runs, in order.
pub async fn list_run_events(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<RunEvent>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        RunEvent,
        "SELECT e.run_id, e.at, e.to_state, e.cause, e.detail, e.actor
         FROM run_events e JOIN runs r ON r.tenant_id = $1 AND r.run_id = e.run_id
         WHERE e.tenant_id = $1 AND r.incident_id = $2 ORDER BY e.at, e.run_id, e.seq LIMIT 1000",
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What a host said of a fix or an undo, and the output it sent with it.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// The run.
    pub run_id: Uuid,
    /// `fix` or `undo`.
    pub purpose: String,
    /// The attempt.
    pub attempt: i16,
    /// The signed body, JSON.
    pub body: String,
    /// When it came.
    pub received_at: Timestamp,
    /// The output, in order.
    pub output: Vec<u8>,
}

/// The results of the incident's runs, fixes and undos; at most 256 KiB of output of each are read for a page.
pub async fn list_results(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<JobResult>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        JobResult,
        r#"SELECT j.run_id, j.purpose, j.attempt, j.body, j.received_at,
             coalesce((SELECT string_agg(o.bytes, ''::bytea ORDER BY o.byte_offset) FROM run_output o
               WHERE o.tenant_id = $1 AND o.run_id = j.run_id AND o.purpose = j.purpose AND o.leg = j.leg
                 AND o.attempt = j.attempt AND o.byte_offset < 262144), ''::bytea) AS "output!"
           FROM job_results j JOIN runs r ON r.tenant_id = $1 AND r.run_id = j.run_id
           WHERE j.tenant_id = $1 AND r.incident_id = $2 AND j.purpose IN ('fix', 'undo') ORDER BY j.received_at, j.run_id, j.attempt LIMIT 100"#,
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// One verification.
#[derive(Clone, Debug)]
pub struct Verification {
    /// The run.
    pub run_id: Uuid,
    /// `fix` or `undo`.
    pub purpose: String,
    /// The phase.
    pub phase: String,
    /// When it is looked at next.
    pub due_at: Option<Timestamp>,
    /// How long before the first look.
    pub settle: Seconds,
    /// How long it must stay ok.
    pub stable: Seconds,
    /// When it was first ok.
    pub first_ok_at: Option<Timestamp>,
    /// The outcome, once judged.
    pub outcome: Option<String>,
    /// When it was judged.
    pub ended_at: Option<Timestamp>,
    /// When the run was handed over to be verified.
    pub started_at: Option<Timestamp>,
}

/// The verifications of the incident's runs.
pub async fn list_verifications(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Verification>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT v.run_id, v.purpose, v.phase, v.due_at, coalesce(v.settle_ms, v.settle_secs * 1000) AS "settle_ms!",
             coalesce(v.stable_ms, v.stable_secs * 1000) AS "stable_ms!", v.first_ok_at, v.outcome, v.ended_at, e.at AS "at?"
           FROM verifications v JOIN runs r ON r.tenant_id = $1 AND r.run_id = v.run_id
           LEFT JOIN LATERAL (SELECT e.at FROM run_events e WHERE e.tenant_id = $1 AND e.run_id = v.run_id
             AND e.to_state = CASE v.purpose WHEN 'undo' THEN 'undoing' ELSE 'verifying' END ORDER BY e.seq DESC LIMIT 1) e ON true
           WHERE v.tenant_id = $1 AND r.incident_id = $2 ORDER BY v.run_id, v.attempt LIMIT 100"#,
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Verification {
            run_id: r.run_id,
            purpose: r.purpose,
            phase: r.phase,
            due_at: r.due_at.map(|at| at.to_jiff()),
            settle: Seconds::millis(r.settle_ms.unsigned_abs()),
            stable: Seconds::millis(r.stable_ms.unsigned_abs()),
            first_ok_at: r.first_ok_at.map(|at| at.to_jiff()),
            outcome: r.outcome,
            ended_at: r.ended_at.map(|at| at.to_jiff()),
            started_at: r.at.map(|at| at.to_jiff()),
        })
        .collect())
}

/// One mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To whom.
    pub address: String,
    /// Its subject.
    pub subject: String,
    /// `queued`, `sent`, `failed` or `withdrawn`.
    pub state: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent or given up.
    pub ended_at: Option<Timestamp>,
    /// What the mail server said last.
    pub last_error: Option<String>,
}

/// The mails about an incident that were composed and not withdrawn.
pub async fn list_mails(tx: &mut TenantTx, incident_id: Uuid) -> Result<Vec<Mail>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT address, subject AS "subject!", state, created_at, ended_at, last_error FROM outbox
         WHERE tenant_id = $1 AND incident_id = $2 AND state <> 'withdrawn' AND subject IS NOT NULL ORDER BY created_at, outbox_id LIMIT 200"#,
        tenant_id,
        incident_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Mail {
            address: r.address,
            subject: r.subject,
            state: r.state,
            created_at: r.created_at.to_jiff(),
            ended_at: r.ended_at.map(|at| at.to_jiff()),
            last_error: r.last_error,
        })
        .collect())
}
