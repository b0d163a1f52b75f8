//! What a job came to: its signed result, exactly once, and the first bytes of its output.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;

use super::{Job, JobKey};
use crate::remediate::progress;
use crate::{Result, TenantTx};

/// A result as the host signed it.
#[derive(Debug)]
pub struct JobResult<'a> {
    /// The fence it ran under.
    pub fence: i64,
    /// The signed body.
    pub body: &'a str,
    /// SHA-256 of the body.
    pub digest: &'a [u8],
    /// The host's signature.
    pub signature: &'a str,
    /// The first bytes of the output.
    pub output: &'a [u8],
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It ended the job.
    Now,
    /// A person had said before how the job ended; it is kept as evidence and changes nothing by itself.
    AfterAnswer,
    /// The same was stored before.
    Before,
    /// Another one was stored before.
    Other,
    /// The job has no permit of this fence.
    NoPermit,
}

/// Stores a result, exactly once a job. Call it with the job locked.
pub async fn mark_finished(tx: &mut TenantTx, job: &Job, result: &JobResult<'_>) -> Result<Stored> {
    let (tenant_id, now, key) = (tx.tenant_id(), tx.now().await?, &job.key);
    let row = on_job!(
        tx,
        key,
        "UPDATE jobs SET state = 'finished', ended_at = coalesce(ended_at, $7), result_digest = $8",
        r#"AND fence = $6 AND (state IN ('permitted', 'unknown') OR (state = 'finished' AND result_digest
         IS NULL)) RETURNING permitted_at AS "permitted_at!""#,
        result.fence,
        now.to_sqlx() as _,
        result.digest
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return compare(tx, key, result).await };
    sqlx::query!(
        "INSERT INTO job_results (tenant_id, client_id, run_id, purpose, leg, attempt, fence, body, signature, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tenant_id,
        job.client_id,
        key.run_id,
        key.purpose,
        key.leg,
        key.attempt,
        result.fence,
        result.body,
        result.signature,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    progress::delete(tx, key).await?;
    insert_output(tx, job, row.permitted_at.to_jiff(), 0, result.output).await?;
    Ok(if job.state == "finished" { Stored::AfterAnswer } else { Stored::Now })
}

async fn compare(tx: &mut TenantTx, key: &JobKey, result: &JobResult<'_>) -> Result<Stored> {
    let stored =
        on_job!(tx, key, "SELECT result_digest FROM jobs", "AND state = 'finished'").fetch_optional(tx.conn()).await?;
    Ok(match stored {
        None => Stored::NoPermit,
        Some(row) if row.result_digest.as_deref() == Some(result.digest) => Stored::Before,
        Some(_) => Stored::Other,
    })
}

/// Chunks of output are at most this long.
const CHUNK_BYTES: usize = 64 * 1024;

/// Stores output from `offset` on, keyed by the permit's instant so that a chunk sent again meets its key.
async fn insert_output(tx: &mut TenantTx, job: &Job, at: Timestamp, offset: i64, bytes: &[u8]) -> Result<()> {
    let (tenant_id, key, mut offset) = (tx.tenant_id(), &job.key, offset);
    for chunk in bytes.chunks(CHUNK_BYTES) {
        sqlx::query!(
            "INSERT INTO run_output (tenant_id, client_id, run_id, purpose, leg, attempt, byte_offset, at, bytes)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
            tenant_id,
            job.client_id,
            key.run_id,
            key.purpose,
            key.leg,
            key.attempt,
            offset,
            at.to_sqlx() as _,
            chunk
        )
        .execute(tx.conn())
        .await?;
        offset = offset.saturating_add(i64::try_from(chunk.len()).unwrap_or(i64::MAX));
    }
    Ok(())
}
