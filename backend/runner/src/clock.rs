//! The boot-time clock: it counts while the machine sleeps and no one can set it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Reads `CLOCK_BOOTTIME`. Made once, in `main`, and handed down; a test moves its own copy forward.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    ahead: Duration,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that shows `ahead` more than this one.
    pub fn moved(self, ahead: Duration) -> Self {
        Self { ahead: self.ahead + ahead }
    }

    /// Time since the machine booted.
    pub fn now(&self) -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        let secs = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(secs, nanos) + self.ahead
    }
}

/// The kernel's name for this boot.
///
/// # Errors
/// `/proc` is not there.
pub fn boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}
