//! What a node does now and then, whoever uses it: sessions that have ended go, and the days ahead have their partitions.

use std::error::Error;
use std::time::Duration;

use store::{Store, migrate, sessions};
use tokio_util::sync::CancellationToken;

/// How often. Nothing waits for it: a session that has ended is refused anyway, and partitions are made 14 days ahead.
const EVERY: Duration = Duration::from_secs(600);

/// Passes, until cancelled.
pub async fn run(store: Store, cancel: CancellationToken) {
    let mut beat = tokio::time::interval(EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = beat.tick() => pass(&store).await,
        }
    }
}

/// One pass; what fails is logged and done at the next.
pub async fn pass(store: &Store) {
    match sessions::delete_expired(store).await {
        Ok(0) => {}
        Ok(count) => tracing::debug!(count, "sessions that had ended were deleted"),
        Err(error) => tracing::warn!(error = &error as &dyn Error, "sessions that have ended could not be deleted"),
    }
    if let Err(error) = migrate::ensure_days(store).await {
        tracing::warn!(error = &error as &dyn Error, "partitions for the days ahead could not be made");
    }
}
