//! How long to wait before the next link.

use std::time::Duration;

use rand::{Rng, RngExt as _};
use wire::v1::close;

const LEAST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(10);
/// After a refusal that only a person can lift.
const REFUSED: Duration = Duration::from_secs(60);

/// Doubles from 0.2 s to 10 s, with jitter of half its length, so that agents do not come back as a herd.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A link stood for a while: begin anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after a link that ended or was not had.
    pub fn next(&mut self, rng: &mut impl Rng) -> Duration {
        let full = LEAST.saturating_mul(1 << self.failures.min(8)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        full / 2 + full.mul_f64(rng.random_range(0.0..0.5))
    }

    /// The wait after close code `code`.
    pub fn after_close(&mut self, code: u16, rng: &mut impl Rng) -> Duration {
        match code {
            close::HOST_KEY | close::PROTOCOL | close::REPLACED => REFUSED,
            _ => self.next(rng),
        }
    }
}

/// The wait that the server asked for, and up to the same again at random.
pub fn retry(after_secs: u64, rng: &mut impl Rng) -> Duration {
    let secs = after_secs.min(3600);
    Duration::from_secs(secs).mul_f64(1.0 + rng.random_range(0.0..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    #[test]
    fn waits_grow_to_ten_seconds_and_begin_anew() {
        let (mut backoff, mut rng) = (Backoff::default(), StdRng::seed_from_u64(1));
        let waits: Vec<_> = (0..40).map(|_| backoff.next(&mut rng)).collect();
        assert!(waits[0] >= LEAST / 2 && waits[0] <= LEAST);
        assert!(waits[10..].iter().all(|w| *w >= MOST / 2 && *w <= MOST));
        backoff.reset();
        assert!(backoff.next(&mut rng) <= LEAST);
        assert_eq!(backoff.after_close(close::HOST_KEY, &mut rng), REFUSED);
    }
}
