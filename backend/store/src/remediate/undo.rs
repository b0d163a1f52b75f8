//! Undos: which are wanted, and how one ends that did not work.

use domain::run::State;
use serde_json::json;
use uuid::Uuid;

use super::runs;
use crate::audit::{self, Entry};
use crate::classify::alerts;
use crate::{Result, TenantTx, notify};

/// Runs to be undone that no undo was decided on.
pub async fn list_wanted(tx: &mut TenantTx) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT r.run_id FROM runs r WHERE r.tenant_id = $1 AND r.state = 'undoing'
           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.tenant_id = $1 AND j.run_id = r.run_id AND j.purpose = 'undo')
         ORDER BY r.started_at LIMIT 100",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Whether a run is still to be undone; asked again under the buckets' locks, for another worker may have decided.
pub async fn is_wanted(tx: &mut TenantTx, run_id: Uuid) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND r.run_id = $2 AND r.state = 'undoing'
             AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.tenant_id = $1 AND j.run_id = r.run_id AND j.purpose = 'undo')) AS "is!""#,
        tenant_id,
        run_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// How the fix of a run was judged: `not_fixed` or `made_worse`, where it is undone.
pub async fn find_verdict(tx: &mut TenantTx, run_id: Uuid) -> Result<Option<String>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT outcome AS "outcome!" FROM verifications
           WHERE tenant_id = $1 AND run_id = $2 AND purpose = 'fix' AND outcome IS NOT NULL ORDER BY attempt DESC LIMIT 1"#,
        tenant_id,
        run_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The undo did not work, or could not be tried: it is never tried again, and a person is called. `why` is a clause
/// ("the host refused it"). Locks the alert before the run, as everybody does.
pub async fn mark_failed(tx: &mut TenantTx, run_id: Uuid, why: &str) -> Result<()> {
    let Some(run) = runs::find(tx, run_id).await? else { return Ok(()) };
    let alert = alerts::find(tx, run.alert_id).await?;
    if !runs::advance(tx, run_id, State::Undoing, State::UndoFailed, why, json!({}), None).await? {
        return Ok(());
    }
    let verdict = find_verdict(tx, run_id).await?.unwrap_or_else(|| "not_fixed".to_owned());
    runs::close_remediation(tx, run_id, &verdict).await?;
    if alert.is_some_and(|alert| alert.newest_ok) {
        alerts::mark_closed(tx, run.alert_id, "recovered").await?;
    }
    let (was, is) = (json!({ "state": State::Undoing.word() }), json!({ "state": State::UndoFailed.word() }));
    let entry = Entry::changed("run.undo_failed", ("run", run_id), was, is);
    audit::insert(tx, Some(run.client_id), entry.with(json!({ "why": why }))).await?;
    let said = if verdict == "made_worse" { "The fix made something worse" } else { "The fix did not help" };
    let now = tx.now().await?;
    tx.due(crate::Queue::Remediate, now);
    notify::needs_you(tx, (&run).into(), &format!("{said}, and its undo failed: {why}.")).await
}
