//! A host that is cut off: its key opens nothing any more, its link ends, and what was open about it ends with it.

use domain::remediate::guardrails::BucketKind;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::endings::{self, Of};
use crate::live::Kind;
use crate::remediate::guardrails;
use crate::remediate::runs::{self, Withdraw};
use crate::{Result, TenantTx, credentials, host_links};

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
    let (key, of) = (host_id.to_string(), Of { host_id: Some(host_id), check_id: None });
    guardrails::lock_one(tx, BucketKind::Host, &key).await?;
    host_links::wake_all(tx, None, Some(host_id)).await?;
    host_links::mark_replaced(tx, host_id).await?;
    endings::list_open_alerts(tx, of).await?;
    runs::withdraw_unpermitted(tx, &Withdraw::of_host(host_id), CAUSE).await?;
    // What could still be permitted was just taken back, so what is at work now is all there will be.
    if endings::is_at_work(tx, of).await? {
        return Ok(Retired::AtWork);
    }
    let Some(was) = mark_retired(tx, host_id).await? else { return Ok(Retired::Before) };
    endings::end_looks(tx, of).await?;
    end_questions(tx, host_id).await?;
    end_stops(tx, host_id).await?;
    let closed = endings::close(tx, of, CAUSE).await?;
    credentials::revoke_host_keys(tx, host_id).await?;
    tx.changes(Kind::Host, client_id, host_id);
    let detail = json!({ "name": was.name, "incidents_closed": closed });
    let (was, is) = (json!({ "name": was.name, "state": was.state }), json!({ "state": "retired" }));
    let entry = Entry::changed("host.retired", ("host", host_id), was, is);
    audit::insert(tx, Some(client_id), entry.with(detail)).await?;
    Ok(Retired::Yes)
}

/// A host as it was before.
struct Was {
    name: String,
    state: String,
}

/// The host is retired, and its name is another one; answers how it was. None: it was retired before.
async fn mark_retired(tx: &mut TenantTx, host_id: Uuid) -> Result<Option<Was>> {
    let tenant_id = tx.tenant_id();
    let was = sqlx::query_as!(
        Was,
        "SELECT name, state FROM hosts WHERE tenant_id = $1 AND host_id = $2 AND state <> 'retired' FOR UPDATE",
        tenant_id,
        host_id
    )
    .fetch_optional(tx.conn())
    .await?;
    if was.is_some() {
        sqlx::query!(
            "UPDATE hosts SET state = 'retired', quarantine_reason = NULL, quarantined_at = NULL, name = left(name, 150) || ' (retired ' || host_id || ')'
             WHERE tenant_id = $1 AND host_id = $2",
            tenant_id,
            host_id
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(was)
}

/// No person's question waits for its answer, and no machine claims to be it.
async fn end_questions(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!("DELETE FROM host_claims WHERE tenant_id = $1 AND host_id = $2", tenant_id, host_id)
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

/// What kept actions off it stops nothing any more, so no page lists it.
async fn end_stops(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    let (tenant_id, now, key) = (tx.tenant_id(), tx.now().await?, host_id.to_string());
    sqlx::query!(
        "UPDATE hands_off SET ended_at = $3, ended_by = $4 WHERE tenant_id = $1 AND scope_kind = 'host' AND scope_key = $2
           AND ended_at IS NULL AND ends_at > $3",
        tenant_id,
        key,
        now.to_sqlx() as _,
        CAUSE
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE interlocks SET ended_at = $3, ended_by = $4 WHERE tenant_id = $1 AND scope_kind = 'host' AND scope_key = $2
           AND ended_at IS NULL AND ends_at > $3",
        tenant_id,
        key,
        now.to_sqlx() as _,
        CAUSE
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM breakers WHERE tenant_id = $1 AND scope_kind = 'host' AND scope_key = $2",
        tenant_id,
        key
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
