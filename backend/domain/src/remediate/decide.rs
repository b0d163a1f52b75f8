//! The one decision before an act: run, would run, hold, ask, or refuse; always with reasons.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::breaker::Breaker;
use super::damage;
use super::fair;
use super::guardrails::{BucketFacts, BucketKind, Flight, Size};
use super::storm;
use crate::classify::Mode;

/// What stops actions until a time that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind {
    /// People work there: actions stop, messages do not.
    HandsOff,
    /// A program (a backup, an update) works there.
    Interlock,
    /// Maintenance was planned there.
    Maintenance,
}

impl StopKind {
    /// What a technician calls it.
    pub fn label(self) -> &'static str {
        match self {
            StopKind::HandsOff => "hands off",
            StopKind::Interlock => "interlock",
            StopKind::Maintenance => "maintenance",
        }
    }
}

/// A stop over the run's host, its client or its organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Which.
    pub kind: StopKind,
    /// Over what.
    pub scope: BucketKind,
    /// Why, as whoever set it wrote.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When it ends by itself.
    pub ends_at: Timestamp,
}

impl Stop {
    /// "hands off by a technician: moving it".
    pub fn words(&self) -> String {
        if self.kind == StopKind::Maintenance {
            return format!("maintenance: {}", self.reason);
        }
        format!("{} by {}: {}", self.kind.label(), self.by, self.reason)
    }
}

/// Everything a decision looks at, read after the locks.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The admission's now.
    pub now: Timestamp,
    /// The mapping's mode.
    pub mode: Mode,
    /// The platform's own brake.
    pub platform_frozen: bool,
    /// When the storm of the whole platform ends by itself, while there is one; `None` too for an undo, which takes damage back.
    pub platform_storm: Option<Timestamp>,
    /// How far the database's clock jumped forward, if nobody has looked at it since.
    pub clock_jump: Option<SignedDuration>,
    /// The playbook is of risk E: never run by anybody.
    pub escalate_only: bool,
    /// Who said yes to exactly this run, while that yes counts.
    pub approved_by: Option<String>,
    /// The playbook is of risk H: never by itself.
    pub needs_person: bool,
    /// The host gets no jobs until a person re-attests it.
    pub quarantined: Option<String>,
    /// Another job of the host is unfinished.
    pub host_busy: bool,
    /// Hands off and interlocks over the host.
    pub stops: Vec<Stop>,
    /// The services and hosts that the run may touch, at least 1.
    pub weight: u32,
    /// The buckets, in lock order.
    pub buckets: Vec<BucketFacts>,
    /// The client's share of its organization's window; `None` for an undo, which is not paid from it.
    pub share: Option<fair::Facts>,
    /// What bounds the damage at the client; `None` for an undo, which takes damage back.
    pub damage: Option<(damage::Facts, Size)>,
    /// Whether much turned critical at once; `None` for an undo, as above.
    pub storm: Option<(storm::Facts, Size)>,
    /// The breakers over the run, those that are closed left out.
    pub breakers: Vec<Breaker>,
}

/// Which limit a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// The platform's brake.
    Platform,
    /// Much goes wrong at once on the whole platform.
    PlatformStorm,
    /// A bucket frozen by a person.
    Frozen,
    /// The clock is behind what an earlier admission used.
    Clock,
    /// The clock jumped forward, and the operator has not looked yet.
    ClockJump,
    /// Runs in a window.
    Window,
    /// Runs at once.
    InFlight,
    /// The host's one unfinished job.
    HostLock,
    /// Hands off.
    HandsOff,
    /// An interlock.
    Interlock,
    /// Planned maintenance.
    Maintenance,
    /// The host is not trusted yet.
    Quarantine,
    /// Runs of the client that nobody has judged yet.
    Unproven,
    /// Remediations of the client that went badly in a day.
    Bad,
    /// A version is tried on few hosts first.
    Wave,
    /// A client's share of its organization's window.
    Share,
    /// Much turned critical at once.
    Storm,
    /// A breaker.
    Breaker,
}

impl LimitKind {
    /// Whether a person has to know at once that it holds: it is ended by people, or says that something goes wrong.
    pub fn needs_a_person(self) -> bool {
        matches!(
            self,
            LimitKind::HandsOff
                | LimitKind::Interlock
                | LimitKind::Quarantine
                | LimitKind::ClockJump
                | LimitKind::Frozen
                | LimitKind::Bad
                | LimitKind::Storm
                | LimitKind::PlatformStorm
                | LimitKind::Breaker
        )
    }
}

