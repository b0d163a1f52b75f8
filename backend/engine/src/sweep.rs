//! The sweep: what no wake-up row says but a table does is found by looking, a tenant a minute.

use std::time::Duration;

use async_trait::async_trait;
use store::classify::due_signals;
use store::detect::probes;
use store::remediate::{freezes, storms};
use store::verify::verifications;
use store::{Queue, Store, TenantScope, changes, deletions, host_links, outbox, quotas};

use crate::lease::{Batch, Stage};
use crate::standing::next_turn;

/// A tenant is looked over this often; also how long a due row may go unseen when its wake-up is gone.
pub const EVERY: Duration = Duration::from_secs(60);

/// The loop's work.
#[derive(Debug)]
pub struct Sweep;

#[async_trait]
impl Stage for Sweep {
    fn queue(&self) -> Queue {
        Queue::Sweep
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        let now = tx.now().await?;
        // The queue's standing wake-up goes on whatever comes of this look.
        tx.due(Queue::Sweep, next_turn(scope.tenant_id(), EVERY, now));
        if due_signals::has_due(&mut tx).await? {
            tx.due(Queue::Classify, now);
        }
        if probes::has_due(&mut tx).await? {
            tx.due(Queue::Detect, now);
        }
        // What remediate has to do is many things; it looks for all of them itself whenever it is woken.
        tx.due(Queue::Remediate, now);
        if verifications::has_due(&mut tx).await? {
            tx.due(Queue::Verify, now);
        }
        if outbox::has_due(&mut tx).await? {
            tx.due(Queue::Notify, now);
        }
        if !changes::list_due(&mut tx, 1).await?.is_empty() {
            tx.due(Queue::Changes, now);
        }
        crate::audit::look_for_late(&mut tx).await?;
        for node_id in host_links::list_nodes_with_open_work(&mut tx).await? {
            tx.due(Queue::Dispatch(node_id), now);
        }
        tx.commit().await?;
        // By itself: it locks what admissions lock, and its failure keeps nothing of the above.
        let mut tx = store.begin(scope).await?;
        deletions::begin_due(&mut tx).await?;
        freezes::hold_suspended(&mut tx).await?;
        storms::follow_platform(&mut tx).await?;
        quotas::note_today(&mut tx).await?;
        tx.commit().await?;
        Ok(Batch::Drained)
    }
}
