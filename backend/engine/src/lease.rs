//! The one generic runner of leased work: claims the tenant whose wake-up is oldest, lets a stage work on a
//! bounded batch of that tenant's rows, and gives the claim back. Loops take no input: a wake-up only wakes
//! them (see [`store::wake`]).

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use store::wakeups::{self, Claimed, Found};
use store::{Queue, Store, TenantScope, auth};
use tokio_util::sync::CancellationToken;

/// How long a claim may take before another claimer finds the tenant again.
pub const CLAIM: Duration = Duration::from_secs(30);

/// What a batch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Nothing that was due is left.
    Drained,
    /// Rows that were due are left.
    More,
}

/// A stage's work on one tenant.
#[async_trait]
pub trait Stage: Send + Sync {
    /// The queue its work is found by.
    fn queue(&self) -> Queue;
    /// How long a batch may take before it is cut off; what it had not committed is done again.
    fn limit(&self) -> Duration {
        CLAIM
    }
    /// How many tenants a node works on at once.
    fn workers(&self) -> usize {
        1
    }
    /// Works on a bounded batch.
    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch>;
}

/// Runs a stage until `cancel`.
pub async fn run(store: Store, stage: impl Stage, cancel: CancellationToken) {
    join_all((0..stage.workers()).map(|_| work(&store, &stage, &cancel))).await;
}

async fn work(store: &Store, stage: &impl Stage, cancel: &CancellationToken) {
    let wake = store.wake().subscribe(stage.queue());
    loop {
        let next = run_until_idle(store, stage, cancel).await.unwrap_or_else(|e| {
            tracing::warn!(queue = stage.queue().name(), error = &e as &dyn std::error::Error, "will be tried again");
            None
        });
        tokio::select! {
            () = cancel.cancelled() => return,
            () = store.wake().idle(&wake, next) => {}
        }
    }
}

/// Works until nothing is due; says after how long something is.
pub async fn run_until_idle(
    store: &Store,
    stage: &impl Stage,
    cancel: &CancellationToken,
) -> store::Result<Option<Duration>> {
    while !cancel.is_cancelled() {
        let claimed = match wakeups::claim(store, stage.queue(), CLAIM).await? {
            Found::Due(claimed) => {
                if stage.workers() > 1 {
                    // A wake-up wakes one worker; whoever finds something wakes the next.
                    store.wake().wake(stage.queue());
                }
                claimed
            }
            Found::Nothing { next } => return Ok(next),
        };
        match tokio::time::timeout(stage.limit(), one(store, stage, claimed)).await {
            Ok(done) => done?,
            // Its rows are leased and its tenant is claimed until the leases end; others go on.
            Err(_) => tracing::error!(queue = stage.queue().name(), limit = ?stage.limit(), "a batch was cut off"),
        }
    }
    Ok(None)
}

async fn one(store: &Store, stage: &impl Stage, claimed: Claimed) -> store::Result<()> {
    let scope = auth::by_claim(&claimed);
    // On an error the claim's lease row stays: the tenant is found again when it is due.
    let batch = stage.work(store, &scope).await?;
    wakeups::done(store, claimed, batch == Batch::More).await
}
