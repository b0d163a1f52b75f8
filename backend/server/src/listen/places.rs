//! How many connections there may be, in all and of one source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// It is said at most this often that there was no place.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The places for connections.
#[derive(Clone, Debug)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    of_source: usize,
    of_proxy: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

impl Taken {
    /// One place of a source does not count for it any more.
    fn give_back(&mut self, source: IpAddr) {
        if let Some(n) = self.by_source.get_mut(&source) {
            *n -= 1;
            if *n == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Anybody.
    Strangers,
    /// A proxy that the server was told of: many are behind it.
    Proxys,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All are taken.
    All,
    /// The source has all that one may have.
    Source,
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Inner>,
    source: IpAddr,
    /// Whether it counts for its source; changed under the lock of what is taken.
    counts: AtomicBool,
}

impl Places {
    /// So many, so many for one source, and so many for one proxy that the server was told of.
    pub fn new(most: usize, of_source: usize, of_proxy: usize) -> Places {
        Places(Arc::new(Inner { most, of_source, of_proxy, taken: Mutex::default() }))
    }

    /// A place for one more connection of an address; or why there is none.
    ///
    /// # Errors
    /// There is none.
    pub fn take(&self, address: IpAddr, whose: Whose) -> Result<Place, Full> {
        let source = source(address);
        let most = match whose {
            // A proxy on the machine, named or not.
            _ if source.is_loopback() => self.0.most,
            Whose::Strangers => self.0.of_source,
            Whose::Proxys => self.0.of_proxy,
        };
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = taken.by_source.get(&source).copied().unwrap_or_default();
        if taken.all >= self.0.most {
            return Err(Full::All);
        }
        if of_source >= most {
            return Err(Full::Source);
        }
        taken.all += 1;
        taken.by_source.insert(source, of_source + 1);
        Ok(Place { places: self.0.clone(), source, counts: AtomicBool::new(true) })
    }
}

impl Place {
    /// It counts for its source no more: who is there has proven who they are, and one office has many hosts.
    pub fn set_apart(&self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.counts.swap(false, Ordering::Relaxed) {
            taken.give_back(self.source);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if self.counts.load(Ordering::Relaxed) {
            taken.give_back(self.source);
        }
    }
}

/// Those who got no place since it was said last.
#[derive(Debug, Default)]
pub struct Unheard {
    all: Count,
    source: Count,
}

#[derive(Debug, Default)]
struct Count {
    so_many: u64,
    said_at: Option<Duration>,
}

impl Unheard {
    /// One more got no place, `now` by the monotonic clock; how many did not since it was said last, if it is to be said again.
    pub fn count(&mut self, full: Full, now: Duration) -> Option<u64> {
        let count = match full {
            Full::All => &mut self.all,
            Full::Source => &mut self.source,
        };
        count.so_many += 1;
        if count.said_at.is_some_and(|at| now.saturating_sub(at) < SAID_EVERY) {
            return None;
        }
        count.said_at = Some(now);
        Some(std::mem::take(&mut count.so_many))
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

    fn places(most: usize, of_source: usize) -> Places {
        Places::new(most, of_source, most / 2)
    }

    impl Places {
        fn of_stranger(&self, text: &str) -> Result<Place, Full> {
            self.take(ip(text), Whose::Strangers)
        }

        /// As many as there are for one who asks so often.
        fn as_many(&self, text: &str, whose: Whose, asks: usize) -> Vec<Place> {
            (0..asks).filter_map(|_| self.take(ip(text), whose).ok()).collect()
        }
    }

    #[test]
    fn one_source_does_not_take_the_places_of_the_others() {
        let places = places(4, 2);
        let own = places.as_many("192.0.2.1", Whose::Strangers, 3);
        assert_eq!(own.len(), 2);
        assert_eq!(places.of_stranger("192.0.2.1").unwrap_err(), Full::Source);
        let _other = places.of_stranger("192.0.2.2").unwrap();
        drop(own);
        assert!(places.of_stranger("192.0.2.1").is_ok(), "its places are free again");
        assert!(places.0.taken.lock().unwrap().by_source.len() == 1, "and nothing is remembered of it");
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_are_one_source() {
        let places = places(9, 1);
        let _one = places.of_stranger("2001:db8::1").unwrap();
        assert!(places.of_stranger("2001:db8::ffff:2").is_err());
        assert!(places.of_stranger("2001:db8:0:1::1").is_ok());
        let _mapped = places.of_stranger("::ffff:192.0.2.1").unwrap();
        assert!(places.of_stranger("192.0.2.1").is_err(), "an IPv4 address is one however it is written");
    }

    #[test]
    fn there_are_no_more_places_than_there_are_not_even_for_a_proxy_on_the_machine() {
        for whose in [Whose::Strangers, Whose::Proxys] {
            let places = places(3, 1);
            let all = places.as_many("127.0.0.1", whose, 9);
            assert_eq!(all.len(), 3, "{whose:?}");
            assert_eq!(places.of_stranger("192.0.2.1").unwrap_err(), Full::All);
        }
    }

    #[test]
    fn a_proxy_on_another_machine_has_half_and_no_more() {
        let places = places(16, 2);
        let behind = places.as_many("10.0.0.7", Whose::Proxys, 99);
        assert_eq!(behind.len(), 8);
        assert_eq!(places.take(ip("10.0.0.7"), Whose::Proxys).unwrap_err(), Full::Source);
        assert_eq!(places.as_many("10.0.0.8", Whose::Strangers, 99).len(), 2, "nobody has named this one");
    }

    #[test]
    fn the_hosts_of_an_office_are_linked_from_one_address_and_the_next_one_has_its_place() {
        let places = places(100, 2);
        let mut linked = Vec::new();
        for _ in 0..90 {
            let place = places.of_stranger("192.0.2.1").unwrap();
            place.set_apart();
            place.set_apart();
            linked.push(place);
        }
        let strange = places.as_many("192.0.2.1", Whose::Strangers, 9);
        assert_eq!(strange.len(), 2, "who has proven nothing is counted as before");
        assert_eq!(places.0.taken.lock().unwrap().all, 92);
        drop((linked, strange));
        let taken = places.0.taken.lock().unwrap();
        assert_eq!((taken.all, taken.by_source.len()), (0, 0), "each is free once");
    }

    #[test]
    fn that_there_is_no_place_is_said_once_a_minute() {
        let mut unheard = Unheard::default();
        let mut at = |full, secs| unheard.count(full, Duration::from_secs(secs));
        assert_eq!(at(Full::All, 7), Some(1), "the first time at once");
        assert_eq!((at(Full::All, 8), at(Full::All, 66)), (None, None));
        assert_eq!(at(Full::Source, 66), Some(1), "a source is another matter");
        assert_eq!((at(Full::All, 67), at(Full::All, 68)), (Some(3), None));
    }
}
