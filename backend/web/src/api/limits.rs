//! How often may be asked: by each token, and with what is no token by each address.

use std::collections::HashSet;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

/// Requests a second of one token in the long run.
const A_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Requests of one token at once.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Requests of one address with what is no token: a second, and at once.
const STRANGE: (NonZeroU32, NonZeroU32) = (NonZeroU32::new(1).unwrap(), NonZeroU32::new(30).unwrap());
/// Keys that are remembered before those are forgotten that have their whole allowance.
const KEYS: usize = 10_000;
/// Looking for those takes long where there are many, so one request in so many does.
const LOOK_EVERY: usize = 1_000;

/// Hashes of tokens that have worked, before they are forgotten together.
const WORKED: usize = 10_000;
/// How long whoever shows another one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// The allowances of this node.
#[derive(Clone, Debug)]
pub struct Limits {
    tokens: Arc<Keyed<Uuid>>,
    strange: Arc<Keyed<IpAddr>>,
    asked: Arc<AtomicUsize>,
    worked: Arc<Mutex<HashSet<[u8; 32]>>>,
    unknown: Arc<Semaphore>,
}

/// A turn to look a token up; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    _held: Option<SemaphorePermit<'a>>,
}

/// What is left of an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// So many requests at once.
    Some(u32),
    /// Nothing for so many seconds.
    None(u64),
}

impl Default for Limits {
    fn default() -> Limits {
        let keyed = |a_second, at_once| Quota::per_second(a_second).allow_burst(at_once);
        Limits {
            tokens: Arc::new(RateLimiter::dashmap(keyed(A_SECOND, AT_ONCE)).with_middleware()),
            strange: Arc::new(RateLimiter::dashmap(keyed(STRANGE.0, STRANGE.1)).with_middleware()),
            asked: Arc::default(),
            worked: Arc::default(),
            unknown: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Limits {
    /// A turn to look up whose token has this hash; none: others of its kind held it too long. Anybody can make up tokens of
    /// a right checksum, and each costs a look-up before it is known for one: those that have not worked here have one
    /// turn between them, so they never hold more than one of the few connections. To refuse them before the look-up by what
    /// their address has left would refuse a real one too that comes from there for the first time, and behind a proxy that
    /// nobody has named every one does. One that has worked waits for nobody.
    pub async fn turn(&self, hash: &[u8; 32]) -> Option<Turn<'_>> {
        if self.worked.lock().unwrap_or_else(PoisonError::into_inner).contains(hash) {
            return Some(Turn { _held: None });
        }
        let held = tokio::time::timeout(PATIENCE, self.unknown.acquire()).await.ok()?.ok()?;
        Some(Turn { _held: Some(held) })
    }

    /// Remembers that the token of this hash has worked.
    pub fn mark_worked(&self, hash: [u8; 32]) {
        let mut worked = self.worked.lock().unwrap_or_else(PoisonError::into_inner);
        if worked.len() >= WORKED {
            worked.clear();
        }
        worked.insert(hash);
    }

    /// It works no more.
    pub fn forget(&self, hash: &[u8; 32]) {
        self.worked.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }

    /// Takes one request of a token.
    pub fn take(&self, token_id: Uuid) -> Left {
        take(&self.tokens, &self.asked, token_id)
    }

    /// Takes one request of an address that showed no token; of the long ones the network that one customer gets is counted.
    pub fn take_strange(&self, address: IpAddr) -> Left {
        take(&self.strange, &self.asked, network(address))
    }
}

/// An address, or of the long ones its /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        IpAddr::V4(_) => address,
    }
}

fn take<K: Clone + Hash + Eq>(limiter: &Keyed<K>, asked: &AtomicUsize, key: K) -> Left {
    if asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EVERY) && limiter.len() > KEYS {
        limiter.retain_recent();
    }
    match limiter.check_key(&key) {
        Ok(left) => Left::Some(left.remaining_burst_capacity()),
        Err(not_until) => Left::None(not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1),
    }
}

impl Left {
    /// Says so in an answer's headers.
    pub fn tell(self, headers: &mut HeaderMap) {
        let (r, t) = match self {
            Left::Some(left) => (left, (AT_ONCE.get() - left.min(AT_ONCE.get())).div_ceil(A_SECOND.get()).into()),
            Left::None(secs) => (0, secs),
        };
        let policy = format!("\"token\";q={AT_ONCE};w={}", AT_ONCE.get() / A_SECOND.get());
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", format!("\"token\";r={r};t={t}"))] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        if let Left::None(secs) = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_no_token_waits_for_its_own_kind_and_one_that_has_worked_for_nobody() {
        let limits = Limits::default();
        let (made_up, real) = ([1; 32], [2; 32]);
        let held = limits.turn(&made_up).await;
        assert!(held.is_some());
        assert!(limits.turn(&real).now_or_never().is_none(), "nothing is known of it yet");
        limits.mark_worked(real);
        assert!(limits.turn(&real).now_or_never().flatten().is_some());
        limits.forget(&real);
        assert!(limits.turn(&real).now_or_never().is_none());
        drop(held);
        assert!(limits.turn(&real).now_or_never().flatten().is_some());
        for n in 0..WORKED + 10 {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            limits.mark_worked(hash);
        }
        assert_eq!(limits.worked.lock().unwrap().len(), 10);
    }

    #[test]
    fn a_token_that_asks_too_often_is_told_when_to_come_again_and_others_are_not() {
        let limits = Limits::default();
        let mut refused = 0;
        for n in 0..AT_ONCE.get() * 2 {
            match limits.take(Uuid::from_u128(1)) {
                Left::Some(left) => assert!(left < AT_ONCE.get()),
                Left::None(secs) => {
                    assert!(n >= AT_ONCE.get() && secs == 1);
                    refused += 1;
                }
            }
        }
        assert!(refused > 50, "{refused}");
        // Whoever has a network of their own has one allowance, however many addresses that has.
        let strange = |text: &str| limits.take_strange(text.parse().unwrap());
        for n in 0..STRANGE.1.get() {
            assert!(matches!(strange(&format!("2001:db8:0:1::{n:x}")), Left::Some(_)), "{n}");
        }
        assert!(matches!(strange("2001:db8:0:1:ffff::1"), Left::None(_)));
        assert!(matches!(strange("2001:db8:0:2::1"), Left::Some(_)));
        assert!(matches!(strange("192.0.2.1"), Left::Some(_)) && matches!(strange("192.0.2.2"), Left::Some(_)));
        assert!(matches!(limits.take(Uuid::from_u128(2)), Left::Some(_)));
        let mut headers = HeaderMap::new();
        Left::None(3).tell(&mut headers);
        assert_eq!(
            (&headers["ratelimit"], &headers["retry-after"]),
            (&"\"token\";r=0;t=3".parse().unwrap(), &"3".parse().unwrap())
        );
    }
}
