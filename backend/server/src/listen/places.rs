//! How many connections there may be, in all and of one source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The places for connections.
#[derive(Clone, Debug)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    of_source: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Inner>,
    source: IpAddr,
}

impl Places {
    /// So many, and so many for one source.
    pub fn new(most: usize, of_source: usize) -> Places {
        Places(Arc::new(Inner { most, of_source, taken: Mutex::default() }))
    }

    /// A place for one more connection of an address, if there is one.
    pub fn take(&self, address: IpAddr) -> Option<Place> {
        let source = source(address);
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = taken.by_source.get(&source).copied().unwrap_or_default();
        if taken.all >= self.0.most || (of_source >= self.0.of_source && !source.is_loopback()) {
            return None;
        }
        taken.all += 1;
        taken.by_source.insert(source, of_source + 1);
        Some(Place { places: self.0.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(n) = taken.by_source.get_mut(&self.source) {
            *n -= 1;
            if *n == 0 {
                taken.by_source.remove(&self.source);
            }
        }
    }
}

/// The address, or the network of 64 bits that a holder of IPv6 addresses has at least.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        other => other,
    }
}

/// Lets the process have as many file handles as it is allowed to ask for; how many that is.
pub fn raise_handles() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard);
    usize::try_from(raised).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_source_does_not_take_the_places_of_the_others() {
        let places = Places::new(4, 2);
        let own: Vec<Place> = (0..3).filter_map(|_| places.take(ip("192.0.2.1"))).collect();
        assert_eq!(own.len(), 2);
        let _other = places.take(ip("192.0.2.2")).unwrap();
        drop(own);
        assert!(places.take(ip("192.0.2.1")).is_some(), "its places are free again");
        assert!(places.0.taken.lock().unwrap().by_source.len() == 1, "and nothing is remembered of it");
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_are_one_source() {
        let places = Places::new(9, 1);
        let _one = places.take(ip("2001:db8::1")).unwrap();
        assert!(places.take(ip("2001:db8::ffff:2")).is_none());
        assert!(places.take(ip("2001:db8:0:1::1")).is_some());
        let _mapped = places.take(ip("::ffff:192.0.2.1")).unwrap();
        assert!(places.take(ip("192.0.2.1")).is_none(), "an IPv4 address is one however it is written");
    }

    #[test]
    fn there_are_no_more_places_than_there_are_not_even_for_a_proxy_on_the_machine() {
        let places = Places::new(3, 1);
        let all: Vec<Place> = (0..9).filter_map(|_| places.take(ip("127.0.0.1"))).collect();
        assert_eq!(all.len(), 3);
        assert!(places.take(ip("192.0.2.1")).is_none());
    }
}
