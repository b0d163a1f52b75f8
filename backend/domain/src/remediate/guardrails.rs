//! The limits on acting and where their numbers come from.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::damage;
use super::decide::Slot;

/// Kinds of buckets a run or its undo takes slots in, in the order of their locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BucketKind {
    /// All runs of the tenant.
    Tenant,
    /// All runs at one client.
    Client,
    /// All runs in a service group: on hosts that stand in for each other.
    ServiceGroup,
    /// All runs on one host.
    Host,
    /// The same fix on the same host: cooldown.
    HostPlaybook,
    /// The same fix on the same host: per day.
    HostPlaybookDay,
    /// Undos at one client: what takes back is not paid from the budget of fixes.
    Undo,
}

impl BucketKind {
    /// Slots that a run of this weight takes in a bucket of the kind: as many as it may touch where it shares with
    /// others, one where the bucket is about its own host.
    pub fn slots_of(self, weight: u32) -> u32 {
        match self {
            BucketKind::Tenant | BucketKind::Client | BucketKind::ServiceGroup => weight,
            _ => 1,
        }
    }

    /// All kinds with their stored words and ranks.
    pub const ALL: [(BucketKind, &'static str, i16); 7] = [
        (BucketKind::Tenant, "tenant", 1),
        (BucketKind::Client, "client", 2),
        (BucketKind::ServiceGroup, "service_group", 3),
        (BucketKind::Host, "host", 5),
        (BucketKind::HostPlaybook, "host_playbook", 6),
        (BucketKind::HostPlaybookDay, "host_playbook_day", 7),
        (BucketKind::Undo, "undo", 8),
    ];

    /// Those that every run takes slots in; a service group's comes with its declaration, an undo has its own.
    pub const OF_EVERY_RUN: [BucketKind; 5] = [
        BucketKind::Tenant,
        BucketKind::Client,
        BucketKind::Host,
        BucketKind::HostPlaybook,
        BucketKind::HostPlaybookDay,
    ];

    /// The stored word.
    pub fn word(self) -> &'static str {
        BucketKind::ALL.iter().find(|(k, ..)| *k == self).map_or("", |(_, w, _)| w)
    }

    /// The place in the order of locks.
    pub fn rank(self) -> i16 {
        BucketKind::ALL.iter().find(|(k, ..)| *k == self).map_or(0, |(.., r)| *r)
    }

    /// The kind of a stored word.
    pub fn parse(word: &str) -> Option<BucketKind> {
        BucketKind::ALL.iter().find(|(_, w, _)| *w == word).map(|(k, ..)| *k)
    }

    /// What a technician calls it.
    pub fn label(self) -> &'static str {
        match self {
            BucketKind::Tenant => "Organization",
            BucketKind::Client => "Client",
            BucketKind::ServiceGroup => "Service group",
            BucketKind::Host => "Host",
            BucketKind::HostPlaybook => "This fix on this host, cooldown",
            BucketKind::HostPlaybookDay => "This fix on this host, per day",
            BucketKind::Undo => "Undos at the client",
        }
    }
}

/// Numbers a person has set for a bucket; `None`: the rule of the scope's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Most runs at once.
    pub max_in_flight: Option<u32>,
    /// Most runs in a window.
    pub max_per_window: Option<u32>,
    /// The window, in seconds.
    pub window_secs: Option<u32>,
    /// What makes a storm: hosts of a client, or clients of the organization with the same check.
    pub max_storm: Option<u32>,
    /// What bounds the damage, in a client's bucket.
    pub damage: damage::Numbers,
}

/// How large a scope is, and whether the tenant is in its first week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Hosts in the scope.
    pub hosts: u32,
    /// In a tenant's first week counts (never times) are halved, rounded up, never below 1.
    pub first_week: bool,
}

impl Size {
    /// Where a number comes from that nobody has set: "rule for 5 hosts at the client".
    pub fn rule(self, place: &str) -> String {
        let hosts = if self.hosts == 1 { "host" } else { "hosts" };
        format!("rule for {} {hosts} {place}", self.hosts)
    }

