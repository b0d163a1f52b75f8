//! The storm of the whole platform: organizations share nothing but us, so when much goes wrong at many of them at once
//! the cause may be ours, and no fix begins anywhere until somebody has looked or it was quiet.
//!
//! Counted are organizations, each once, by what they had within five minutes. Those where a fix went badly, or where a
//! storm of their own holds fixes, are a storm from a tenth of all on, but not below 3 and at latest from 20. Those where a
//! fix began are one from half of all on, but not below 10: one fix each, at so many, is hardly chance. It ends ten minutes
//! after the last look that saw so many, or when an operator says so; what was before an operator ended it counts no more.

use jiff::{SignedDuration, Timestamp};

use super::storm::QUIET;

/// What is counted together lies within this.
pub const WITHIN: SignedDuration = super::storm::WITHIN;
/// A storm that goes on is written down anew when its end moves by this much.
const STEP: SignedDuration = SignedDuration::from_secs(60);

/// What an organization had: a sign is kept for a few minutes, and says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A fix was admitted.
    Began,
    /// A fix went badly: it did not help, made something worse, is in doubt or did not last.
    Bad,
    /// A storm of a client's or the organization's holds a fix.
    Storm,
}

impl Sign {
    /// As stored.
    pub fn word(self) -> &'static str {
        match self {
            Sign::Began => "began",
            Sign::Bad => "bad",
            Sign::Storm => "storm",
        }
    }
}

/// Organizations, each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// All that are active.
    pub active: u32,
    /// Where a fix was admitted within [`WITHIN`].
    pub began: u32,
    /// Where a fix went badly.
    pub bad: u32,
    /// Where a storm holds a fix.
    pub storm: u32,
}

impl Seen {
    /// From how many organizations on a sign is a storm.
    pub fn limit(&self, sign: Sign) -> u32 {
        match sign {
            Sign::Began => self.active.div_ceil(2).max(10),
            Sign::Bad | Sign::Storm => self.active.div_ceil(10).clamp(3, 20),
        }
    }

    /// How many had it.
    pub fn count(&self, sign: Sign) -> u32 {
        match sign {
            Sign::Began => self.began,
            Sign::Bad => self.bad,
            Sign::Storm => self.storm,
        }
    }

    /// What makes it a storm, in the operator's words; the tenants are not told of each other.
    pub fn crossed(&self) -> Option<String> {
        let crossed = [Sign::Bad, Sign::Storm, Sign::Began].into_iter().find(|s| self.count(*s) >= self.limit(*s))?;
        let what = match crossed {
            Sign::Began => "fixes began",
            Sign::Bad => "fixes went badly",
            Sign::Storm => "storms held fixes",
        };
        let (n, limit) = (self.count(crossed), self.limit(crossed));
        Some(format!("{what} in {n} of {} organizations within 5 min (limit {limit})", self.active))
    }
}

/// What a look at the platform leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Stays,
    /// A storm begins.
    Begins {
        /// When it ends by itself.
        ends_at: Timestamp,
        /// What made it one.
        why: String,
    },
    /// The storm goes on until then.
    GoesOn(Timestamp),
    /// Its time is over.
    Ends,
}

/// Judges a look at `now`; `ends_at` is that of the storm that is on.
pub fn judge(seen: &Seen, ends_at: Option<Timestamp>, now: Timestamp) -> Change {
    match (seen.crossed(), ends_at) {
        (Some(why), None) => Change::Begins { ends_at: now + QUIET, why },
        (Some(_), Some(at)) if now + QUIET >= at + STEP => Change::GoesOn(now + QUIET),
        (None, Some(at)) if at <= now => Change::Ends,
        _ => Change::Stays,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).expect("a valid second")
    }

    #[test]
    fn a_tenth_of_the_organizations_is_a_storm_but_not_two_and_at_latest_twenty() {
        let limit = |active| Seen { active, ..Seen::default() }.limit(Sign::Bad);
        assert_eq!([1, 30, 31, 120, 2_000].map(limit), [3, 3, 4, 12, 20]);
        let began = |active| Seen { active, ..Seen::default() }.limit(Sign::Began);
        assert_eq!([1, 20, 21, 200].map(began), [10, 10, 11, 100]);
    }

    #[test]
    fn each_sign_is_counted_by_itself_and_the_operator_reads_which_it_was() {
        let seen = Seen { active: 40, began: 19, bad: 3, storm: 3 };
        assert_eq!(seen.crossed(), None, "two signs of which neither is enough are no storm");
        let why = Seen { bad: 4, ..seen }.crossed().expect("a storm");
        assert_eq!(why, "fixes went badly in 4 of 40 organizations within 5 min (limit 4)");
        assert!(Seen { storm: 4, ..seen }.crossed().is_some_and(|why| why.starts_with("storms held fixes in 4")));
        assert!(Seen { began: 20, ..seen }.crossed().is_some_and(|why| why.starts_with("fixes began in 20")));
    }

    #[test]
    fn it_begins_goes_on_while_it_is_seen_and_ends_when_it_was_quiet_for_ten_minutes() {
        let (calm, wild) = (Seen { active: 9, ..Seen::default() }, Seen { active: 9, bad: 3, ..Seen::default() });
        assert_eq!(judge(&calm, None, at(0)), Change::Stays);
        assert!(matches!(judge(&wild, None, at(0)), Change::Begins { ends_at, .. } if ends_at == at(600)));
        assert_eq!(judge(&wild, Some(at(600)), at(15)), Change::Stays, "its end is not written down at each look");
        assert_eq!(judge(&wild, Some(at(600)), at(60)), Change::GoesOn(at(660)));
        assert_eq!(judge(&calm, Some(at(660)), at(659)), Change::Stays);
        assert_eq!(judge(&calm, Some(at(660)), at(660)), Change::Ends);
    }

    #[test]
    fn what_an_operator_set_for_longer_is_not_shortened() {
        let wild = Seen { active: 9, bad: 3, ..Seen::default() };
        assert_eq!(judge(&wild, Some(at(4 * 3_600)), at(0)), Change::Stays);
    }
}
