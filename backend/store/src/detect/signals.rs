//! Table `signals`: written here; stage classify takes them from there.

use domain::detect::Signal;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::check_states::Subject;
use crate::{Queue, Result, Store, TenantTx};

/// Stores a signal of the state `state_version` and makes it due.
pub async fn insert(
    tx: &mut TenantTx,
    subject: &Subject,
    signal: Signal,
    state_version: i64,
    observation_id: Uuid,
) -> Result<Uuid> {
    let (tenant_id, id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO signals (tenant_id, client_id, host_id, signal_id, check_id, target, kind, severity, state_version, observation_id, signalled_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        tenant_id,
        subject.client_id,
        subject.host_id,
        id,
        subject.check_id,
        subject.target,
        signal.word(),
        signal.severity().word(),
        state_version,
        observation_id,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.due(Queue::Classify, now);
    Ok(id)
}
