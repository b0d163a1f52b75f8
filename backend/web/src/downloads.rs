//! Files of everything, or of the whole audit, that are on their way: each is read as its reader takes it, so an organization
//! writes one of a kind at a time, and none for longer than a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use uuid::Uuid;

/// How long a file may be on its way: a reader who takes nothing gives its place up then.
pub const LASTS: Duration = Duration::from_secs(3_600);

/// The places of one kind of file on this node.
#[derive(Debug)]
pub struct Places {
    most: usize,
    /// Organizations that write one.
    taken: Mutex<Vec<Uuid>>,
}

/// The place of one file; given back when it is dropped, or when its time is over.
#[derive(Debug)]
pub struct Place {
    held: Arc<Held>,
    watch: AbortHandle,
}

#[derive(Debug)]
struct Held {
    places: &'static Places,
    tenant_id: Uuid,
    is_over: AtomicBool,
}

impl Places {
    /// So many, of organizations that each have one at most.
    pub const fn new(most: usize) -> Places {
        Places { most, taken: Mutex::new(Vec::new()) }
    }

    /// A place for the organization, for so long; none: it has one already, or all are taken.
    pub fn enter(&'static self, tenant_id: Uuid, lasts: Duration) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= self.most || taken.contains(&tenant_id) {
            return None;
        }
        taken.push(tenant_id);
        drop(taken);
        let held = Arc::new(Held { places: self, tenant_id, is_over: AtomicBool::new(false) });
        let watched = held.clone();
        // A reader who takes nothing asks for no part, so nobody else would see that the time is over.
        let watch = tokio::spawn(async move {
            tokio::time::sleep(lasts).await;
            watched.leave();
        });
        Some(Place { held, watch: watch.abort_handle() })
    }
}

impl Held {
    fn leave(&self) {
        if !self.is_over.swap(true, Ordering::AcqRel) {
            let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.retain(|tenant_id| *tenant_id != self.tenant_id);
        }
    }
}

impl Place {
    /// Whether its time is over: the file is cut off.
    pub fn is_over(&self) -> bool {
        self.held.is_over.load(Ordering::Acquire)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.watch.abort();
        self.held.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_organization_has_one_place_the_node_some_and_what_is_over_or_dropped_makes_room() {
        static PLACES: Places = Places::new(2);
        let enter = |tenant: u128, lasts: Duration| PLACES.enter(Uuid::from_u128(tenant), lasts);
        let first = enter(1, LASTS).unwrap();
        assert!(enter(1, LASTS).is_none(), "one at a time");
        let slow = enter(2, Duration::ZERO).unwrap();
        assert!(enter(3, LASTS).is_none(), "all are taken");
        while !slow.is_over() {
            tokio::task::yield_now().await;
        }
        let again = enter(2, LASTS).unwrap();
        drop(slow);
        assert!(enter(2, LASTS).is_none(), "what is over takes no other's place along");
        drop(first);
        assert!(enter(3, LASTS).is_some());
        drop(again);
        assert!(PLACES.taken.lock().unwrap().is_empty());
    }
}