/// One limit with its numbers, as stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    /// Which.
    pub limit: LimitKind,
    /// Over what.
    pub scope: BucketKind,
    /// What used it.
    pub used: u32,
    /// The number.
    pub max: u32,
    /// The window in seconds, for windows.
    pub window_secs: Option<u32>,
    /// Why it is that number, or why it holds.
    pub why: String,
    /// When it frees, if it is known.
    pub frees_at: Option<Timestamp>,
    /// Whether it holds the run.
    pub holds: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Act now, with these slots.
    Run {
        /// What to take in each bucket.
        slots: Vec<Slot>,
    },
    /// The mapping only watches; whether the limits would have let it run stands in the rows.
    WouldRun,
    /// Not now.
    Hold {
        /// The sentence people read first.
        headline: String,
        /// When to look again.
        until: Timestamp,
        /// Whether a person has to know at once.
        tell_now: bool,
    },
    /// A person is asked; no slot is taken.
    NeedsApproval,
    /// Never.
    Refuse {
        /// Why.
        reason: String,
    },
}

impl Answer {
    /// One word for the decision row.
    pub fn word(&self) -> &'static str {
        match self {
            Answer::Run { .. } => "run",
            Answer::WouldRun => "would_run",
            Answer::Hold { .. } => "hold",
            Answer::NeedsApproval => "needs_approval",
            Answer::Refuse { .. } => "refuse",
        }
    }
}

/// A place in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Which kind of bucket.
    pub kind: BucketKind,
    /// Which bucket.
    pub key: String,
    /// The slot, from 1.
    pub slot_no: u32,
    /// The flight, where the bucket counts flights.
    pub flight_no: Option<u32>,
    /// The slot stays taken until then.
    pub occupied_until: Timestamp,
}

/// The decision with everything it looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// The mode it was decided under.
    pub mode: Mode,
    /// Who said yes to it, if it had to be asked for and was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// Every limit, those that allow included.
    pub limits: Vec<LimitRow>,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
}

impl Decided {
    /// Whether planned maintenance alone holds it: nobody is told of what was planned.
    pub fn is_planned(&self) -> bool {
        let mut holding = self.limits.iter().filter(|row| row.holds).peekable();
        holding.peek().is_some() && holding.all(|row| row.limit == LimitKind::Maintenance)
    }

    /// Over what a storm holds it: the platform before the organization, and that before the client.
    pub fn storm(&self) -> Option<storm::Reach> {
        let holding = self.limits.iter().filter(|row| row.holds);
        let reach = holding.filter_map(|row| match (row.limit, row.scope) {
            (LimitKind::PlatformStorm, _) => Some(storm::Reach::Platform),
            (LimitKind::Storm, BucketKind::Tenant) => Some(storm::Reach::Organization),
            (LimitKind::Storm, _) => Some(storm::Reach::Client),
            _ => None,
        });
        reach.min()
    }
}

/// A held run without a known time is looked at again after this long.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// Decides. The headline of a hold is the reason with the latest end; at a tie the narrowest scope.
pub fn decide(facts: &Facts) -> Decided {
    let limits = rows(facts);
    let answer = answer(facts, &limits);
    Decided { at: facts.now, mode: facts.mode, approved_by: facts.approved_by.clone(), limits, answer }
}

