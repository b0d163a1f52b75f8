//! Table `breakers`, and the verdicts they are judged by. Written under the lock of the scope's bucket.

use domain::remediate::breaker::{Breaker, LOOK_BACK, Scope, State, Turned};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde_json::json;
use uuid::Uuid;

use super::guardrails;
use super::runs::{self, Run};
use crate::audit::{self, Entry};
use crate::live::Kind;
use crate::{Result, StoreError, TenantTx};

/// The keys of the breakers over a run.
pub fn keys_of(run: &Run) -> [(Scope, String); 3] {
    let digest = run.playbook_digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    [
        (Scope::ClientPlaybookVersion, format!("{}/{digest}", run.client_id)),
        (Scope::Host, run.host_id.to_string()),
        (Scope::PlaybookVersion, digest),
    ]
}

/// A breaker with its key and its canary.
#[derive(Debug, Clone)]
pub struct Row {
    /// The key within its scope.
    pub key: String,
    /// The breaker.
    pub breaker: Breaker,
    /// The run that it let through.
    pub canary_run_id: Option<Uuid>,
}

/// A breaker as its columns say it; `out` is whether its canary has not ended.
struct Found {
    scope_kind: String,
    scope_key: String,
    state: String,
    changed_at: jiff_sqlx::Timestamp,
    canary_run_id: Option<Uuid>,
    reopened_count: i32,
    out: bool,
}

impl Found {
    /// The row; `id` says in an error whose row could not be read.
    fn row(self, id: Uuid) -> Result<Row> {
        let corrupt = |column| StoreError::Corrupt { table: "breakers", column, id };
        Ok(Row {
            breaker: Breaker {
                scope: Scope::parse(&self.scope_kind).ok_or_else(|| corrupt("scope_kind"))?,
                state: State::parse(&self.state).ok_or_else(|| corrupt("state"))?,
                changed_at: self.changed_at.to_jiff(),
                reopened: u32::try_from(self.reopened_count).unwrap_or(0),
                canary_out: self.out,
            },
            key: self.scope_key,
            canary_run_id: self.canary_run_id,
        })
    }
}

/// The breakers over a run that exist, those that closed again included.
pub async fn list_over(tx: &mut TenantTx, run: &Run) -> Result<Vec<Row>> {
    let tenant_id = tx.tenant_id();
    let keys = keys_of(run);
    let kinds: Vec<String> = keys.iter().map(|(scope, _)| scope.word().to_owned()).collect();
    let names: Vec<String> = keys.into_iter().map(|(_, key)| key).collect();
    let rows = sqlx::query_as!(
        Found,
        r#"SELECT b.scope_kind, b.scope_key, b.state, b.changed_at, b.canary_run_id, b.reopened_count,
             EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND r.run_id = b.canary_run_id AND r.ended_at IS NULL AND r.run_id <> $4) AS "out!"
           FROM breakers b JOIN unnest($2::text[], $3::text[]) AS k(kind, key) ON b.scope_kind = k.kind AND b.scope_key = k.key
           WHERE b.tenant_id = $1 ORDER BY b.scope_kind"#,
        tenant_id,
        &kinds,
        &names,
        run.run_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|found| found.row(run.run_id)).collect()
}

/// Those that are open or half open, the oldest change first.
pub async fn list_not_closed(tx: &mut TenantTx) -> Result<Vec<Row>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        Found,
        r#"SELECT b.scope_kind, b.scope_key, b.state, b.changed_at, b.canary_run_id, b.reopened_count,
             EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND r.run_id = b.canary_run_id AND r.ended_at IS NULL) AS "out!"
           FROM breakers b WHERE b.tenant_id = $1 AND b.state <> 'closed' ORDER BY b.changed_at, b.scope_kind, b.scope_key LIMIT 1000"#,
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|found| found.row(tenant_id)).collect()
}

