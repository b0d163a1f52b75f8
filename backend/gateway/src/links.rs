//! Which hosts are linked to this node.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::mpsc;
use uuid::Uuid;

/// What the node tells a link's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudge {
    /// Something may be due for the host.
    Due,
    /// A newer link of the host is here.
    Replaced,
}

#[derive(Debug)]
struct Entry {
    tenant_id: Uuid,
    epoch: i64,
    nudges: mpsc::Sender<Nudge>,
}

/// The links by host.
#[derive(Debug, Default)]
pub struct Links(Mutex<HashMap<Uuid, Entry>>);

impl Links {
    fn map(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Enters a link; one of an older epoch is told that it is replaced.
    pub fn enter(&self, tenant_id: Uuid, host_id: Uuid, epoch: i64) -> mpsc::Receiver<Nudge> {
        // One nudge that is not read yet says as much as many; the second place is for `Replaced`.
        let (nudges, receiver) = mpsc::channel(2);
        let mut map = self.map();
        if map.get(&host_id).is_some_and(|old| old.epoch >= epoch) {
            let _ = nudges.try_send(Nudge::Replaced);
            return receiver;
        }
        if let Some(old) = map.insert(host_id, Entry { tenant_id, epoch, nudges }) {
            let _ = old.nudges.try_send(Nudge::Replaced); // full: it ends with its sender, which is dropped here
        }
        receiver
    }

    /// Takes a link out, unless a newer one took its place.
    pub fn leave(&self, host_id: Uuid, epoch: i64) {
        let mut map = self.map();
        if map.get(&host_id).is_some_and(|e| e.epoch == epoch) {
            map.remove(&host_id);
        }
    }

    /// Nudges every link of a tenant.
    pub fn nudge(&self, tenant_id: Uuid) {
        for entry in self.map().values().filter(|e| e.tenant_id == tenant_id) {
            if entry.nudges.capacity() > 1 {
                let _ = entry.nudges.try_send(Nudge::Due);
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.map().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_link_replaces_the_older_and_survives_its_leaving() {
        let (links, host, tenant) = (Links::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let mut old = links.enter(tenant, host, 1);
        let mut new = links.enter(tenant, host, 2);
        assert_eq!(old.try_recv(), Ok(Nudge::Replaced));
        links.leave(host, 1);
        links.nudge(tenant);
        links.nudge(tenant);
        links.nudge(Uuid::from_u128(3));
        assert_eq!(new.try_recv(), Ok(Nudge::Due));
        assert!(new.try_recv().is_err());
        assert_eq!(links.enter(tenant, host, 2).try_recv(), Ok(Nudge::Replaced));
        assert_eq!(links.count(), 1);
    }
}