fn rows(facts: &Facts) -> Vec<LimitRow> {
    let now = facts.now;
    let mut rows = Vec::new();
    let brake = |limit, scope, on: bool, why: &str, frees_at| LimitRow {
        limit,
        scope,
        used: u32::from(on),
        max: 0,
        window_secs: None,
        why: why.to_owned(),
        frees_at,
        holds: on,
    };
    let why =
        if facts.platform_frozen { "stopped for everybody by the operator" } else { "the platform acts normally" };
    rows.push(brake(LimitKind::Platform, BucketKind::Tenant, facts.platform_frozen, why, None));
    // Nothing is said of a storm that is not on: it is rare.
    if let Some(ends_at) = facts.platform_storm {
        let why = "much goes wrong at once on the whole platform, so the cause may be ours";
        rows.push(brake(LimitKind::PlatformStorm, BucketKind::Tenant, true, why, Some(ends_at)));
    }
    if let Some(by) = facts.clock_jump {
        let secs = by.as_secs();
        let why = format!("the database's clock jumped {secs} s forward, so windows may only seem to be over");
        rows.push(brake(LimitKind::ClockJump, BucketKind::Tenant, true, &why, None));
    }
    let (quarantined, why) = match &facts.quarantined {
        Some(reason) => (true, reason.as_str()),
        None => (false, "the host is trusted"),
    };
    rows.push(brake(LimitKind::Quarantine, BucketKind::Host, quarantined, why, None));
    for (kind, limit, none) in [
        (StopKind::HandsOff, LimitKind::HandsOff, "nobody said hands off"),
        (StopKind::Interlock, LimitKind::Interlock, "no interlock is set"),
    ] {
        let mut stops = facts.stops.iter().filter(|stop| stop.kind == kind).peekable();
        if stops.peek().is_none() {
            rows.push(brake(limit, BucketKind::Host, false, none, None));
        }
        rows.extend(stops.map(|stop| brake(limit, stop.scope, true, &stop.words(), Some(stop.ends_at))));
    }
    // Nothing is said of maintenance that is not on: it is planned beforehand, and rare.
    let planned = facts.stops.iter().filter(|stop| stop.kind == StopKind::Maintenance);
    rows.extend(planned.map(|stop| brake(LimitKind::Maintenance, stop.scope, true, &stop.words(), Some(stop.ends_at))));
    for b in &facts.buckets {
        if b.frozen {
            rows.push(brake(LimitKind::Frozen, b.kind, true, "stopped by a person", None));
        }
        if now < b.clock_high {
            let why = "the database's clock is behind an earlier admission";
            rows.push(brake(LimitKind::Clock, b.kind, true, why, Some(b.clock_high)));
        }
        let used = b.occupied.len() as u32;
        let needs = b.kind.slots_of(facts.weight);
        let full = b.free_slots(needs).is_none();
        // There is room when enough of the earliest have ended to bring the count below the number.
        let over = (used + needs).saturating_sub(b.limits.max_per_window + 1) as usize;
        rows.push(LimitRow {
            limit: LimitKind::Window,
            scope: b.kind,
            used,
            max: b.limits.max_per_window,
            window_secs: Some(b.limits.window_secs),
            why: b.limits.why.clone(),
            frees_at: b.occupied.get(over).map(|(at, _)| *at),
            holds: full,
        });
        if let Some(max) = b.limits.max_in_flight {
            rows.push(LimitRow {
                limit: LimitKind::InFlight,
                scope: b.kind,
                used: b.flights.len() as u32,
                max,
                window_secs: None,
                why: b.limits.why.clone(),
                frees_at: None,
                holds: b.free_flight() == Flight::AllInUse,
            });
        }
    }
    rows.push(LimitRow {
        limit: LimitKind::HostLock,
        scope: BucketKind::Host,
        used: u32::from(facts.host_busy),
        max: 1,
        window_secs: None,
        why: "one unfinished job a host".to_owned(),
        frees_at: None,
        holds: facts.host_busy,
    });
    let tenant = facts.buckets.iter().find(|bucket| bucket.kind == BucketKind::Tenant);
    if let (Some(share), Some(tenant)) = (facts.share, tenant) {
        rows.extend(fair::row(share, tenant, facts.weight));
    }
    if let Some((damage, size)) = &facts.damage {
        rows.extend(damage::rows(damage, *size, now));
    }
    if let Some((storm, size)) = &facts.storm {
        rows.extend(storm::rows(storm, *size, now));
    }
    rows.extend(facts.breakers.iter().map(|breaker| breaker.row(now)));
    rows
}

