//! How many streams of events are open: each waits on this node for hours, so each kind of owner has a bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use uuid::Uuid;

/// Whose streams are counted, from the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// One sign-in, by its hash: a browser.
    Session([u8; 32]),
    /// One login, wherever it is signed in.
    Login(Uuid),
    /// One organization.
    Tenant(Uuid),
    /// This node.
    Node,
}

impl Owner {
    /// The most streams at once. A browser opens six connections to one host when it speaks HTTP/1.1: two are left for
    /// pages.
    pub fn most(&self) -> u32 {
        match self {
            Owner::Session(_) => 4,
            Owner::Login(_) => 16,
            Owner::Tenant(_) => 256,
            Owner::Node => 2_048,
        }
    }

    /// Whom it is said to.
    pub fn words(&self) -> &'static str {
        match self {
            Owner::Session(_) => "this browser",
            Owner::Login(_) => "your login",
            Owner::Tenant(_) => "your organization",
            Owner::Node => "this server",
        }
    }
}

/// The streams that are open; clones share.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<Owner, u32>>>);

/// The place of one stream; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    streams: Streams,
    owners: [Owner; 4],
}

impl Streams {
    fn locked(&self) -> MutexGuard<'_, HashMap<Owner, u32>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// A place for one more, or whose bound is reached.
    pub fn enter(&self, session: [u8; 32], login_id: Uuid, tenant_id: Uuid) -> Result<Place, Owner> {
        let owners = [Owner::Session(session), Owner::Login(login_id), Owner::Tenant(tenant_id), Owner::Node];
        let mut open = self.locked();
        if let Some(full) = owners.iter().find(|owner| open.get(owner).is_some_and(|n| *n >= owner.most())) {
            return Err(*full);
        }
        owners.iter().for_each(|owner| *open.entry(*owner).or_default() += 1);
        Ok(Place { streams: self.clone(), owners })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.locked();
        for owner in &self.owners {
            // What nobody holds is forgotten, so that the map stays as small as what is open.
            if let Some(n) = open.get_mut(owner) {
                *n -= 1;
                if *n == 0 {
                    open.remove(owner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_a_login_and_an_organization_each_have_a_bound_and_what_closes_makes_room() {
        let streams = Streams::default();
        let enter = |session: u8, login: u128, tenant: u128| {
            streams.enter([session; 32], Uuid::from_u128(login), Uuid::from_u128(tenant))
        };
        let mut open: Vec<_> = (0..4).map(|_| enter(1, 1, 1).unwrap()).collect();
        assert_eq!(enter(1, 1, 1).unwrap_err(), Owner::Session([1; 32]));
        open.extend((0..12).map(|n| enter(2 + n / 4, 1, 1).unwrap()));
        assert_eq!(enter(9, 1, 1).unwrap_err(), Owner::Login(Uuid::from_u128(1)));
        open.extend((0..240).map(|n: u8| enter(10 + n / 4, u128::from(100 + n / 4), 1).unwrap()));
        assert_eq!(enter(251, 7, 1).unwrap_err(), Owner::Tenant(Uuid::from_u128(1)));
        assert!(enter(252, 7, 2).is_ok());
        open.clear();
        assert!(streams.locked().is_empty());
    }
}