    /// A count, halved in the first week, never below 1.
    pub fn halved(self, count: u32) -> u32 {
        if self.first_week { count.div_ceil(2).max(1) } else { count }
    }
}

/// A bucket's limits with the reason of each number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most runs at once; `None`: not limited by this bucket.
    pub max_in_flight: Option<u32>,
    /// Most runs in a window.
    pub max_per_window: u32,
    /// The window, in seconds.
    pub window_secs: u32,
    /// Why it is that number, in words.
    pub why: String,
}

/// The defaults as functions of the scope's size; a number a person set goes before.
pub fn limits(kind: BucketKind, set: Numbers, size: Size) -> Limits {
    let n = size.hosts;
    let (in_flight, per_window, window_secs, rule) = match kind {
        BucketKind::Tenant => (None, n.div_ceil(50).clamp(10, 200), 600, size.rule("in the organization")),
        BucketKind::Client => (None, n.div_ceil(20).clamp(2, 25), 600, size.rule("at the client")),
        BucketKind::ServiceGroup => (Some((n / 20).max(1)), (2 * n).max(2), 600, size.rule("in the group")),
        BucketKind::Undo => (None, n.div_ceil(20).clamp(2, 25), 600, size.rule("at the client")),
        BucketKind::Host => (Some(1), 3, 3600, "rule for one host".to_owned()),
        BucketKind::HostPlaybook => (None, 1, 600, "a fix rests 10 minutes".to_owned()),
        BucketKind::HostPlaybookDay => (None, 3, 86_400, "three fixes of one thing a day are a symptom".to_owned()),
    };
    let halve = |count: u32| size.halved(count);
    let why = match (set.max_per_window.is_some() || set.window_secs.is_some(), size.first_week) {
        (true, _) => "set by a person".to_owned(),
        (false, true) if kind != BucketKind::HostPlaybook => format!("{rule}, halved in the first week"),
        (false, _) => rule,
    };
    Limits {
        max_in_flight: set.max_in_flight.or(in_flight.map(halve)),
        max_per_window: set.max_per_window.unwrap_or_else(|| halve(per_window)),
        window_secs: set.window_secs.unwrap_or(window_secs),
        why,
    }
}

/// What is known of one bucket, read after its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketFacts {
    /// Its kind.
    pub kind: BucketKind,
    /// Its key.
    pub key: String,
    /// Stopped by a person.
    pub frozen: bool,
    /// The latest now an admission here has used.
    pub clock_high: Timestamp,
    /// Its limits.
    pub limits: Limits,
    /// When each occupied slot frees, ascending, with the slot's number.
    pub occupied: Vec<(Timestamp, u32)>,
    /// Flight numbers in use.
    pub flights: Vec<u32>,
    /// The run that is being decided holds a flight here already (an attempt after a doubt).
    pub own_flight: bool,
}

/// Which flight an admission takes in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flight {
    /// The bucket does not count flights, or an earlier attempt still holds one.
    NotNeeded,
    /// This one.
    Take(u32),
    /// None is free.
    AllInUse,
}

impl BucketFacts {
    /// The lowest free slot numbers, if so many are free.
    pub fn free_slots(&self, wanted: u32) -> Option<Vec<u32>> {
        let taken: HashSet<u32> = self.occupied.iter().map(|(_, slot)| *slot).collect();
        let wanted = wanted as usize;
        let free: Vec<u32> = (1..=self.limits.max_per_window).filter(|n| !taken.contains(n)).take(wanted).collect();
        (free.len() == wanted).then_some(free)
    }

    /// The flight to take.
    pub fn free_flight(&self) -> Flight {
        match self.limits.max_in_flight {
            None => Flight::NotNeeded,
            Some(_) if self.own_flight => Flight::NotNeeded,
            Some(max) => (1..=max).find(|n| !self.flights.contains(n)).map_or(Flight::AllInUse, Flight::Take),
        }
    }
}

/// A locked bucket through a batch of decisions: what one run takes, the next finds taken.
#[derive(Clone, Debug)]
pub struct Occupancy {
    bucket: BucketFacts,
    /// The runs that hold its flights.
    holders: Vec<Uuid>,
}