fn answer(facts: &Facts, limits: &[LimitRow]) -> Answer {
    if facts.escalate_only {
        return Answer::Refuse { reason: "this playbook is for people only (risk E)".to_owned() };
    }
    if facts.mode == Mode::Observe {
        return Answer::WouldRun;
    }
    let too_small = |b: &&BucketFacts| b.kind.slots_of(facts.weight) > b.limits.max_per_window;
    if let Some(b) = facts.buckets.iter().find(too_small) {
        let (weight, most, place) = (facts.weight, b.limits.max_per_window, b.kind.label().to_lowercase());
        return Answer::Refuse {
            reason: format!("this fix may touch {weight} things at once, and the limit is {most} ({place})"),
        };
    }
    let mut holding: Vec<&LimitRow> = limits.iter().filter(|r| r.holds).collect();
    if !holding.is_empty() {
        let until = |r: &LimitRow| r.frees_at.filter(|at| *at > facts.now).unwrap_or(facts.now + LOOK_AGAIN);
        holding.sort_by_key(|r| (until(r), r.scope.rank()));
        let headline = holding.last().map(|r| headline(r, facts.now)).unwrap_or_default();
        let latest = holding.iter().map(|r| until(r)).max().unwrap_or(facts.now + LOOK_AGAIN);
        let tell_now = holding.iter().any(|r| r.limit.needs_a_person());
        return Answer::Hold { headline, until: latest, tell_now };
    }
    if (facts.mode == Mode::Approve || facts.needs_person) && facts.approved_by.is_none() {
        return Answer::NeedsApproval;
    }
    let mut slots = Vec::new();
    let headline = "a limit is used up".to_owned();
    let used_up = Answer::Hold { headline, until: facts.now + LOOK_AGAIN, tell_now: false };
    for b in &facts.buckets {
        let flight_no = match b.free_flight() {
            Flight::NotNeeded => None,
            Flight::Take(n) => Some(n),
            Flight::AllInUse => return used_up,
        };
        let Some(free) = b.free_slots(b.kind.slots_of(facts.weight)) else { return used_up };
        let occupied_until = facts.now + SignedDuration::from_secs(i64::from(b.limits.window_secs));
        let mut flight_no = flight_no;
        slots.extend(free.into_iter().map(|slot_no| {
            let (kind, key) = (b.kind, b.key.clone());
            Slot { kind, key, slot_no, flight_no: flight_no.take(), occupied_until }
        }));
    }
    Answer::Run { slots }
}

fn headline(row: &LimitRow, now: Timestamp) -> String {
    let left = row.frees_at.filter(|at| *at > now).map(|at| {
        let secs = at.duration_since(now).as_millis().div_euclid(1000) + 1;
        format!(", {}:{:02} left", secs / 60, secs % 60)
    });
    let left = left.unwrap_or_default();
    match row.limit {
        LimitKind::HandsOff | LimitKind::Interlock | LimitKind::Maintenance => row.why.clone(),
        LimitKind::Platform => "held: stopped for everybody by the operator".to_owned(),
        LimitKind::PlatformStorm => format!("held: storm on the whole platform{left}"),
        LimitKind::Frozen => format!("held: {} stopped by a person", row.scope.label().to_lowercase()),
        LimitKind::Clock => format!("held: the clock went backwards{left}"),
        LimitKind::ClockJump => "held: the database's clock jumped forward; the operator must look".to_owned(),
        LimitKind::Quarantine => format!("held: host not trusted yet ({})", row.why),
        LimitKind::Window if row.scope == BucketKind::HostPlaybook => format!("held by cooldown{left}"),
        LimitKind::Window => {
            format!("held: {} runs of {} used ({}){left}", row.used, row.max, row.scope.label().to_lowercase())
        }
        LimitKind::InFlight if row.scope == BucketKind::ServiceGroup => {
            format!("held: {} of {} at once in its service group ({})", row.used, row.max, row.why)
        }
        LimitKind::InFlight => {
            format!("held: {} of {} at once ({})", row.used, row.max, row.scope.label().to_lowercase())
        }
        LimitKind::HostLock => "held: another job of this host is unfinished".to_owned(),
        LimitKind::Unproven => format!("held: {} of {} fixes at this client are not verified yet", row.used, row.max),
        LimitKind::Bad => {
            format!("held: {} fixes went badly at this client in a day (limit {}){left}", row.used, row.max)
        }
        LimitKind::Wave => format!("held: this version is being tried on {} of {} hosts first", row.used, row.max),
        LimitKind::Share => {
            format!("held: {} of {} of this client’s share are used ({})", row.used, row.max, row.why)
        }
        LimitKind::Storm => format!("held: storm, {}{left}", row.why),
        LimitKind::Breaker => format!("held by breaker: {}{left}", row.why),
    }
}

