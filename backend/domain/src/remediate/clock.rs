//! Whether the database's clock jumped forward: by then windows and cooldowns would seem to be over that are not.

use jiff::{SignedDuration, Timestamp};

/// A step forward of more than this is a jump.
pub const JUMP: SignedDuration = SignedDuration::from_secs(5);

/// What the database's clock showed, and the node's own clock, which nobody can set, before and after it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The database's.
    pub wall: Timestamp,
    /// The node's, before.
    pub asked: SignedDuration,
    /// The node's, after.
    pub answered: SignedDuration,
}

/// How far the database's clock jumped forward between two readings. An answer that was slow to come is no jump: the
/// longest time that can have passed on the node's clock is taken.
pub fn jump(before: &Reading, after: &Reading) -> Option<SignedDuration> {
    let passed = after.answered.saturating_sub(before.asked);
    let by = after.wall.duration_since(before.wall).saturating_sub(passed);
    (by > JUMP).then_some(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(wall: i64, asked: i64, answered: i64) -> Reading {
        Reading {
            wall: Timestamp::from_second(wall).expect("a valid second"),
            asked: SignedDuration::from_secs(asked),
            answered: SignedDuration::from_secs(answered),
        }
    }

    #[test]
    fn time_that_passes_on_both_clocks_is_no_jump_however_much() {
        assert_eq!(jump(&reading(1_000, 0, 0), &reading(90_000, 89_000, 89_000)), None);
    }

    #[test]
    fn more_than_five_seconds_ahead_is_one() {
        assert_eq!(jump(&reading(1_000, 0, 0), &reading(1_015, 10, 10)), None);
        assert_eq!(jump(&reading(1_000, 0, 0), &reading(1_016, 10, 10)), Some(SignedDuration::from_secs(6)));
    }

    #[test]
    fn a_slow_answer_is_not_taken_for_one() {
        assert_eq!(jump(&reading(1_000, 0, 0), &reading(1_020, 1, 20)), None);
        assert_eq!(jump(&reading(1_020, 0, 20), &reading(1_021, 21, 21)), None);
    }

    #[test]
    fn a_step_back_is_not_one() {
        assert_eq!(jump(&reading(1_000, 0, 0), &reading(900, 1, 1)), None);
    }
}
