//! The monotonic clock of this process, handed down as an argument from here.

use std::sync::Arc;
use std::time::Duration;

/// The time since this call, as a question.
#[allow(clippy::disallowed_methods, reason = "this is where the process's monotonic clock begins")]
pub fn monotonic() -> Arc<dyn Fn() -> Duration + Send + Sync> {
    let start = std::time::Instant::now();
    Arc::new(move || start.elapsed())
}

/// The time since the machine booted, its sleep included, as a question.
pub fn since_boot() -> Arc<dyn Fn() -> Duration + Send + Sync> {
    let clock = runner::Clock::system();
    Arc::new(move || clock.now())
}
