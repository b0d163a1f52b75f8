//! Links audit entries into their organization's chain, within seconds and never in the transactions that write them.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use keys::SigningKey;
use store::audit::{self, chain};
use store::{Queue, Store, TenantScope};

use crate::lease::{Batch, Stage};

/// Entries of one transaction.
const BATCH: i64 = 200;
/// An entry that is not linked for this long is told about: either this loop does not work, or a transaction took so long.
pub const LATE: SignedDuration = SignedDuration::from_secs(60);
/// How far before the newest link entries are looked for: no transaction lasts so long.
const BEHIND: SignedDuration = SignedDuration::from_mins(15);
/// How far back is looked when nothing newer is there, and by the sweep.
const FAR: SignedDuration = SignedDuration::from_hours(25);

/// The loop's work.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Signs the end of each batch.
    pub key: SigningKey,
}

#[async_trait]
impl Stage for Audit {
    fn queue(&self) -> Queue {
        Queue::Audit
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        let now = tx.now().await?;
        let end = chain::find_end(&mut tx).await?;
        // Without a chain everything is new; else a look reaches back behind the newest link, also after an outage.
        let near = end.as_ref().map_or(Timestamp::UNIX_EPOCH, |end| end.linked_at.min(now) - BEHIND);
        let mut linked = chain::link(&mut tx, &self.key, near, BATCH).await?;
        if linked.is_empty() && end.is_some() {
            // Woken for nothing: perhaps by the sweep, for one that was seen later than any transaction should last.
            linked = chain::link(&mut tx, &self.key, now - FAR, BATCH).await?;
        }
        let is_first_today = end.as_ref().is_none_or(|end| chain::day(end.linked_at) < chain::day(now));
        if !linked.is_empty() && is_first_today {
            // The day is told of when it is over, also if nothing is written any more.
            tx.due(Queue::Audit, chain::end_of_day(now));
        }
        chain::tell_of_day(&mut tx).await?;
        tx.commit().await?;
        let late = linked.iter().filter(|at| now.duration_since(**at) >= LATE).count();
        if late > 0 {
            tracing::error!(tenant = %scope.tenant_id(), late, "audit entries were linked later than a minute after they were written");
        }
        Ok(if linked.len() as i64 == BATCH { Batch::More } else { Batch::Drained })
    }
}

/// For the sweep: whether entries are left that nobody linked in time. That is told to the owners once a day (there is no
/// incident without a client's host), to the operator's log each time, and the loop is woken for them.
pub async fn look_for_late(tx: &mut store::TenantTx) -> store::Result<()> {
    let now = tx.now().await?;
    let late = audit::count_unlinked(tx, now - FAR, now - LATE).await?;
    if late > 0 {
        tracing::error!(tenant = %tx.tenant_id(), late, "audit entries are not linked a minute after they were written");
        tx.due(Queue::Audit, now);
        chain::tell_of_late(tx, late).await?;
    }
    Ok(())
}
