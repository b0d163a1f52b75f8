//! What organizations' plans let their hosts report, by this node: each node counts the hosts that report to it, and gives them
//! what the plan says, so over several nodes it may be that many times as much.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use domain::ingest::Shares;
use store::{Store, TenantScope, quotas};
use uuid::Uuid;

/// A plan that was given since counts after this long.
const ANEW: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Known {
    read: Duration,
    shares: Shares,
}

/// By organization.
#[derive(Debug, Default)]
pub struct Plans(Mutex<HashMap<Uuid, Known>>);

impl Plans {
    fn map(&self) -> MutexGuard<'_, HashMap<Uuid, Known>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Whether a report of metrics of this host, received at `now` of the monotonic clock, is kept.
    pub async fn take(&self, store: &Store, scope: &TenantScope, host_id: Uuid, now: Duration) -> bool {
        let tenant_id = scope.tenant_id();
        let is_known = self.map().get(&tenant_id).is_some_and(|known| now.saturating_sub(known.read) < ANEW);
        if !is_known {
            let limit = read(store, scope).await;
            let mut map = self.map();
            let known = map.entry(tenant_id).or_insert_with(|| Known { read: now, shares: Shares::default() });
            known.read = now;
            match limit {
                Ok(limit) => known.shares.set(limit, now),
                // What was known of it holds on; nothing was: everything is kept.
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a plan could not be read"),
            }
        }
        self.map().get_mut(&tenant_id).is_none_or(|known| known.shares.take(host_id, now))
    }
}

async fn read(store: &Store, scope: &TenantScope) -> store::Result<Option<u32>> {
    let mut tx = store.begin(scope).await?;
    let plan = quotas::find_plan(&mut tx).await?;
    tx.commit().await?;
    Ok(plan.max_reports)
}