impl Occupancy {
    /// As it was read under its lock.
    pub fn new(bucket: BucketFacts, holders: Vec<Uuid>) -> Self {
        Occupancy { bucket, holders }
    }

    /// What the decision on `run_id` finds.
    pub fn seen_by(&self, run_id: Uuid) -> BucketFacts {
        BucketFacts { own_flight: self.holders.contains(&run_id), ..self.bucket.clone() }
    }

    /// `run_id` takes a slot of this bucket.
    pub fn take(&mut self, run_id: Uuid, slot: &Slot) {
        let taken = (slot.occupied_until, slot.slot_no);
        let place = self.bucket.occupied.partition_point(|other| *other <= taken);
        self.bucket.occupied.insert(place, taken);
        if let Some(flight) = slot.flight_no {
            self.bucket.flights.push(flight);
            self.holders.push(run_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_run_takes_the_next_finds_taken_and_its_own_flight_is_its_own() {
        let at = |s| Timestamp::from_second(s).expect("a valid second");
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let of_host = limits(BucketKind::Host, Numbers::default(), Size { hosts: 1, first_week: false });
        let empty = BucketFacts {
            kind: BucketKind::Host,
            key: "k".to_owned(),
            frozen: false,
            clock_high: at(0),
            limits: of_host,
            occupied: vec![(at(50), 1), (at(90), 3)],
            flights: vec![],
            own_flight: false,
        };
        let mut bucket = Occupancy::new(empty, vec![]);
        assert_eq!(bucket.seen_by(first).free_slots(1), Some(vec![2]));
        let (kind, key, slot_no, flight_no) = (BucketKind::Host, "k".to_owned(), 2, Some(1));
        bucket.take(first, &Slot { kind, key, slot_no, flight_no, occupied_until: at(70) });
        let seen = bucket.seen_by(second);
        assert_eq!(seen.occupied, [(at(50), 1), (at(70), 2), (at(90), 3)], "the earliest end first");
        assert_eq!((seen.free_slots(1), seen.free_flight()), (None, Flight::AllInUse));
        assert_eq!(bucket.seen_by(first).free_flight(), Flight::NotNeeded);
    }

    #[test]
    fn the_defaults_follow_the_table_of_sizes() {
        let at = |kind, hosts| limits(kind, Numbers::default(), Size { hosts, first_week: false }).max_per_window;
        assert_eq!([5, 50, 300, 2000].map(|n| at(BucketKind::Client, n)), [2, 3, 15, 25]);
        assert_eq!([5, 50, 300, 2000].map(|n| at(BucketKind::Tenant, n)), [10, 10, 10, 40]);
    }

    #[test]
    fn a_service_group_has_one_in_flight_and_a_twentieth_from_twenty_members_on() {
        let at = |hosts| limits(BucketKind::ServiceGroup, Numbers::default(), Size { hosts, first_week: false });
        assert_eq!([0, 5, 19, 50, 300, 2000].map(|n| at(n).max_in_flight), [1, 1, 1, 2, 15, 100].map(Some));
        assert_eq!((at(5).max_per_window, at(0).max_per_window), (10, 2), "each member twice in ten minutes");
    }

    #[test]
    fn a_rule_counts_one_host_and_many() {
        let rule = |hosts| Size { hosts, first_week: false }.rule("at the client");
        assert_eq!([rule(1), rule(5)], ["rule for 1 host at the client", "rule for 5 hosts at the client"]);
    }

    #[test]
    fn the_first_week_halves_counts_and_never_times() {
        let host = limits(BucketKind::Host, Numbers::default(), Size { hosts: 1, first_week: true });
        assert_eq!((host.max_per_window, host.max_in_flight, host.window_secs), (2, Some(1), 3600));
        let cooldown = limits(BucketKind::HostPlaybook, Numbers::default(), Size { hosts: 1, first_week: true });
        assert_eq!((cooldown.max_per_window, cooldown.window_secs), (1, 600));
    }
}
