//! Table `check_requests`: questions to a host ("run this check now") and whether they are answered.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::check_states::Subject;
use crate::{Queue, Result, Store, TenantTx, host_links};

/// Asks; `asked_for` is `verify`, `look_again`, `release` or `person`. Wakes the host's node now and `verify` when
/// the time for an answer is over.
pub async fn insert(
    tx: &mut TenantTx,
    subject: &Subject,
    asked_for: &str,
    limit: Duration,
) -> Result<(Uuid, Timestamp)> {
    host_links::wake(tx, subject.host_id).await?;
    let (tenant_id, id, now) = (tx.tenant_id(), Store::new_id(), tx.now().await?);
    let expires_at = now + limit;
    sqlx::query!(
        "INSERT INTO check_requests (tenant_id, client_id, host_id, request_id, check_id, target, asked_for, asked_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant_id,
        subject.client_id,
        subject.host_id,
        id,
        subject.check_id,
        subject.target,
        asked_for,
        now.to_sqlx() as _,
        expires_at.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    tx.due(Queue::Verify, expires_at);
    Ok((id, expires_at))
}

/// An unanswered question.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its id.
    pub request_id: Uuid,
    /// The check.
    pub check_id: Uuid,
    /// The target.
    pub target: String,
}

/// A host's unanswered questions, oldest first.
pub async fn list_open(tx: &mut TenantTx, host_id: Uuid) -> Result<Vec<Open>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_as!(
        Open,
        "SELECT request_id, check_id, target FROM check_requests
         WHERE tenant_id = $1 AND host_id = $2 AND answered_at IS NULL AND expires_at > $3 ORDER BY asked_at LIMIT 100",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The question is answered; false when it was before, is over, or is another's. Wakes `verify`.
pub async fn mark_answered(tx: &mut TenantTx, subject: &Subject, request_id: Uuid) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let done = sqlx::query!(
        "UPDATE check_requests SET answered_at = $6
         WHERE tenant_id = $1 AND request_id = $2 AND host_id = $3 AND check_id = $4 AND target = $5
           AND answered_at IS NULL AND expires_at > $6",
        tenant_id,
        request_id,
        subject.host_id,
        subject.check_id,
        subject.target,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    let first = done.rows_affected() == 1;
    if first {
        tx.due(Queue::Verify, now);
    }
    Ok(first)
}
