//! Table `approvals`: a member's recorded yes or no, bound to the digest of exactly one planned run.

use domain::access::{Act, Role};
use domain::remediate::approval::{LIVES, lapses_after};
use domain::run::State;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::runs::{self, Run};
use crate::audit::{self, Entry};
use crate::classify::incidents;
use crate::{Result, Store, StoreError, TenantTx};

/// What exactly is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// SHA-256 of the plan: run, rung, playbook version, parameters, host, check and target.
    pub digest: [u8; 32],
    /// The playbook's parameters.
    pub parameters: Value,
    /// When it was asked last.
    pub asked_at: Option<Timestamp>,
    /// When no answer becomes a no.
    pub lapses_at: Option<Timestamp>,
}

/// The plan of a run, as it stands in the rows now.
pub async fn find_plan(tx: &mut TenantTx, run_id: Uuid) -> Result<Option<Plan>> {
    Ok(list_plans(tx, &[run_id]).await?.pop().map(|(_, plan)| plan))
}

/// The plans of these runs, as they stand in the rows now.
pub async fn list_plans(tx: &mut TenantTx, run_ids: &[Uuid]) -> Result<Vec<(Uuid, Plan)>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT r.run_id, r.rung, r.playbook_digest, r.parameters, r.host_id, r.check_id, r.target, i.severity,
             (SELECT max(e.at) FROM run_events e WHERE e.tenant_id = r.tenant_id AND e.run_id = r.run_id AND e.to_state = 'awaiting_approval')
               AS asked_at
           FROM runs r JOIN incidents i ON i.tenant_id = r.tenant_id AND i.incident_id = r.incident_id
           WHERE r.tenant_id = $1 AND r.run_id = ANY($2)"#,
        tenant_id,
        run_ids
    )
    .fetch_all(tx.conn())
    .await?;
    let mut plans = Vec::with_capacity(rows.len());
    for r in rows {
        let run_id = r.run_id;
        let text = keys::to_canonical(&json!({
            "tenant_id": tenant_id, "run_id": run_id, "rung": r.rung, "playbook": hex::encode(&r.playbook_digest),
            "parameters": r.parameters, "host_id": r.host_id, "check_id": r.check_id, "target": r.target,
        }))
        .map_err(|_| StoreError::Corrupt { table: "runs", column: "parameters", id: run_id })?;
        let asked_at = r.asked_at.map(|at| at.to_jiff());
        let plan = Plan {
            digest: keys::digest(text.as_bytes()).0,
            parameters: r.parameters,
            asked_at,
            lapses_at: asked_at.map(|at| at + lapses_after(r.severity == "critical")),
        };
        plans.push((run_id, plan));
    }
    Ok(plans)
}

/// What the person says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it may run.
    pub yes: bool,
    /// In the person's words.
    pub reason: String,
    /// The plan that the person saw.
    pub plan: [u8; 32],
    /// The member's login.
    pub login_id: Uuid,
    /// The member's name.
    pub by: String,
}

/// Stores the answer and lets the run be decided anew, or ends it. False when it does not wait any more or is not
/// what the person saw: roll back then. A yes takes no slot; whether every limit has room is decided afterwards.
pub async fn answer(tx: &mut TenantTx, run: &Run, answer: &Answer) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let Some(plan) = find_plan(tx, run.run_id).await? else { return Ok(false) };
    if plan.digest != answer.plan || plan.lapses_at.is_none_or(|at| at <= now) {
        return Ok(false);
    }
    let said = if answer.yes { "yes" } else { "no" };
    let to = if answer.yes { State::Planned } else { State::Denied };
    let cause = match (answer.yes, answer.reason.is_empty()) {
        (true, true) => format!("{} said yes", answer.by),
        (true, false) => format!("{} said yes: {}", answer.by, answer.reason),
        (false, _) => format!("{} said no: {}", answer.by, answer.reason),
    };
    let detail = json!({ "answer": said, "by": answer.by, "reason": answer.reason, "plan": hex::encode(plan.digest) });
    if !runs::advance(tx, run.run_id, State::AwaitingApproval, to, &cause, detail.clone(), Some(now)).await? {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO approvals (tenant_id, client_id, approval_id, run_id, plan_digest, login_id, answer, reason, answered_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tenant_id,
        run.client_id,
        Store::new_id(),
        run.run_id,
        &plan.digest[..],
        answer.login_id,
        said,
        answer.reason,
        now.to_sqlx() as _,
        (now + LIVES).to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let (was, is) = (json!({ "state": State::AwaitingApproval.word() }), json!({ "state": to.word() }));
    let entry = Entry::changed("run.answered", ("run", run.run_id), was, is);
    audit::insert(tx, Some(run.client_id), entry.with(detail)).await?;
    if !answer.yes {
        runs::close_remediation(tx, run.run_id, "denied").await?;
        incidents::mark_escalated(tx, run.incident_id, &format!("{cause}. Nothing was touched.")).await?;
    }
    Ok(true)
}

/// Who said yes to the run as it stands in the rows now, if that yes still counts: it is not too old, and whoever gave it
/// could give it now.
pub async fn find_yes(tx: &mut TenantTx, run_id: Uuid) -> Result<Option<String>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let Some(plan) = find_plan(tx, run_id).await? else { return Ok(None) };
    let rows = sqlx::query!(
        "SELECT m.name, m.role FROM approvals a JOIN memberships m ON m.tenant_id = a.tenant_id AND m.login_id = a.login_id
         WHERE a.tenant_id = $1 AND a.run_id = $2 AND a.plan_digest = $3 AND a.answer = 'yes' AND a.expires_at > $4
           AND (m.client_ids IS NULL OR a.client_id = ANY (m.client_ids))
         ORDER BY a.answered_at DESC",
        tenant_id,
        run_id,
        &plan.digest[..],
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    let may = |role: &str| Role::parse(role).is_some_and(|role| role.may(Act::Approve));
    Ok(rows.into_iter().find(|row| may(&row.role)).map(|row| row.name))
}

/// Runs that wait for an answer since before their time, with the critical ones' and the others' latest ask.
pub async fn list_lapsed(tx: &mut TenantTx) -> Result<Vec<Uuid>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let (critical, other) = (now - lapses_after(true), now - lapses_after(false));
    Ok(sqlx::query_scalar!(
        "SELECT r.run_id FROM runs r JOIN incidents i ON i.tenant_id = r.tenant_id AND i.incident_id = r.incident_id
         WHERE r.tenant_id = $1 AND r.state = 'awaiting_approval'
           AND (SELECT max(e.at) FROM run_events e WHERE e.tenant_id = $1 AND e.run_id = r.run_id AND e.to_state = 'awaiting_approval')
             <= CASE WHEN i.severity = 'critical' THEN $2::timestamptz ELSE $3::timestamptz END
         LIMIT 100",
        tenant_id,
        critical.to_sqlx() as _,
        other.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?)
}
