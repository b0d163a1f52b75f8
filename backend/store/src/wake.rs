//! Queues of due work, and waking this node's loops after a commit.
//!
//! One process wakes its own loops in memory; a slow poll backs it up everywhere. What wakes the loops of
//! other nodes will live here and nowhere else (a lint keeps `NOTIFY` out of every other file).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use uuid::Uuid;

/// A kind of due work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Checks that the server itself runs, and timers of hold times.
    Detect,
    /// Signals.
    Classify,
    /// Planned and held runs, ended leases, overdue permits.
    Remediate,
    /// Runs to verify.
    Verify,
    /// Jobs and questions for hosts linked to a node.
    Dispatch(Uuid),
    /// The outbox.
    Notify,
    /// Hosts that fell silent.
    Silence,
}

impl Queue {
    /// Its name in `tenant_wakeups`.
    pub fn name(self) -> String {
        match self {
            Queue::Detect => "detect".into(),
            Queue::Classify => "classify".into(),
            Queue::Remediate => "remediate".into(),
            Queue::Verify => "verify".into(),
            Queue::Dispatch(node) => format!("dispatch@{node}"),
            Queue::Notify => "notify".into(),
            Queue::Silence => "silence".into(),
        }
    }
}

/// Wakes this node's loops; clones share.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Mutex<HashMap<Queue, Arc<Notify>>>>);

impl Wake {
    /// What a loop on `queue` waits for (`notified().await`); a wake-up sent while nobody waits is kept.
    pub fn subscribe(&self, queue: Queue) -> Arc<Notify> {
        let mut map = self.0.lock().unwrap_or_else(|e| e.into_inner());
        map.entry(queue).or_default().clone()
    }

    /// Wakes the loop on `queue`.
    pub fn wake(&self, queue: Queue) {
        self.subscribe(queue).notify_one();
    }
}