#[cfg(test)]
mod tests {
    use super::super::guardrails::{Limits, Numbers, limits};
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).expect("a valid second")
    }

    fn bucket(kind: BucketKind) -> BucketFacts {
        let limits: Limits = limits(kind, Numbers::default(), Size { hosts: 5, first_week: false });
        let key = "k".to_owned();
        BucketFacts {
            kind,
            key,
            frozen: false,
            clock_high: at(0),
            limits,
            occupied: vec![],
            flights: vec![],
            own_flight: false,
        }
    }

    fn facts() -> Facts {
        Facts {
            now: at(1000),
            mode: Mode::Auto,
            platform_frozen: false,
            platform_storm: None,
            clock_jump: None,
            escalate_only: false,
            needs_person: false,
            approved_by: None,
            quarantined: None,
            host_busy: false,
            stops: vec![],
            buckets: BucketKind::OF_EVERY_RUN.into_iter().map(bucket).collect(),
            weight: 1,
            share: None,
            damage: None,
            storm: None,
            breakers: vec![],
        }
    }

    #[test]
    fn an_unhindered_run_takes_the_first_slot_everywhere_and_a_flight_on_the_host() {
        let Answer::Run { slots } = decide(&facts()).answer else { panic!("held") };
        assert_eq!(slots.len(), 5);
        assert!(slots.iter().all(|s| s.slot_no == 1));
        assert_eq!(slots.iter().filter(|s| s.flight_no == Some(1)).count(), 1);
    }

    #[test]
    fn a_heavy_run_takes_its_weight_where_others_share_and_one_flight_or_nothing() {
        let mut f = facts();
        f.weight = 2;
        f.buckets[1].limits.max_in_flight = Some(5);
        let Answer::Run { slots } = decide(&f).answer else { panic!("held") };
        let of = |kind| slots.iter().filter(|s| s.kind == kind).map(|s| (s.slot_no, s.flight_no)).collect::<Vec<_>>();
        assert_eq!(of(BucketKind::Client), [(1, Some(1)), (2, None)]);
        assert_eq!(of(BucketKind::Tenant), [(1, None), (2, None)]);
        assert_eq!(of(BucketKind::Host), [(1, Some(1))]);
        f.buckets[1].occupied = vec![(at(1100), 1)];
        assert!(matches!(decide(&f).answer, Answer::Hold { until, .. } if until == at(1100)), "two or none");
        f.weight = 3;
        let refused = decide(&f).answer;
        let why = "this fix may touch 3 things at once, and the limit is 2 (client)".to_owned();
        assert_eq!(refused, Answer::Refuse { reason: why });
    }

    #[test]
    fn a_host_of_a_group_waits_while_another_of_it_is_being_fixed() {
        let mut f = facts();
        let mut group = bucket(BucketKind::ServiceGroup);
        group.flights = vec![1];
        f.buckets.insert(2, group);
        let Answer::Hold { headline, .. } = decide(&f).answer else { panic!("not held") };
        assert_eq!(headline, "held: 1 of 1 at once in its service group (rule for 5 hosts in the group)");
        f.buckets[2].flights.clear();
        let Answer::Run { slots } = decide(&f).answer else { panic!("held") };
        assert!(slots.iter().any(|s| (s.kind, s.flight_no) == (BucketKind::ServiceGroup, Some(1))));
    }

    #[test]
    fn a_client_that_has_its_share_is_held_while_others_wait() {
        let mut f = facts();
        f.share = Some(fair::Facts { others: 3, holds: 5, waiting: 1 });
        let Answer::Hold { headline, .. } = decide(&f).answer else { panic!("not held") };
        assert!(headline.starts_with("held: 5 of 5 of this client’s share are used"), "{headline}");
    }

    #[test]
    fn a_second_press_within_ten_minutes_is_held_by_cooldown_with_the_time_left() {
        let mut f = facts();
        f.buckets[3].occupied = vec![(at(1000 + 552), 1)];
        let Answer::Hold { headline, until, .. } = decide(&f).answer else { panic!("not held") };
        assert_eq!((headline.as_str(), until), ("held by cooldown, 9:13 left", at(1552)));
    }

    #[test]
    fn a_host_that_would_exceed_the_blast_radius_is_held() {
        let mut f = facts();
        f.buckets[1].occupied = vec![(at(1100), 1), (at(1200), 2)];
        assert!(matches!(decide(&f).answer, Answer::Hold { until, .. } if until == at(1100)));
    }

    #[test]
    fn hands_off_holds_until_it_ends_and_a_person_is_told_at_once() {
        let mut f = facts();
        f.stops.push(stop(StopKind::HandsOff, BucketKind::Host, "moving", 9000));
        assert!(matches!(decide(&f).answer, Answer::Hold { until, tell_now: true, .. } if until == at(9000)));
    }

    fn stop(kind: StopKind, scope: BucketKind, reason: &str, ends: i64) -> Stop {
        Stop { kind, scope, reason: reason.to_owned(), by: "a technician".to_owned(), ends_at: at(ends) }
    }

    #[test]
    fn an_interlock_holds_beside_hands_off_and_the_later_end_is_the_headline() {
        let mut f = facts();
        f.stops.push(stop(StopKind::HandsOff, BucketKind::Host, "moving", 2000));
        f.stops.push(stop(StopKind::Interlock, BucketKind::Tenant, "backup", 3000));
        let Answer::Hold { headline, until, tell_now: true } = decide(&f).answer else { panic!("not held") };
        assert_eq!((headline.as_str(), until), ("interlock by a technician: backup", at(3000)));
    }

    #[test]
    fn maintenance_holds_until_its_end_and_alone_it_is_no_news() {
        let mut f = facts();
        f.stops.push(stop(StopKind::Maintenance, BucketKind::Client, "patch night", 2000));
        let decided = decide(&f);
        let Answer::Hold { headline, until, tell_now: false } = &decided.answer else { panic!("not held") };
        assert_eq!((headline.as_str(), *until, decided.is_planned()), ("maintenance: patch night", at(2000), true));
        f.stops.push(stop(StopKind::Interlock, BucketKind::Tenant, "backup", 1000));
        assert!(!decide(&f).is_planned(), "somebody holds it too");
        assert!(!decide(&facts()).is_planned(), "nothing holds it");
    }

    #[test]
    fn observe_evaluates_every_limit_and_takes_nothing() {
        let mut f = facts();
        f.mode = Mode::Observe;
        f.buckets[3].occupied = vec![(at(1552), 1)];
        let decided = decide(&f);
        assert_eq!(decided.answer, Answer::WouldRun);
        assert!(decided.limits.iter().any(|r| r.holds));
    }

    #[test]
    fn a_storm_of_the_platform_holds_until_it_ends_a_person_is_told_and_its_reach_is_the_widest() {
        let mut f = facts();
        f.platform_storm = Some(at(1600));
        let of_client = storm::Facts {
            hosts: (0..3).map(|n| (at(990 + n), uuid::Uuid::from_u128(n as u128))).collect(),
            ..storm::Facts::default()
        };
        f.storm = Some((of_client, Size { hosts: 5, first_week: false }));
        let decided = decide(&f);
        let Answer::Hold { headline, until, tell_now: true } = &decided.answer else { panic!("not held") };
        assert_eq!((headline.as_str(), *until), ("held: storm on the whole platform, 10:01 left", at(1600)));
        assert_eq!(decided.storm(), Some(storm::Reach::Platform));
        f.platform_storm = None;
        assert_eq!(decide(&f).storm(), Some(storm::Reach::Client));
        assert_eq!(decide(&facts()).storm(), None);
    }

    #[test]
    fn every_hold_looks_again_at_a_time_in_the_future() {
        let mut f = facts();
        f.host_busy = true;
        assert!(matches!(decide(&f).answer, Answer::Hold { until, .. } if until == at(1060)));
    }

    #[test]
    fn a_clock_behind_an_earlier_admission_admits_nothing() {
        let mut f = facts();
        f.buckets[0].clock_high = at(1005);
        assert!(matches!(decide(&f).answer, Answer::Hold { until, .. } if until == at(1005)));
    }

    #[test]
    fn a_clock_that_jumped_forward_admits_nothing_until_somebody_has_looked_and_a_person_is_told() {
        let mut f = facts();
        f.clock_jump = Some(SignedDuration::from_secs(3_600));
        assert!(matches!(decide(&f).answer, Answer::Hold { until, tell_now: true, .. } if until == at(1060)));
    }
}
