//! How often may be asked: by each token, and with what is no token by each address.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use uuid::Uuid;

/// Requests a second of one token in the long run.
const A_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Requests of one token at once.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Requests of one address with what is no token: a second, and at once.
const STRANGE: (NonZeroU32, NonZeroU32) = (NonZeroU32::new(1).unwrap(), NonZeroU32::new(30).unwrap());
/// Keys that are remembered before those are forgotten that have their whole allowance.
const KEYS: usize = 10_000;

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// The allowances of this node.
#[derive(Clone, Debug)]
pub struct Limits {
    tokens: Arc<Keyed<Uuid>>,
    strange: Arc<Keyed<IpAddr>>,
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
        }
    }
}

impl Limits {
    /// Takes one request of a token.
    pub fn take(&self, token_id: Uuid) -> Left {
        take(&self.tokens, token_id)
    }

    /// Takes one request of an address that showed no token.
    pub fn take_strange(&self, address: IpAddr) -> Left {
        take(&self.strange, address)
    }
}

fn take<K: Clone + Hash + Eq>(limiter: &Keyed<K>, key: K) -> Left {
    if limiter.len() > KEYS {
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
    use super::*;

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
        assert!(matches!(limits.take(Uuid::from_u128(2)), Left::Some(_)));
        let mut headers = HeaderMap::new();
        Left::None(3).tell(&mut headers);
        assert_eq!(
            (&headers["ratelimit"], &headers["retry-after"]),
            (&"\"token\";r=0;t=3".parse().unwrap(), &"3".parse().unwrap())
        );
    }
}
