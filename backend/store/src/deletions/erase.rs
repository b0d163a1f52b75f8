//! The rows go: what a deletion that has begun is about, in batches. A pass that is cut off is gone on with by the next.

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;
use uuid::Uuid;

use crate::{Result, Store};

/// Rows of one transaction.
const BATCH: i32 = 5000;
/// What was under way when a deletion began is over after this long: nothing goes before.
const SETTLES: SignedDuration = SignedDuration::from_secs(10);
/// For so long after its end it is looked whether something was written behind its back.
const LOOKED_AT: SignedDuration = SignedDuration::from_hours(24);
/// For how long an organization's audit is kept; then it goes too.
const AUDIT_KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);

/// Deletes what is to go now. Says how many rows went; what fails is tried at the next pass, and keeps no other.
pub async fn erase_begun(store: &Store) -> Result<u64> {
    let mut tx = store.system().await?;
    let now = tx.now().await?;
    let begun = sqlx::query!(
        "SELECT tenant_id, deletion_id FROM deletions WHERE begun_at <= $1
           AND (ended_at IS NULL OR ended_at > $2 OR kind = 'tenant' AND ended_at <= $3) ORDER BY begun_at LIMIT 1000",
        (now - SETTLES).to_sqlx() as _,
        (now - LOOKED_AT).to_sqlx() as _,
        (now - AUDIT_KEPT).to_sqlx() as _
    )
    .fetch_all(tx.conn())
    .await?;
    tx.commit().await?;
    let (mut gone, mut failed) = (0, None);
    for row in begun {
        match erase(store, row.tenant_id, row.deletion_id).await {
            Ok(rows) => gone += rows,
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(gone), Err)
}

async fn erase(store: &Store, tenant_id: Uuid, deletion_id: Uuid) -> Result<u64> {
    let mut gone = 0;
    loop {
        let mut tx = store.system().await?;
        let now = tx.now().await?;
        let is_there = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM deletions d WHERE d.tenant_id = $1 AND d.deletion_id = $2) AS "is!""#,
            tenant_id,
            deletion_id
        )
        .fetch_one(tx.conn())
        .await?;
        if !is_there {
            return Ok(gone); // its last row went too
        }
        // Whoever has a seat nowhere else has an account for nothing.
        let only_here = sqlx::query_scalar!(
            "SELECT m.login_id FROM memberships m JOIN deletions d ON d.tenant_id = m.tenant_id AND d.deletion_id = $2 AND d.kind = 'tenant'
             WHERE m.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.login_id = m.login_id AND o.tenant_id <> $1)",
            tenant_id,
            deletion_id
        )
        .fetch_all(tx.conn())
        .await?;
        let rows = sqlx::query_scalar!(
            r#"SELECT maintenance.erase($1, $2, $3, $4) AS "rows!""#,
            tenant_id,
            deletion_id,
            BATCH,
            now.to_sqlx() as _
        )
        .fetch_one(tx.conn())
        .await?;
        sqlx::query!(
            "DELETE FROM logins g WHERE g.login_id = ANY ($1)
               AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.login_id = g.login_id)
               AND NOT EXISTS (SELECT 1 FROM operators o WHERE o.login_id = g.login_id)",
            &only_here
        )
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
        match u64::try_from(rows) {
            Ok(0) => return Ok(gone),
            Ok(rows) => gone += rows,
            Err(_) => {
                tracing::warn!(%tenant_id, %deletion_id, "a deletion waits: something runs still");
                return Ok(gone);
            }
        }
    }
}
