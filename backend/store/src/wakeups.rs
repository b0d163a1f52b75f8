//! Finding work without crossing tenants: a claim takes the tenant whose wake-up is oldest.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Queue, Result, Store};

/// A tenant that may have something due, held until [`done`] or until its lease runs out.
#[derive(Debug)]
pub struct Claimed {
    pub(crate) tenant_id: Uuid,
    pub(crate) queue: Queue,
    wakeup_id: i64,
    /// The claim's now.
    pub claimed_at: Timestamp,
}

/// What a claim finds.
#[derive(Debug)]
pub enum Found {
    /// A tenant.
    Due(Claimed),
    /// Nothing that is due and free; the next wake-up is due after this long.
    Nothing {
        /// Zero when another claimer is just taking it; none when there is none.
        next: Option<Duration>,
    },
}

/// Claims the tenant with the oldest due wake-up of `queue`; `lease` is how long the claimer may take.
pub async fn claim(store: &Store, queue: Queue, lease: Duration) -> Result<Found> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let until = now + lease;
    tx.commit_soon().await?;
    let row = sqlx::query!(
        r#"WITH t AS (SELECT tenant_id FROM tenant_wakeups WHERE queue = $1 AND due_at <= $2 ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED),
     k AS (SELECT w.tenant_id, w.wakeup_id FROM tenant_wakeups w JOIN t USING (tenant_id)
           WHERE w.queue = $1 AND w.due_at <= $2 FOR UPDATE OF w SKIP LOCKED),
     d AS (DELETE FROM tenant_wakeups w USING k WHERE w.tenant_id = k.tenant_id AND w.queue = $1 AND w.wakeup_id = k.wakeup_id RETURNING w.tenant_id)
INSERT INTO tenant_wakeups (tenant_id, queue, due_at) SELECT tenant_id, $1, $3 FROM d GROUP BY tenant_id
RETURNING tenant_id, wakeup_id"#,
        queue.name(),
        now.to_sqlx() as _,
        until.to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    let found = match row {
        Some(r) => Found::Due(Claimed { tenant_id: r.tenant_id, queue, wakeup_id: r.wakeup_id, claimed_at: now }),
        None => {
            let next = sqlx::query_scalar!("SELECT min(due_at) FROM tenant_wakeups WHERE queue = $1", queue.name())
                .fetch_one(tx.conn())
                .await?;
            let next = next.map(|at| Duration::try_from(at.to_jiff().duration_since(now)).unwrap_or_default());
            Found::Nothing { next }
        }
    };
    tx.commit().await?;
    Ok(found)
}

/// Gives the claim back; `more` says that unfinished, unleased rows that were due at the claim's now are left.
pub async fn done(store: &Store, claimed: Claimed, more: bool) -> Result<()> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    tx.commit_soon().await?;
    sqlx::query!(
        "DELETE FROM tenant_wakeups WHERE tenant_id = $1 AND queue = $2 AND wakeup_id = $3",
        claimed.tenant_id,
        claimed.queue.name(),
        claimed.wakeup_id
    )
    .execute(tx.conn())
    .await?;
    if more {
        sqlx::query!(
            "INSERT INTO tenant_wakeups (tenant_id, queue, due_at) VALUES ($1, $2, $3)",
            claimed.tenant_id,
            claimed.queue.name(),
            now.to_sqlx() as _
        )
        .execute(tx.conn())
        .await?;
    }
    tx.commit().await
}

/// Queues of which every tenant that is not deleted always has a wake-up: each time its work is done, the next is made.
const STANDING: [Queue; 3] = [Queue::Silence, Queue::Plan, Queue::Sweep];

/// Makes the standing wake-ups that are missing, due now.
pub async fn ensure_standing(store: &Store) -> Result<()> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    sqlx::query!(
        "INSERT INTO tenant_wakeups (tenant_id, queue, due_at) SELECT t.tenant_id, q.queue, $1 FROM tenants t
         CROSS JOIN unnest($2::text[]) AS q(queue) WHERE t.state IN ('active', 'suspended')
           AND NOT EXISTS (SELECT 1 FROM tenant_wakeups w WHERE w.tenant_id = t.tenant_id AND w.queue = q.queue)",
        now.to_sqlx() as _,
        &STANDING.map(Queue::name)
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    STANDING.into_iter().for_each(|queue| store.wake().wake(queue));
    Ok(())
}
