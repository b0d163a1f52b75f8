//! How a plan's rate of metric reports is shared out among an organization's hosts. Over it reports are thinned, evenly: each
//! host keeps as many as another, so none goes dark because its clock ticks at the wrong second. Metrics alone are thinned.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

/// A host may have saved up the reports of this long: what its agent keeps while it is offline.
const SAVED_UP: Duration = Duration::from_secs(600);

/// What a host may still send.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Allowance {
    left: f64,
    at: Duration,
}

/// An organization's hosts, and what each may still send, by the monotonic clock of one node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares {
    per_minute: Option<u32>,
    hosts: BTreeMap<Uuid, Allowance>,
}

impl Shares {
    /// The plan says so now; hosts that have sent nothing for a while leave their share to the others.
    pub fn set(&mut self, per_minute: Option<u32>, now: Duration) {
        self.per_minute = per_minute;
        self.hosts.retain(|_, host| now.saturating_sub(host.at) < SAVED_UP);
    }

    /// Whether a report of this host is kept.
    pub fn take(&mut self, host_id: Uuid, now: Duration) -> bool {
        let Some(per_minute) = self.per_minute else { return true };
        let hosts = self.hosts.len() + usize::from(!self.hosts.contains_key(&host_id));
        let per_sec = f64::from(per_minute) / 60.0 / hosts as f64;
        // One at least, or a host with a small share would never have a whole report to spend.
        let most = (per_sec * SAVED_UP.as_secs_f64()).max(1.0);
        let host = self.hosts.entry(host_id).or_insert(Allowance { left: most, at: now });
        host.left = (host.left + now.saturating_sub(host.at).as_secs_f64() * per_sec).min(most);
        host.at = now;
        let is_kept = host.left >= 1.0;
        if is_kept {
            host.left -= 1.0;
        }
        is_kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// What is kept of `hosts` that report each ten seconds, a second apart from each other, within `minutes`.
    fn kept(shares: &mut Shares, hosts: u128, from: u64, minutes: u64) -> BTreeMap<u128, u32> {
        let mut kept: BTreeMap<u128, u32> = (0..hosts).map(|host| (host, 0)).collect();
        for second in from..from + minutes * 60 {
            for host in (0..hosts).filter(|host| (second + *host as u64).is_multiple_of(10)) {
                *kept.entry(host).or_default() += u32::from(shares.take(Uuid::from_u128(host), secs(second)));
            }
        }
        kept
    }

    #[test]
    fn without_a_limit_or_below_it_everything_is_kept() {
        let mut shares = Shares::default();
        assert!(kept(&mut shares, 5, 0, 60).values().all(|n| *n == 360));
        shares.set(Some(30), secs(3_600));
        assert!(kept(&mut shares, 5, 3_600, 60).values().all(|n| *n == 360));
    }

    #[test]
    fn over_it_each_host_keeps_as_many_as_another_and_all_together_what_the_plan_says() {
        let mut shares = Shares::default();
        shares.set(Some(60), secs(0));
        kept(&mut shares, 40, 0, 30); // what was saved up is spent
        let hour = kept(&mut shares, 40, 1_800, 60);
        let (least, most) = (hour.values().min().copied(), hour.values().max().copied());
        assert!(least >= Some(88) && most <= Some(91), "{hour:?}");
    }

    #[test]
    fn a_host_that_was_offline_sends_what_it_kept_if_the_plan_has_room_for_it() {
        let mut shares = Shares::default();
        shares.set(Some(6), secs(0));
        assert!((0..60).all(|_| shares.take(Uuid::nil(), secs(0))), "ten minutes of a report each ten seconds");
        assert!(!shares.take(Uuid::nil(), secs(0)));
        assert!(shares.take(Uuid::nil(), secs(10)));
    }

    #[test]
    fn a_host_that_is_gone_leaves_its_share() {
        let mut shares = Shares::default();
        shares.set(Some(6), secs(0));
        kept(&mut shares, 6, 0, 20);
        shares.set(Some(6), secs(1_800));
        let alone = kept(&mut shares, 1, 1_800, 60);
        assert_eq!(alone[&0], 360);
    }

    proptest! {
        #[test]
        fn in_the_long_run_no_more_is_kept_than_the_plan_says(
            per_minute in 1u32..200,
            asks in prop::collection::vec((0u128..5, 0u64..30), 1..400),
        ) {
            let mut shares = Shares::default();
            shares.set(Some(per_minute), secs(0));
            let (mut now, mut kept) = (0, 0);
            for (host, later) in asks {
                now += later;
                kept += u64::from(shares.take(Uuid::from_u128(host), secs(now)));
            }
            // And what is saved up: the n-th of the five has the n-th part of ten minutes when it is first seen, one at least.
            prop_assert!(kept as f64 <= f64::from(per_minute) * (now as f64 / 60.0 + 22.9) + 5.0);
        }
    }
}