/// A person has looked at what went badly: the breaker closes, under the lock of its scope's bucket, and what it held is
/// decided anew. False: it was closed.
pub async fn close(tx: &mut TenantTx, scope: Scope, key: &str, reason: &str) -> Result<bool> {
    let tenant_id = tx.tenant_id();
    let bucket = match key.split_once('/') {
        Some((client, _)) => client.to_owned(),
        None if scope == Scope::PlaybookVersion => tenant_id.to_string(),
        None => key.to_owned(),
    };
    guardrails::lock_one(tx, scope.bucket(), &bucket).await?;
    let all = list_not_closed(tx).await?;
    let Some(row) = all.iter().find(|row| row.breaker.scope == scope && row.key == key) else { return Ok(false) };
    let (was, is) = (json!({ "state": row.breaker.state.word() }), json!({ "state": State::Closed.word() }));
    save(tx, scope, key, State::Closed, 0, None).await?;
    let detail = json!({ "breaker": format!("{}:{key}", scope.word()), "reason": reason });
    let entry = Entry::changed("breaker.closed_by_person", ("tenant", tenant_id), was, is);
    audit::insert(tx, None, entry.with(detail)).await?;
    runs::make_held_due(tx, None).await?;
    Ok(true)
}

/// What a breaker becomes; `canary` is the run that it lets through.
pub async fn save(
    tx: &mut TenantTx,
    scope: Scope,
    key: &str,
    state: State,
    reopened: u32,
    canary: Option<Uuid>,
) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO breakers (tenant_id, scope_kind, scope_key, state, changed_at, canary_run_id, reopened_count)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT ON CONSTRAINT breakers_pkey DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at,
           canary_run_id = excluded.canary_run_id, reopened_count = excluded.reopened_count
         WHERE breakers.tenant_id = $1",
        tenant_id,
        scope.word(),
        key,
        state.word(),
        now.to_sqlx() as _,
        canary,
        i32::try_from(reopened).unwrap_or(i32::MAX)
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Guardrail, None, None);
    Ok(())
}

/// The newest verdicts on runs of one version at one client since then, newest first.
pub async fn list_turned_of_version(tx: &mut TenantTx, run: &Run, since: Timestamp) -> Result<Vec<Turned>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_scalar!(
        r#"SELECT r.state = 'fixed' AND m.relapsed_at IS NULL AS "good!"
           FROM runs r JOIN remediations m ON m.tenant_id = r.tenant_id AND m.remediation_id = r.remediation_id
           WHERE r.tenant_id = $1 AND r.client_id = $2 AND r.playbook_digest = $3 AND r.started_at > $4
             AND r.state IN ('fixed', 'not_fixed', 'made_worse', 'undoing', 'undone', 'undo_failed', 'unknown')
           ORDER BY r.started_at DESC LIMIT $5"#,
        tenant_id,
        run.client_id,
        run.playbook_digest,
        since.to_sqlx() as _,
        LOOK_BACK as i64
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(turned).collect())
}

/// The newest remediations of a host that were judged since then, newest first.
pub async fn list_turned_on_host(tx: &mut TenantTx, host_id: Uuid, since: Timestamp) -> Result<Vec<Turned>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_scalar!(
        r#"SELECT m.outcome = 'fixed' AND m.relapsed_at IS NULL AS "good!"
           FROM remediations m WHERE m.tenant_id = $1 AND m.closed_at > $3 AND m.outcome IN ('fixed', 'not_fixed', 'made_worse')
             AND EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND r.host_id = $2 AND r.remediation_id = m.remediation_id)
           ORDER BY m.closed_at DESC LIMIT $4"#,
        tenant_id,
        host_id,
        since.to_sqlx() as _,
        LOOK_BACK as i64
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(turned).collect())
}

/// Bad runs of a version in the last day, everywhere in the organization, and at how many clients.
pub async fn count_bad_in_a_day(tx: &mut TenantTx, run: &Run, since: Timestamp) -> Result<(u32, u32)> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let day = (now - SignedDuration::from_hours(24)).max(since);
    let row = sqlx::query!(
        r#"SELECT count(*) AS "bad!", count(DISTINCT r.client_id) AS "clients!"
           FROM runs r JOIN remediations m ON m.tenant_id = r.tenant_id AND m.remediation_id = r.remediation_id
           WHERE r.tenant_id = $1 AND r.playbook_digest = $2 AND r.started_at > $3
             AND (r.state IN ('not_fixed', 'made_worse', 'undoing', 'undone', 'undo_failed', 'unknown') OR m.relapsed_at IS NOT NULL)"#,
        tenant_id,
        run.playbook_digest,
        day.to_sqlx() as _
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((u32::try_from(row.bad).unwrap_or(u32::MAX), u32::try_from(row.clients).unwrap_or(u32::MAX)))
}

fn turned(good: bool) -> Turned {
    if good { Turned::Good } else { Turned::Bad }
}
