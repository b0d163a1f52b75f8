//! What operators do, each with its entry in the platform's audit, and in that of the organization it is done to, in the same
//! transaction.

use domain::quota::Plan;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, link_at};
use crate::nodes::DEAD_AFTER;
use crate::people::plans;
use crate::{Origin, Queue, Result, Store, SystemTx};

/// Who acts, and from where.
#[derive(Clone, Debug)]
pub struct Did {
    /// The operator's login and address.
    pub actor: String,
    /// Where the request came from.
    pub origin: Origin,
}

pub(super) async fn note(
    tx: &mut SystemTx,
    did: &Did,
    action: &str,
    organization: Option<Uuid>,
    detail: Value,
) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO platform_audit (audit_id, at, actor, action, organization, detail, source, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        Store::new_id(),
        now.to_sqlx() as _,
        did.actor,
        action,
        organization,
        detail,
        did.origin.address.map(|address| address.to_canonical().to_string()),
        did.origin.request_id
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes the same into the organization's own audit: that it was the operator, and not who.
async fn tell(tx: &mut SystemTx, did: &Did, entry: audit::Entry<'_>) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "SELECT maintenance.note_operator($1, $2, $3, $4, $5, $6, $7, $8)",
        entry.subject_id,
        entry.action,
        entry.detail,
        entry.before,
        entry.after,
        now.to_sqlx() as _,
        link_at(now).to_sqlx() as _,
        did.origin.request_id
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Suspends an active organization, or lets the members of a suspended one in again. False: it is not in the state for it.
/// The loops stop the actions of one that is suspended, and nobody here lets them go on.
pub async fn set_state(store: &Store, tenant_id: Uuid, to: &str, reason: &str, did: &Did) -> Result<bool> {
    let from = if to == "suspended" { "active" } else { "suspended" };
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let done = sqlx::query!("UPDATE tenants SET state = $2 WHERE tenant_id = $1 AND state = $3", tenant_id, to, from)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let (subject, was, is) = (("tenant", tenant_id), json!({ "state": from }), json!({ "state": to }));
    let entry = match to {
        "suspended" => audit::Entry::changed("organization.suspended", subject, was, is),
        _ => audit::Entry::changed("organization.resumed", subject, was, is),
    };
    note(&mut tx, did, entry.action, Some(tenant_id), json!({ "reason": reason })).await?;
    tell(&mut tx, did, entry.with(json!({ "reason": reason }))).await?;
    sqlx::query!(
        "INSERT INTO tenant_wakeups (tenant_id, queue, due_at) VALUES ($1, $2, $3)",
        tenant_id,
        Queue::Sweep.name(),
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Sweep);
    store.wake().wake(Queue::Audit);
    Ok(true)
}

/// Gives an organization a plan. False: there is no such plan, or no such organization.
pub async fn give_plan(store: &Store, tenant_id: Uuid, plan: &str, did: &Did) -> Result<bool> {
    let mut tx = store.system().await?;
    let known = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM plans WHERE plan = $1) AS "is!""#, plan)
        .fetch_one(tx.conn())
        .await?;
    if !known {
        return Ok(false);
    }
    let Some(was) = plans::set_in(tx.conn(), tenant_id, plan).await? else { return Ok(false) };
    note(&mut tx, did, "organization.plan", Some(tenant_id), json!({ "plan": plan })).await?;
    let (was, is) = (json!({ "plan": was }), json!({ "plan": plan }));
    tell(&mut tx, did, audit::Entry::changed("organization.plan", ("tenant", tenant_id), was, is)).await?;
    tx.commit().await?;
    store.wake().wake(Queue::Audit);
    Ok(true)
}

/// Every organization's sweep and every link looks again: what holds for all of them has changed.
pub(super) async fn wake_everything(tx: &mut SystemTx) -> Result<()> {
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO tenant_wakeups (tenant_id, queue, due_at) SELECT t.tenant_id, q.queue, $1 FROM tenants t
         CROSS JOIN (SELECT $3::text AS queue UNION ALL SELECT 'dispatch@' || n.node_id FROM nodes n WHERE n.seen_at > $2) AS q
         WHERE t.state IN ('active', 'suspended')",
        now.to_sqlx() as _,
        (now - DEAD_AFTER).to_sqlx() as _,
        Queue::Sweep.name()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Sets or ends the platform's own brake.
pub async fn set_brake(store: &Store, is_on: bool, reason: &str, did: &Did) -> Result<bool> {
    let mut tx = store.system().await?;
    let done = sqlx::query!("UPDATE platform_state SET frozen = $1, version = version + 1 WHERE frozen <> $1", is_on)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let action = if is_on { "platform.stopped" } else { "platform.released" };
    note(&mut tx, did, action, None, json!({ "reason": reason })).await?;
    wake_everything(&mut tx).await?;
    tx.commit().await?;
    store.wake().wake_everywhere(Queue::Sweep);
    Ok(true)
}

/// The plans there are, by name.
pub async fn list_plans(store: &Store) -> Result<Vec<Plan>> {
    let mut tx = store.system().await?;
    plans::list_in(tx.conn()).await
}

/// An entry of the platform's audit.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To which organization.
    pub organization: Option<Uuid>,
    /// More about it.
    pub detail: Value,
}

/// The newest entries.
pub async fn list_audit(store: &Store, limit: i64) -> Result<Vec<Entry>> {
    let mut tx = store.system().await?;
    let rows = sqlx::query!(
        "SELECT at, actor, action, organization, detail FROM platform_audit ORDER BY at DESC, audit_id DESC LIMIT $1",
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Entry {
            at: r.at.to_jiff(),
            actor: r.actor,
            action: r.action,
            organization: r.organization,
            detail: r.detail,
        })
        .collect())
}
