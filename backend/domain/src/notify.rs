//! Who is told what, and when: what needs a person at once, what healed only while that is news.

use jiff::{SignedDuration, Timestamp};

/// What a mail says; also the word in its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It broke and was fixed.
    Fixed,
    /// A person has to look.
    NeedsYou,
    /// A fix wanted to run, and something holds it.
    Held,
}

impl Kind {
    /// Its word in the outbox.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Fixed => "fixed",
            Kind::NeedsYou => "needs_you",
            Kind::Held => "held",
        }
    }

    /// The kind of a stored word.
    pub fn parse(word: &str) -> Option<Kind> {
        [Kind::Fixed, Kind::NeedsYou, Kind::Held].into_iter().find(|kind| kind.word() == word)
    }
}

/// A fix that cooldown, a window or another run holds is told only if it is still held after this long.
pub const STILL_HELD_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// A mapping's first fixes are told one by one, until people have learnt to trust it.
pub const NEWS: u64 = 5;
/// How often something must come back within [`RECURS_WITHIN`] before that is news again.
pub const RECURS: u64 = 3;
/// The window in which it counts as the same thing coming back.
pub const RECURS_WITHIN: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Why a fix gets a mail of its own; none: it stands on the pages only.
///
/// `fixed_by_mapping` counts this fix, `recurrences` counts this one and those before within [`RECURS_WITHIN`];
/// `told` says that people were told before that this incident needs them, or is held.
pub fn tell_fixed(told: bool, fixed_by_mapping: u64, recurrences: u64) -> Option<&'static str> {
    if told {
        Some("Sent because an earlier mail said that this was not fixed.")
    } else if recurrences == RECURS {
        Some("Sent because it came back a third time: a fix that keeps being needed hides a cause.")
    } else if fixed_by_mapping <= NEWS {
        Some("Sent because this fix is new here: its first five times are told one by one.")
    } else {
        None
    }
}

/// A mail that nobody took in this time is given up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// The longest pause between two attempts.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// When a mail that was not taken is tried again; none: it is given up. `attempts` counts the one that failed.
pub fn try_again_at(queued_at: Timestamp, now: Timestamp, attempts: u32) -> Option<Timestamp> {
    if now.duration_since(queued_at) >= GIVE_UP {
        return None;
    }
    // 5 s, 15 s, 45 s, then minutes: quick while it may be a hiccup, rare while it is an outage.
    let secs = 5_i64.saturating_mul(3_i64.saturating_pow(attempts.saturating_sub(1)));
    Some(now + SignedDuration::from_secs(secs).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_told_while_it_is_news() {
        assert!(tell_fixed(false, 1, 1).is_some_and(|why| why.contains("new here")));
        assert!(tell_fixed(false, 5, 2).is_some());
        assert_eq!(tell_fixed(false, 6, 2), None);
        assert!(tell_fixed(false, 60, 3).is_some_and(|why| why.contains("third time")));
        assert_eq!(tell_fixed(false, 60, 4), None);
    }

    #[test]
    fn who_was_called_is_told_that_it_is_over() {
        assert!(tell_fixed(true, 60, 40).is_some_and(|why| why.contains("earlier mail")));
    }

    #[test]
    fn pauses_grow_to_a_quarter_hour_and_end_after_a_day() {
        let start = Timestamp::UNIX_EPOCH;
        let (mut now, mut pauses) = (start, Vec::new());
        for attempt in 1.. {
            let Some(next) = try_again_at(start, now, attempt) else { break };
            pauses.push(next.duration_since(now).as_secs());
            now = next;
        }
        assert_eq!(pauses[..6], [5, 15, 45, 135, 405, 900]);
        assert!(pauses.iter().all(|pause| *pause <= 900));
        assert!(now.duration_since(start) >= GIVE_UP && pauses.len() < 110, "{}", pauses.len());
    }
}
