//! When what every tenant always has due comes again: the looks of silence, of probes' plans and of the sweep.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The next turn of a tenant after `now`, `every` at most away. Each tenant has a moment of its own in that time, by its id:
/// tenants that were all overdue, after a pause of the server's, are not looked at in the same second ever after.
pub(crate) fn next_turn(tenant_id: Uuid, every: Duration, now: Timestamp) -> Timestamp {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    // The end of an id is chance; its beginning is when it was made.
    let (_, chance) = tenant_id.as_u64_pair();
    let own = i64::try_from(chance % every.unsigned_abs()).unwrap_or_default();
    let wait = every - (now.as_millisecond() - own).rem_euclid(every);
    now + SignedDuration::from_millis(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(60);

    #[test]
    fn tenants_that_were_overdue_together_have_turns_of_their_own_again() {
        let now: Timestamp = "2026-11-30T00:00:00.5Z".parse().unwrap();
        let tenants = (0..600).map(|n| Uuid::from_u64_pair(7, n * 7_919));
        let turns: Vec<Timestamp> = tenants.map(|tenant_id| next_turn(tenant_id, EVERY, now)).collect();
        assert!(turns.iter().all(|&turn| turn > now && turn <= now + EVERY), "within a minute");
        for second in 0..60 {
            let from = now + SignedDuration::from_secs(second);
            let crowd =
                turns.iter().filter(|&&turn| turn > from && turn <= from + SignedDuration::from_secs(1)).count();
            assert!(crowd <= 20, "{crowd} of 600 in second {second}");
        }
    }

    #[test]
    fn a_turn_that_came_late_does_not_move_the_next() {
        let tenant_id = Uuid::from_u64_pair(7, 123_456);
        let first = next_turn(tenant_id, EVERY, "2026-11-30T00:00:00Z".parse().unwrap());
        assert_eq!(next_turn(tenant_id, EVERY, first), first + EVERY);
        assert_eq!(next_turn(tenant_id, EVERY, first + SignedDuration::from_secs(9)), first + EVERY);
    }
}
