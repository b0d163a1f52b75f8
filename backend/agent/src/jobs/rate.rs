//! How many runs were begun in the last hour: the host's own rate, on the boot-time clock.

use std::collections::VecDeque;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// The starts of the last hour.
#[derive(Debug, Default)]
pub struct Rate {
    starts: VecDeque<Duration>,
}

impl Rate {
    /// From the starts of this boot that the journal knows.
    pub fn new(starts: impl Iterator<Item = Duration>) -> Self {
        Self { starts: starts.collect() }
    }

    /// Notes a start at `now`.
    pub fn note(&mut self, now: Duration) {
        self.starts.push_back(now);
        while self.starts.front().is_some_and(|start| *start + HOUR <= now) {
            self.starts.pop_front();
        }
    }

    /// The starts in the hour before `now`.
    pub fn within_an_hour(&self, now: Duration) -> usize {
        self.starts.iter().filter(|start| **start + HOUR > now).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_count_for_an_hour() {
        let secs = Duration::from_secs;
        let mut rate = Rate::new([secs(10)].into_iter());
        rate.note(secs(20));
        assert_eq!(rate.within_an_hour(secs(3609)), 2);
        assert_eq!(rate.within_an_hour(secs(3610)), 1);
        assert_eq!(rate.within_an_hour(secs(3620)), 0);
    }
}
