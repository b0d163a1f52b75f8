//! The loop on `dispatch@<this node>`: whoever makes something due for a linked host wakes this node, which nudges
//! the tenant's links here. Each link then reads what is open for its host (see [`crate::jobs`]).

use std::time::Duration;

use store::{Queue, auth, wakeups};
use tokio_util::sync::CancellationToken;

use crate::Inner;

/// Backs the wake-ups in memory up.
const POLL: Duration = Duration::from_secs(1);
/// A nudge takes no longer.
const CLAIM: Duration = Duration::from_secs(5);

/// Runs until `cancel`.
pub async fn run(gateway: &Inner, cancel: &CancellationToken) {
    let woken = gateway.store.wake().subscribe(Queue::Dispatch(gateway.config.node_id));
    loop {
        match step(gateway).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "dispatch could not look for work"),
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = woken.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Claims one tenant; says whether there was one.
async fn step(gateway: &Inner) -> store::Result<bool> {
    let Some(claimed) = wakeups::claim(&gateway.store, Queue::Dispatch(gateway.config.node_id), CLAIM).await? else {
        return Ok(false);
    };
    gateway.links.nudge(auth::by_claim(&claimed).tenant_id());
    wakeups::done(&gateway.store, claimed, false).await?;
    Ok(true)
}
