//! Table `observations`: the looks that changed something, or answered a question.

use domain::detect::{Seen, Verdict};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::check_states::Subject;
use crate::{Result, Store, TenantTx};

/// A look.
#[derive(Debug)]
pub struct NewObservation<'a> {
    /// Of what.
    pub subject: &'a Subject,
    /// When the host looked, on the database's clock.
    pub observed_at: Timestamp,
    /// What it saw.
    pub seen: &'a Seen,
    /// What this look says, without hold time.
    pub verdict: Verdict,
    /// The question it answers.
    pub request_id: Option<Uuid>,
}

/// Stores a look, received at the transaction's now.
pub async fn insert(tx: &mut TenantTx, o: &NewObservation<'_>) -> Result<Uuid> {
    let (tenant_id, id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let seen = serde_json::to_value(o.seen).unwrap_or_default();
    sqlx::query!(
        "INSERT INTO observations (tenant_id, client_id, host_id, observation_id, check_id, target, observed_at, received_at, seen, verdict, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        tenant_id,
        o.subject.client_id,
        o.subject.host_id,
        id,
        o.subject.check_id,
        o.subject.target,
        o.observed_at.to_sqlx() as _,
        now.to_sqlx() as _,
        seen,
        o.verdict.word(),
        o.request_id
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}
