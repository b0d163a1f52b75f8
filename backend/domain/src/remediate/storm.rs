//! Storms: when many hosts turn critical at once, it is one cause, or our own view; acting on each of them helps nobody.
//!
//! Counted are hosts that turned critical within five minutes. A client is in a storm from a tenth of its hosts on, but
//! not below 3 and at latest from 20; every client of an organization is, as far as one check goes, from 3 clients on
//! whose hosts that same check finds critical. A storm ends ten minutes after the last instant at which there were so many.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::decide::{LimitKind, LimitRow};
use super::guardrails::{BucketKind, Size};

/// What turned critical within this counts together.
pub const WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// A storm ends when it has been quiet for this long.
pub const QUIET: SignedDuration = SignedDuration::from_mins(10);
/// What happened longer ago than this says nothing of now.
pub const LOOKED_BACK: SignedDuration = SignedDuration::from_mins(15);

const LEAST_HOSTS: u32 = 3;
const MOST_HOSTS: u32 = 20;
/// Clients at which the same check makes a storm.
pub const CLIENTS: u32 = 3;

/// How far a storm reaches, the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// All organizations.
    Platform,
    /// All clients of one.
    Organization,
    /// One client.
    Client,
}

impl Reach {
    /// As a run's event says it.
    pub fn word(self) -> &'static str {
        match self {
            Reach::Platform => "platform",
            Reach::Organization => "tenant",
            Reach::Client => "client",
        }
    }
}

/// Something that turned critical, and when.
pub type Onset = (Timestamp, Uuid);

/// What is known of a run's surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Hosts of the client that turned critical, within [`LOOKED_BACK`], by any check; ascending.
    pub hosts: Vec<Onset>,
    /// Clients at which the run's check found a host critical, within [`LOOKED_BACK`]; ascending.
    pub clients: Vec<Onset>,
    /// Hosts at the client that a person has set.
    pub max_hosts: Option<u32>,
    /// Clients in the organization that a person has set.
    pub max_clients: Option<u32>,
}

/// How many hosts of a client of that size make a storm.
pub fn hosts_of(size: Size) -> u32 {
    size.hosts.div_ceil(10).clamp(LEAST_HOSTS, MOST_HOSTS)
}

/// The most that turned critical together, counted once each, and when the storm that this made is over.
fn storm(onsets: &[Onset], from: u32) -> (u32, Option<Timestamp>) {
    let (mut most, mut ends_at, mut first) = (0, None, 0);
    let mut together: BTreeMap<Uuid, u32> = BTreeMap::new();
    for (at, id) in onsets {
        *together.entry(*id).or_default() += 1;
        while let Some((_, gone)) = onsets.get(first).filter(|(then, _)| *then <= *at - WITHIN) {
            first += 1;
            if let Entry::Occupied(mut left) = together.entry(*gone) {
                *left.get_mut() -= 1;
                if *left.get() == 0 {
                    left.remove();
                }
            }
        }
        let count = u32::try_from(together.len()).unwrap_or(u32::MAX);
        most = most.max(count);
        if count >= from {
            ends_at = Some(*at + QUIET);
        }
    }
    (most, ends_at)
}

/// The rows of both, as stored and shown.
pub fn rows(facts: &Facts, size: Size, now: Timestamp) -> [LimitRow; 2] {
    let row = |scope, onsets: &[Onset], set: Option<u32>, rule: u32, what: &str| {
        let from = set.unwrap_or(rule);
        let (used, ends_at) = storm(onsets, from);
        let frees_at = ends_at.filter(|at| *at > now);
        let why = match frees_at {
            Some(_) => {
                format!("{used} {what} turned critical within 5 min; look at what they share, our own view included")
            }
            None => format!("a storm from {from} {what} that turn critical within 5 min"),
        };
        let (limit, window_secs) = (LimitKind::Storm, u32::try_from(WITHIN.as_secs()).ok());
        LimitRow { limit, scope, used, max: from, window_secs, why, frees_at, holds: frees_at.is_some() }
    };
    [
        row(BucketKind::Client, &facts.hosts, facts.max_hosts, hosts_of(size), "hosts of the client"),
        row(BucketKind::Tenant, &facts.clients, facts.max_clients, CLIENTS, "clients with this check"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(10_000 + secs).expect("a valid second")
    }

    fn onsets(of: &[(i64, u128)]) -> Vec<Onset> {
        of.iter().map(|(secs, id)| (at(*secs), Uuid::from_u128(*id))).collect()
    }

    #[test]
    fn a_tenth_of_the_hosts_makes_a_storm_but_not_two_and_at_latest_twenty() {
        let from = |hosts| hosts_of(Size { hosts, first_week: false });
        assert_eq!([1, 5, 30, 31, 120, 2_000].map(from), [3, 3, 3, 4, 12, 20]);
    }

    #[test]
    fn hosts_count_once_and_only_with_those_of_the_same_five_minutes() {
        for (of, most, ends_at) in [
            (onsets(&[]), 0, None),
            (onsets(&[(0, 1), (10, 2)]), 2, None),
            (onsets(&[(0, 1), (10, 1), (20, 1)]), 1, None),
            (onsets(&[(0, 1), (10, 2), (299, 3)]), 3, Some(at(299) + QUIET)),
            (onsets(&[(0, 1), (10, 2), (300, 3)]), 2, None),
            // A fourth prolongs it while three are still together.
            (onsets(&[(0, 1), (10, 2), (20, 3), (200, 4)]), 4, Some(at(200) + QUIET)),
            (onsets(&[(0, 1), (10, 2), (20, 3), (500, 4)]), 3, Some(at(20) + QUIET)),
        ] {
            assert_eq!(storm(&of, 3), (most, ends_at), "{of:?}");
        }
    }

    #[test]
    fn a_storm_holds_until_it_was_quiet_for_ten_minutes_and_says_what_to_look_at() {
        let facts = Facts { hosts: onsets(&[(0, 1), (1, 2), (2, 3)]), ..Facts::default() };
        let size = Size { hosts: 5, first_week: true };
        let [client, tenant] = rows(&facts, size, at(60));
        assert!(client.holds && !tenant.holds);
        assert_eq!((client.used, client.max, client.frees_at), (3, 3, Some(at(2) + QUIET)));
        assert!(client.why.contains("our own view"), "{}", client.why);
        assert!(!rows(&facts, size, at(2) + QUIET)[0].holds);
        let lifted = Facts { max_hosts: Some(4), ..facts };
        assert!(!rows(&lifted, size, at(60))[0].holds);
    }

    #[test]
    fn the_same_check_at_three_clients_is_a_storm_for_all() {
        let facts = Facts { clients: onsets(&[(0, 1), (1, 2), (2, 3)]), ..Facts::default() };
        let [client, tenant] = rows(&facts, Size { hosts: 5, first_week: false }, at(60));
        assert!(!client.holds && tenant.holds);
        assert_eq!(tenant.scope, BucketKind::Tenant);
    }
}
