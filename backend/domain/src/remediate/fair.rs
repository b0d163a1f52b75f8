//! Fair shares inside an organization: one client's bad night never leaves the others without a fix.

use super::decide::{LimitKind, LimitRow};
use super::guardrails::{BucketFacts, BucketKind};

/// What is known of a client's share of its organization's window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Other clients of the organization; where there is none, nobody is to be fair to.
    pub others: u32,
    /// Slots of the organization's window that the client holds now.
    pub holds: u32,
    /// Other clients with a run that is due and no slot in the window.
    pub waiting: u32,
}

/// Whether the shares can hold a run of this weight at all, with so many other clients: only then they are counted.
pub fn matters(tenant: &BucketFacts, others: u32, weight: u32) -> bool {
    let used = u32::try_from(tenant.occupied.len()).unwrap_or(u32::MAX);
    others > 0 && (used.saturating_add(weight) > share(tenant.limits.max_per_window) || free(tenant) <= others)
}

impl Facts {
    /// Whether `waiting` can matter: only then it is worth counting.
    pub fn asks_who_waits(self, tenant: &BucketFacts) -> bool {
        self.holds > 0 && free(tenant) <= self.others
    }
}

/// The share of one client: half of the organization's window, rounded up.
fn share(max: u32) -> u32 {
    max.div_ceil(2)
}

fn free(tenant: &BucketFacts) -> u32 {
    tenant.limits.max_per_window.saturating_sub(u32::try_from(tenant.occupied.len()).unwrap_or(u32::MAX))
}

/// The row of this limit, as stored and shown; none where the client is the only one. A client that holds nothing may
/// take any free slot; one that holds something leaves a slot for each client that waits and has none.
pub fn row(facts: Facts, tenant: &BucketFacts, weight: u32) -> Option<LimitRow> {
    if facts.others == 0 {
        return None;
    }
    let max = share(tenant.limits.max_per_window);
    // One that is heavier than a share, alone, is a matter of the window.
    let over = facts.holds + weight > max && (facts.holds > 0 || weight <= max);
    let crowds_out = facts.holds > 0 && free(tenant) <= facts.waiting;
    let why = match facts.waiting {
        _ if !crowds_out => "half of the organization's window, while it has other clients".to_owned(),
        1 => "another client waits and has had nothing".to_owned(),
        n => format!("{n} other clients wait and have had nothing"),
    };
    Some(LimitRow {
        limit: LimitKind::Share,
        scope: BucketKind::Client,
        used: facts.holds,
        max,
        window_secs: Some(tenant.limits.window_secs),
        why,
        frees_at: None,
        holds: crowds_out || over,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::guardrails::{Numbers, Size, limits};
    use super::*;

    fn tenant(used: u32) -> BucketFacts {
        let at = Timestamp::from_second(1_000).expect("a valid second");
        BucketFacts {
            kind: BucketKind::Tenant,
            key: String::new(),
            frozen: false,
            clock_high: at,
            limits: limits(BucketKind::Tenant, Numbers::default(), Size { hosts: 5, first_week: false }),
            occupied: (1..=used).map(|slot| (at, slot)).collect(),
            flights: Vec::new(),
            own_flight: false,
        }
    }

    fn holds(used: u32, others: u32, holds: u32, waiting: u32) -> bool {
        row(Facts { others, holds, waiting }, &tenant(used), 1).is_some_and(|row| row.holds)
    }

    #[test]
    fn one_client_takes_half_of_ten_and_no_more_while_there_are_others() {
        assert!(!holds(4, 1, 4, 0));
        assert!(holds(5, 1, 5, 0));
        assert!(!holds(9, 0, 9, 0), "alone, it takes all");
    }

    #[test]
    fn a_client_that_holds_a_slot_leaves_one_for_each_that_waits_and_has_none() {
        assert!(!holds(6, 40, 1, 3), "four free, three wait");
        assert!(holds(7, 40, 1, 3), "three free, three wait");
        assert!(!holds(9, 40, 0, 40), "one that holds none takes any free slot");
    }

    #[test]
    fn what_is_not_counted_could_not_have_held() {
        for used in 0..=10 {
            for others in [0, 1, 3, 12] {
                if !matters(&tenant(used), others, 1) {
                    // The client may hold any of the used slots, and any of the others may wait.
                    assert!((0..=used).all(|n| (0..=others).all(|waiting| !holds(used, others, n, waiting))));
                }
            }
        }
    }

    #[test]
    fn ten_slots_and_forty_clients_give_ten_different_ones() {
        let mut held = [0u32; 40];
        let mut used = 0;
        // Each client has two runs due; the first of each comes before the second of any, or after: both are fair.
        for client in (0..40).chain(0..40) {
            let waiting = held.iter().enumerate().filter(|(n, had)| *n != client && **had == 0).count() as u32;
            let facts = Facts { others: 39, holds: held[client], waiting };
            if used < 10 && !row(facts, &tenant(used), 1).expect("there are others").holds {
                held[client] += 1;
                used += 1;
            }
        }
        assert_eq!((used, held.iter().max()), (10, Some(&1)));
    }
}
