//! A host that is cut off: its key opens nothing any more, its link ends, and what was open about it ends with it.

use domain::remediate::guardrails::BucketKind;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use crate::classify::{alerts, incidents};
use crate::live::Kind;
use crate::remediate::guardrails;
use crate::remediate::runs::{self, Withdraw};
use crate::{Queue, Result, TenantTx, audit, credentials, host_links};

/// Why what was open ended, as people read it.
const CAUSE: &str = "the host was retired";

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// It is retired.
    Yes,
    /// It was before.
    Before,
    /// A fix is at work there, or nobody knows whether one is: roll back then.
    AtWork,
}

/// Retires a host: its keys open nothing, its link ends, its name is free, its checks have no state, its incidents are
/// closed, and what waits to run there never does. What began must have ended before.
/// Locks: the host's bucket, so that nothing is admitted meanwhile, its link, its open alerts, jobs, runs, host.
pub async fn retire(tx: &mut TenantTx, client_id: Uuid, host_id: Uuid) -> Result<Retired> {
    let key = host_id.to_string();
    guardrails::ensure(tx, BucketKind::Host, &key).await?;
    guardrails::lock_one(tx, BucketKind::Host, &key).await?;
    host_links::wake_all(tx, None, Some(host_id)).await?;
    host_links::mark_replaced(tx, host_id).await?;
    list_open_alerts(tx, host_id).await?;
    runs::withdraw_unpermitted(tx, &Withdraw::of_host(host_id), CAUSE).await?;
    // What could still be permitted was just taken back, so what is at work now is all there will be.
    if is_at_work(tx, host_id).await? {
        return Ok(Retired::AtWork);
    }
    let Some(name) = mark_retired(tx, host_id).await? else { return Ok(Retired::Before) };
    end_questions(tx, host_id).await?;
    let closed = close_incidents(tx, host_id).await?;
    credentials::revoke_host_keys(tx, host_id).await?;
    let now = tx.now().await?;
    tx.due(Queue::Remediate, now);
    tx.changes(Kind::Host, client_id, host_id);
    let detail = json!({ "name": name, "incidents_closed": closed });
    audit::insert(tx, client_id, "host.retired", "host", host_id, detail).await?;
    Ok(Retired::Yes)
}

/// The host's open alerts, locked.
async fn list_open_alerts(tx: &mut TenantTx, host_id: Uuid) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT alert_id FROM alerts WHERE tenant_id = $1 AND host_id = $2 AND state = 'open' ORDER BY alert_id FOR UPDATE",
        tenant_id,
        host_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Whether something began there that has not ended.
async fn is_at_work(tx: &mut TenantTx, host_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT (EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND r.host_id = $2 AND r.state IN ('admitted', 'running', 'unknown', 'verifying', 'undoing'))
             OR EXISTS (SELECT 1 FROM jobs j WHERE j.tenant_id = $1 AND j.host_id = $2 AND j.state = 'permitted')) AS "is!""#,
        tenant_id,
        host_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The host is retired, and its name is another one; answers the name it had. None: it was retired before.
async fn mark_retired(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<String>> {
    let tenant_id = tx.tenant_id();
    let name = sqlx::query_scalar!(
        "SELECT name FROM hosts WHERE tenant_id = $1 AND host_id = $2 AND state <> 'retired' FOR UPDATE",
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    if name.is_some() {
        sqlx::query!(
            "UPDATE hosts SET state = 'retired', quarantine_reason = NULL, quarantined_at = NULL, name = left(name, 150) || ' (retired ' || host_id || ')'
             WHERE tenant_id = $1 AND host_id = $2",
            tenant_id,
            host_id
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(name)
}

/// Nothing is asked of it any more, neither by a check nor by a person, and no machine claims to be it.
async fn end_questions(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!("DELETE FROM probes WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id)
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM host_claims WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id)
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM check_states WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "UPDATE check_requests SET expires_at = $3 WHERE tenant_id = $1 AND host_id = $2 AND answered_at IS NULL AND expires_at > $3",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE diagnostics SET expires_at = $3 WHERE tenant_id = $1 AND host_id = $2 AND answered_at IS NULL AND expires_at > $3",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends its alerts with what waits to be done about them, and closes every incident that no other host has a part in;
/// answers how many.
async fn close_incidents(tx: &mut TenantTx, host_id: Uuid) -> Result<usize> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    // Whoever works on one of these signals now fails on its row, and finds it done.
    sqlx::query!(
        "UPDATE signals SET done_at = $3, lease_token = NULL, lease_expires_at = NULL WHERE tenant_id = $1 AND host_id = $2 AND done_at IS NULL",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    // Read once more: a signal may have become an alert while its row was waited for.
    for alert_id in list_open_alerts(tx, host_id).await? {
        runs::cancel_waiting(tx, alert_id, CAUSE).await?;
        alerts::mark_closed(tx, alert_id, "by_person").await?;
    }
    let over = sqlx::query_scalar!(
        "SELECT i.incident_id FROM incidents i WHERE i.tenant_id = $1 AND i.state <> 'closed'
           AND i.incident_id IN (SELECT a.incident_id FROM alerts a WHERE a.tenant_id = $1 AND a.host_id = $2)
           AND NOT EXISTS (SELECT 1 FROM alerts o WHERE o.tenant_id = $1 AND o.incident_id = i.incident_id AND o.state = 'open')
         ORDER BY i.incident_id FOR UPDATE OF i",
        tenant_id,
        host_id
    )
    .fetch_all(tx.conn())
    .await?;
    for incident_id in &over {
        incidents::mark_closed(tx, *incident_id, "by_person").await?;
    }
    Ok(over.len())
}
