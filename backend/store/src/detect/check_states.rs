//! Table `check_states`: written only when a verdict changes, a hold time begins or ends, or an excuse comes or goes.

use domain::detect::{Severity, State, Verdict};
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::error::exactly_one;
use crate::live::Kind;
use crate::{Result, StoreError, TenantTx};

/// What a state is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The client.
    pub client_id: Uuid,
    /// The host.
    pub host_id: Uuid,
    /// The check.
    pub check_id: Uuid,
    /// The target.
    pub target: String,
}

/// All states of a host: check, target, state.
pub async fn list_of_host(tx: &mut TenantTx, host_id: Uuid) -> Result<Vec<(Uuid, String, State)>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT check_id, target, version, verdict, verdict_at, pending_verdict, pending_at, failures, raised, excused, readings, observed_at
         FROM check_states WHERE tenant_id = $1 AND host_id = $2",
        tenant_id,
        host_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|r| {
            let corrupt = |column| StoreError::Corrupt { table: "check_states", column, id: r.check_id };
            let pending = match (r.pending_verdict.as_deref(), r.pending_at) {
                (Some("warning"), Some(at)) => Some((Severity::Warning, at.to_jiff())),
                (Some("critical"), Some(at)) => Some((Severity::Critical, at.to_jiff())),
                (None, None) => None,
                _ => return Err(corrupt("pending_verdict")),
            };
            let state = State {
                version: r.version,
                verdict: Verdict::parse(&r.verdict).ok_or_else(|| corrupt("verdict"))?,
                verdict_at: r.verdict_at.to_jiff(),
                pending,
                failures: u32::try_from(r.failures).map_err(|_| corrupt("failures"))?,
                raised: r.raised,
                excused: r.excused,
                seen: serde_json::from_value(r.readings).map_err(|_| corrupt("readings"))?,
                observed_at: r.observed_at.to_jiff(),
            };
            Ok((r.check_id, r.target, state))
        })
        .collect()
}

/// Stores `state` over the version that `state.version` follows; a wrong row count says that someone else was first.
pub async fn save(tx: &mut TenantTx, subject: &Subject, state: &State) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let seen = serde_json::to_value(&state.seen).unwrap_or_default();
    let done = sqlx::query!(
        "INSERT INTO check_states (tenant_id, client_id, host_id, check_id, target, version, verdict, verdict_at,
           pending_verdict, pending_at, failures, raised, excused, readings, observed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT ON CONSTRAINT check_states_pkey DO UPDATE SET version = excluded.version, verdict = excluded.verdict,
           verdict_at = excluded.verdict_at, pending_verdict = excluded.pending_verdict, pending_at = excluded.pending_at,
           failures = excluded.failures, raised = excluded.raised, excused = excluded.excused, readings = excluded.readings,
           observed_at = excluded.observed_at
         WHERE check_states.tenant_id = $1 AND check_states.version = excluded.version - 1",
        tenant_id,
        subject.client_id,
        subject.host_id,
        subject.check_id,
        subject.target,
        state.version,
        state.verdict.word(),
        state.verdict_at.to_sqlx() as _,
        state.pending.map(|(s, _)| s.word()),
        state.pending.map(|(_, at)| at.to_sqlx()) as _,
        i32::try_from(state.failures).unwrap_or(i32::MAX),
        state.raised,
        state.excused.as_deref(),
        seen,
        state.observed_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.changes(Kind::Host, subject.client_id, subject.host_id);
    exactly_one("check_states::save", done.rows_affected())
}
