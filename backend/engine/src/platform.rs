//! The look at the whole platform: whether so much goes wrong at once that no fix should begin anywhere.

use domain::remediate::platform_storm::{Change, judge};
use store::Store;
use store::platform::storm;

/// Looks once, and writes down what comes of it. Every node may; one of them writes.
pub async fn look(store: &Store) -> store::Result<Change> {
    let look = storm::look(store).await?;
    let change = judge(&look.seen, look.storm.map(|storm| storm.ends_at), look.now);
    if !storm::save(store, &look, &change).await? {
        return Ok(Change::Stays);
    }
    match &change {
        Change::Begins { why, .. } => tracing::error!(why, "a storm on the platform: no fix begins anywhere"),
        Change::Ends => tracing::warn!("the storm on the platform is over"),
        Change::GoesOn(_) | Change::Stays => {}
    }
    Ok(change)
}
