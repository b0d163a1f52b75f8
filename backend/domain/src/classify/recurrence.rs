//! An alert that opens again soon after it was fixed: a relapse; and one that was fixed too often in a day: a symptom.

use jiff::{SignedDuration, Timestamp};

/// A fixed alert has relapsed when it opens again within so many of its stability windows … Our own numbers.
const WINDOWS: i32 = 10;
/// … but this long at least …
const LEAST: SignedDuration = SignedDuration::from_secs(30);
/// … and this long at most.
const MOST: SignedDuration = SignedDuration::from_mins(30);
/// So many fixes of one alert …
pub const FIXES: usize = 3;
/// … in this time are a symptom: the cause has to be found, and it is not fixed once more.
pub const WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// What an alert that opens says of the fixes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// The newest fix did not last.
    pub relapsed: bool,
    /// It is not to be fixed again by itself.
    pub symptom: bool,
}

/// One fix of an alert like this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// When its alert closed.
    pub at: Timestamp,
    /// The stability window it was verified by.
    pub stable: SignedDuration,
}

impl Fixed {
    /// It is watched for a relapse until then.
    pub fn watched_until(&self) -> Timestamp {
        self.at + (self.stable * WINDOWS).clamp(LEAST, MOST)
    }
}

/// Judges by the fixes of alerts of the same fingerprint, in any order.
pub fn judge(now: Timestamp, fixed: &[Fixed]) -> Recurrence {
    Recurrence {
        relapsed: fixed.iter().any(|fix| now < fix.watched_until()),
        symptom: fixed.iter().filter(|fix| now.duration_since(fix.at) < WITHIN).count() >= FIXES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soon_again_is_a_relapse_and_three_fixes_in_a_day_are_a_symptom() {
        let now = Timestamp::from_second(1_000_000).expect("a valid second");
        let ago = |minutes, stable| Fixed {
            at: now - SignedDuration::from_mins(minutes),
            stable: SignedDuration::from_secs(stable),
        };
        let of = |fixed: &[Fixed]| judge(now, fixed);
        assert_eq!(of(&[]), Recurrence { relapsed: false, symptom: false });
        assert_eq!(of(&[ago(19, 120)]), Recurrence { relapsed: true, symptom: false });
        assert_eq!(of(&[ago(20, 120)]), Recurrence { relapsed: false, symptom: false });
        assert_eq!((of(&[ago(0, 1)]).relapsed, of(&[ago(1, 1)]).relapsed), (true, false), "30 s at least");
        assert_eq!((of(&[ago(29, 9000)]).relapsed, of(&[ago(30, 9000)]).relapsed), (true, false), "30 min at most");
        assert_eq!(of(&[ago(40, 1), ago(600, 1), ago(1439, 1)]), Recurrence { relapsed: false, symptom: true });
        assert_eq!(of(&[ago(40, 1), ago(600, 1), ago(1440, 1)]), Recurrence { relapsed: false, symptom: false });
    }
}
