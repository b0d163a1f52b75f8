//! Bounds on the damage: how much may be unproven at once, how much may have gone badly, and how a version is tried out.
//!
//! Counted per client. *Unproven*: in flight, in doubt, or finished and not yet judged. *Bad*: remediations, not runs, whose
//! last rung ended not fixed, that made something worse or relapsed, or that are in doubt.

use jiff::{SignedDuration, Timestamp};

use super::decide::{LimitKind, LimitRow};
use super::guardrails::{BucketKind, Size};

/// Bad remediations count this long.
pub const BAD_COUNTS: SignedDuration = SignedDuration::from_hours(24);
/// No wave is larger than this until the version has this many verified runs at the client.
const TRIED: u32 = 50;
const UNTRIED_WAVE: u32 = 25;

/// Numbers that a person has set for a client; `None`: the rule of its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Most unproven at once.
    pub max_unproven: Option<u32>,
    /// Most bad remediations in a day before all stops.
    pub max_bad: Option<u32>,
    /// The largest wave.
    pub max_wave: Option<u32>,
}

/// What is known of a client and of one playbook version there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Runs unproven now, without the one that is decided.
    pub unproven: u32,
    /// Of these, runs of the same playbook version.
    pub unproven_of_version: u32,
    /// Verified runs of the version here since one of them was bad; counted up to 64.
    pub verified_of_version: u32,
    /// When each bad remediation of the last day went bad, ascending.
    pub bad: Vec<Timestamp>,
    /// What a person has set.
    pub set: Numbers,
}

impl Facts {
    /// A run of the client was admitted, of this version or of another: nobody has judged it yet.
    pub fn note_admitted(&mut self, of_version: bool) {
        self.unproven += 1;
        self.unproven_of_version += u32::from(of_version);
    }
}

/// Most unproven at once in a client of that size.
pub fn max_unproven(size: Size) -> u32 {
    size.halved(size.hosts.div_ceil(25).clamp(1, 25))
}

/// Most bad remediations in a day before all stops in a client of that size.
pub fn max_bad(size: Size) -> u32 {
    size.halved(match size.hosts {
        0..=10 => 1,
        11..=100 => 2,
        101..=500 => 4,
        _ => 8,
    })
}

/// Hosts on which a version may be unproven at once: the first alone, then 1, 2, 4, … up to a tenth of the client.
fn wave(size: Size, verified: u32) -> u32 {
    let grown = if verified == 0 { 1 } else { 1 << verified.ilog2().min(10) };
    let tenth = size.hosts.div_ceil(10).max(1);
    let cap = if verified < TRIED { tenth.min(UNTRIED_WAVE) } else { tenth };
    grown.min(cap)
}

/// The rows of these limits, as stored and shown.
pub fn rows(facts: &Facts, size: Size, now: Timestamp) -> [LimitRow; 3] {
    let rule = size.rule("at the client");
    let row = |limit, used: u32, set: Option<u32>, max: u32, why: String, frees_at| {
        let max = set.unwrap_or(max);
        let why = if set.is_some() { "set by a person".to_owned() } else { why };
        LimitRow { limit, scope: BucketKind::Client, used, max, window_secs: None, why, frees_at, holds: used >= max }
    };
    let halved = if size.first_week { format!("{rule}, halved in the first week") } else { rule };
    let unproven =
        row(LimitKind::Unproven, facts.unproven, facts.set.max_unproven, max_unproven(size), halved.clone(), None);
    let bad: Vec<Timestamp> = facts.bad.iter().copied().filter(|at| *at + BAD_COUNTS > now).collect();
    let mut bad_row = row(LimitKind::Bad, bad.len() as u32, facts.set.max_bad, max_bad(size), halved, None);
    // One fewer than the number is left when enough of the earliest no longer count.
    let over = (bad_row.used + 1).saturating_sub(bad_row.max.max(1)) as usize;
    bad_row.frees_at = over.checked_sub(1).and_then(|last| bad.get(last)).map(|at| *at + BAD_COUNTS);
    let verified = facts.verified_of_version;
    let why =
        format!("{verified} verified runs of this version here; the first host alone, then 1, 2, 4, … up to a tenth");
    let wave = row(LimitKind::Wave, facts.unproven_of_version, facts.set.max_wave, wave(size, verified), why, None);
    [unproven, bad_row, wave]
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(hosts: u32) -> Size {
        Size { hosts, first_week: false }
    }

    #[test]
    fn the_numbers_follow_the_table_of_sizes() {
        assert_eq!([5, 50, 300, 2000].map(|n| max_unproven(size(n))), [1, 2, 12, 25]);
        assert_eq!([5, 50, 300, 2000].map(|n| max_bad(size(n))), [1, 2, 4, 8]);
        assert_eq!(max_bad(Size { hosts: 300, first_week: true }), 2);
    }

    #[test]
    fn a_version_is_tried_on_one_host_then_on_ever_more_up_to_a_tenth() {
        assert_eq!([0, 1, 2, 3, 4, 9, 40].map(|v| wave(size(400), v)), [1, 1, 2, 2, 4, 8, 25]);
        assert_eq!(wave(size(400), 64), 40);
        assert_eq!([0, 64].map(|v| wave(size(9), v)), [1, 1]);
    }

    #[test]
    fn bad_ones_hold_until_enough_of_them_are_a_day_old() {
        let at = |s| Timestamp::from_second(s).expect("a valid second");
        let facts = Facts { bad: vec![at(0), at(5_000), at(6_000)], ..Facts::default() };
        let [_, bad, _] = rows(&facts, size(50), at(10_000));
        assert_eq!((bad.used, bad.max, bad.holds, bad.frees_at), (3, 2, true, Some(at(5_000) + BAD_COUNTS)));
        let [_, later, _] = rows(&facts, size(50), at(5_000) + BAD_COUNTS);
        assert_eq!((later.used, later.holds), (1, false));
    }

    #[test]
    fn what_a_person_set_goes_before_the_rule() {
        let set = Numbers { max_unproven: Some(7), max_bad: Some(9), max_wave: Some(3) };
        let facts = Facts { unproven: 2, unproven_of_version: 2, set, ..Facts::default() };
        let now = Timestamp::from_second(0).expect("a valid second");
        assert!(rows(&facts, size(1), now).iter().all(|row| !row.holds && row.why == "set by a person"));
    }
}
