//! The loop on `dispatch@<this node>`: whoever makes something due for a linked host wakes this node, which nudges
//! the tenant's links here. Each link then reads what is open for its host (see [`crate::jobs`]).

use std::time::Duration;

use store::wakeups::{self, Found};
use store::{Queue, auth};
use tokio_util::sync::CancellationToken;

use crate::Inner;

/// A nudge takes no longer.
const CLAIM: Duration = Duration::from_secs(5);

/// Runs until `cancel`.
pub async fn run(gateway: &Inner, cancel: &CancellationToken) {
    let wake = gateway.store.wake();
    let woken = wake.subscribe(Queue::Dispatch(gateway.config.node_id));
    loop {
        let next = nudge_all(gateway).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "dispatch could not look for work");
            None
        });
        tokio::select! {
            () = cancel.cancelled() => return,
            () = wake.idle(&woken, next) => {}
        }
    }
}

/// Nudges the links of every tenant that has something due; says after how long the next has.
async fn nudge_all(gateway: &Inner) -> store::Result<Option<Duration>> {
    loop {
        match wakeups::claim(&gateway.store, Queue::Dispatch(gateway.config.node_id), CLAIM).await? {
            Found::Nothing { next } => return Ok(next),
            Found::Due(claimed) => {
                gateway.links.nudge(auth::by_claim(&claimed).tenant_id());
                wakeups::done(&gateway.store, claimed, false).await?;
            }
        }
    }
}
