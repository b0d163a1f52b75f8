//! Table `check_requests`: questions to a host ("run this check now") and whether they are answered.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use super::check_states::Subject;
use super::probes;
use crate::{Queue, Result, Store, TenantTx, host_links};

/// Asks at `at`, now or later; `asked_for` is `verify`, `look_again`, `release` or `person`. Wakes whoever looks then (the
/// host's node, or this server's own probes) and `verify` when the time for an answer is over: `limit` after `at`.
pub async fn insert(
    tx: &mut TenantTx,
    subject: &Subject,
    asked_for: &str,
    at: Timestamp,
    limit: Duration,
) -> Result<(Uuid, Timestamp)> {
    let (ids, expires_at) = insert_all(tx, std::slice::from_ref(subject), asked_for, at, limit).await?;
    Ok((ids.first().copied().unwrap_or_default(), expires_at))
}

/// Asks many questions, as [`insert`] does one; the ids are in the order of `subjects`.
pub async fn insert_all(
    tx: &mut TenantTx,
    subjects: &[Subject],
    asked_for: &str,
    at: Timestamp,
    limit: Duration,
) -> Result<(Vec<Uuid>, Timestamp)> {
    let looks: Vec<(Uuid, Uuid)> = subjects.iter().map(|subject| (subject.host_id, subject.check_id)).collect();
    let ours = probes::hurry(tx, &looks, at).await?;
    let mut theirs: Vec<Uuid> = looks.iter().filter(|look| !ours.contains(look)).map(|(host_id, _)| *host_id).collect();
    theirs.sort_unstable();
    theirs.dedup();
    host_links::wake_each_at(tx, &theirs, at).await?;
    let tenant_id = tx.tenant_id();
    let expires_at = at + limit;
    let ids: Vec<Uuid> = subjects.iter().map(|_| Store::new_id()).collect();
    let clients: Vec<Uuid> = subjects.iter().map(|subject| subject.client_id).collect();
    let (hosts, checks): (Vec<Uuid>, Vec<Uuid>) = looks.into_iter().unzip();
    let targets: Vec<String> = subjects.iter().map(|subject| subject.target.clone()).collect();
    sqlx::query!(
        "INSERT INTO check_requests (tenant_id, client_id, host_id, request_id, check_id, target, asked_for, asked_at, expires_at)
         SELECT $1, q.client_id, q.host_id, q.id, q.check_id, q.target, $2, $3, $4
         FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[]) AS q(client_id, host_id, id, check_id, target)",
        tenant_id,
        asked_for,
        at.to_sqlx() as _,
        expires_at.to_sqlx() as _,
        &clients,
        &hosts,
        &ids,
        &checks,
        &targets
    )
    .execute(tx.conn())
    .await?;
    tx.due(Queue::Verify, expires_at);
    Ok((ids, expires_at))
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

/// A host's unanswered questions whose time has come, oldest first; those that the server answers itself are none of the
/// host's.
pub async fn list_open(tx: &mut TenantTx, host_id: Uuid) -> Result<Vec<Open>> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    Ok(sqlx::query_as!(
        Open,
        "SELECT q.request_id, q.check_id, q.target FROM check_requests q
         WHERE q.tenant_id = $1 AND q.host_id = $2 AND q.answered_at IS NULL AND q.expires_at > $3 AND q.asked_at <= $3
           AND NOT EXISTS (SELECT 1 FROM probes p WHERE p.tenant_id = $1 AND p.host_id = q.host_id AND p.check_id = q.check_id)
         ORDER BY q.asked_at LIMIT 100",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Wakes the host's node when the next question comes whose time has not come yet, for a link that was not there when
/// it was placed.
pub async fn wake_for_later(tx: &mut TenantTx, host_id: Uuid) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let times = sqlx::query_scalar!(
        "SELECT DISTINCT asked_at FROM check_requests
         WHERE tenant_id = $1 AND host_id = $2 AND answered_at IS NULL AND expires_at > $3 AND asked_at > $3",
        tenant_id,
        host_id,
        now.to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    for at in times {
        host_links::wake_each_at(tx, &[host_id], at.to_jiff()).await?;
    }
    Ok(())
}

/// The question is answered; false when it was before, is over, is to come, or is another's. Wakes who asked: `verify`, or the
/// host's node that waits for a look before it hands out a job.
pub async fn mark_answered(tx: &mut TenantTx, subject: &Subject, request_id: Uuid) -> Result<bool> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let asked_for = sqlx::query_scalar!(
        "UPDATE check_requests SET answered_at = $6
         WHERE tenant_id = $1 AND request_id = $2 AND host_id = $3 AND check_id = $4 AND target = $5
           AND answered_at IS NULL AND expires_at > $6 AND asked_at <= $6 RETURNING asked_for",
        tenant_id,
        request_id,
        subject.host_id,
        subject.check_id,
        subject.target,
        now.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    match asked_for.as_deref() {
        None => return Ok(false),
        Some(LOOK_AGAIN) => host_links::wake(tx, subject.host_id).await?,
        Some(_) => tx.due(Queue::Verify, now),
    }
    Ok(true)
}

/// Asked before a job is handed out.
pub const LOOK_AGAIN: &str = "look_again";

/// The newest look of the server's own before a job is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookedAgain {
    /// Nobody asked for it, or it is too old to count.
    Not,
    /// It is asked for, and under way.
    Asked,
    /// What it came to.
    Answered {
        /// The stored word of its verdict.
        verdict: String,
        /// Its observation.
        observation_id: Uuid,
    },
}

/// How the newest `look_again` of a subject stands; an answer counts for `fresh`.
pub async fn find_look_again(tx: &mut TenantTx, subject: &Subject, fresh: Duration) -> Result<LookedAgain> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let row = sqlx::query!(
        r#"SELECT o.observation_id AS "observation_id?", o.verdict AS "verdict?" FROM check_requests q
           LEFT JOIN observations o ON o.tenant_id = q.tenant_id AND o.request_id = q.request_id
           WHERE q.tenant_id = $1 AND q.host_id = $2 AND q.check_id = $3 AND q.target = $4 AND q.asked_for = 'look_again'
             AND (q.answered_at > $6 OR (q.answered_at IS NULL AND q.expires_at > $5)) ORDER BY q.asked_at DESC LIMIT 1"#,
        tenant_id,
        subject.host_id,
        subject.check_id,
        subject.target,
        now.to_sqlx() as _,
        (now - fresh).to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match row {
        None => LookedAgain::Not,
        Some(row) => match (row.verdict, row.observation_id) {
            (Some(verdict), Some(observation_id)) => LookedAgain::Answered { verdict, observation_id },
            _ => LookedAgain::Asked,
        },
    })
}
