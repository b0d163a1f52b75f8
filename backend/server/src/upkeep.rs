//! What a node does now and then, whoever uses it: sessions that have ended go, the days ahead have their partitions, days
//! that were kept long enough lose theirs, what was deleted goes, and every tenant has its standing wake-ups, from which the
//! sweep finds whatever else was forgotten.

use std::error::Error;
use std::time::Duration;

use store::people::{ceremonies, letters, plans, sources};
use store::{Store, deletions, migrate, sessions, wakeups};
use tokio_util::sync::CancellationToken;

/// How often. Nothing waits for it: a session that has ended is refused anyway, and partitions are made 14 days ahead.
const EVERY: Duration = Duration::from_secs(600);
/// How often the standing wake-ups are looked after: they bound how long anything else may be forgotten.
const STANDING: Duration = Duration::from_secs(60);

/// Passes, until cancelled.
pub async fn run(store: Store, cancel: CancellationToken) {
    let [mut beat, mut standing] = [EVERY, STANDING].map(|every| {
        let mut beat = tokio::time::interval(every);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        beat
    });
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = beat.tick() => pass(&store).await,
            _ = standing.tick() => {
                if let Err(error) = wakeups::ensure_standing(&store).await {
                    tracing::warn!(error = &error as &dyn Error, "the standing wake-ups could not be looked after");
                }
                erase(&store).await;
            }
        }
    }
}

/// The rows of clients and organizations that are deleted go.
pub async fn erase(store: &Store) {
    match deletions::erase_begun(store).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "rows of what was deleted have gone"),
        Err(error) => tracing::warn!(error = &error as &dyn Error, "what was deleted has not gone yet"),
    }
}

/// One pass; what fails is logged and done at the next.
pub async fn pass(store: &Store) {
    match sessions::delete_expired(store).await {
        Ok(0) => {}
        Ok(count) => tracing::debug!(count, "sessions that had ended were deleted"),
        Err(error) => tracing::warn!(error = &error as &dyn Error, "sessions that have ended could not be deleted"),
    }
    let forgotten = async {
        sources::delete_quiet(store).await?;
        letters::delete_old(store).await?;
        ceremonies::delete_expired(store).await
    };
    if let Err(error) = forgotten.await {
        tracing::warn!(
            error = &error as &dyn Error,
            "old letters, quiet sources and what nobody finished could not be deleted"
        );
    }
    if let Err(error) = migrate::ensure_days(store).await {
        tracing::warn!(error = &error as &dyn Error, "partitions for the days ahead could not be made");
    }
    match plans::trim(store).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "rows that their organization's plan keeps no longer were deleted"),
        Err(error) => tracing::warn!(error = &error as &dyn Error, "what plans keep no longer is there still"),
    }
    match migrate::drop_days(store).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "partitions that were kept long enough were dropped"),
        Err(error) => tracing::warn!(error = &error as &dyn Error, "old partitions could not be dropped"),
    }
}
