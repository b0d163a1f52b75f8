//! The first line of `/proc/stat`: time of all cores by what they did.

use wire::v1::CpuUse;

/// Counters since boot, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    cores: u32,
    user: u64,
    nice: u64,
    system: u64,
    idle: u64,
    iowait: u64,
    steal: u64,
}

/// Reads `/proc/stat`.
pub fn parse(text: &str) -> Option<Ticks> {
    let mut lines = text.lines();
    let mut words = lines.next()?.strip_prefix("cpu ")?.split_ascii_whitespace().map(|word| word.parse::<u64>().ok());
    let mut next = || words.next().flatten();
    let (user, nice, system, idle) = (next()?, next()?, next()?, next()?);
    // Guests' time is counted in `user` already.
    let (iowait, irq, softirq, steal) =
        (next().unwrap_or(0), next().unwrap_or(0), next().unwrap_or(0), next().unwrap_or(0));
    let cores = u32::try_from(lines.take_while(|line| line.starts_with("cpu")).count()).ok()?;
    Some(Ticks { cores, user, nice, system: system + irq + softirq, idle, iowait, steal })
}

impl Ticks {
    /// Shares of the time since `before`; none if none passed, or the counters were set back.
    pub fn since(&self, before: &Ticks) -> Option<CpuUse> {
        // A kernel may take a little of `iowait` back: that is no time, not a negative one.
        let passed = |now: u64, then: u64| now.saturating_sub(then) as f64;
        let [user, nice, system, idle, iowait, steal] = [
            passed(self.user, before.user),
            passed(self.nice, before.nice),
            passed(self.system, before.system),
            passed(self.idle, before.idle),
            passed(self.iowait, before.iowait),
            passed(self.steal, before.steal),
        ];
        let all = user + nice + system + idle + iowait + steal;
        if all <= 0.0 || self.idle < before.idle {
            return None;
        }
        let share = |ticks: f64| ticks / all * 100.0;
        Some(CpuUse {
            cores: self.cores,
            busy: share(user + nice + system),
            nice: share(nice),
            iowait: share(iowait),
            steal: share(steal),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_that_passed_and_waiting_is_not_busy() {
        let before = parse("cpu  100 10 50 800 20 5 5 10 3 0\ncpu0 1\ncpu1 1\nintr 9\n").unwrap();
        let after = parse("cpu  130 20 60 840 25 5 5 15 3 0\ncpu0 1\ncpu1 1\nintr 9\n").unwrap();
        let used = after.since(&before).unwrap();
        assert_eq!(used, CpuUse { cores: 2, busy: 50.0, nice: 10.0, iowait: 5.0, steal: 5.0 });
        assert_eq!(before.since(&before), None);
        assert_eq!(before.since(&after), None);
        assert_eq!(parse("cpu  100 x"), None);
    }
}
