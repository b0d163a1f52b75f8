//! What the server asks over the network itself: `http`, `tcp` and `ssh`, through one guarded connector.
//!
//! Whoever writes a check chooses where this server connects to, so nothing is connected to unasked: a name is resolved
//! once, every address it has is judged by [`Egress`], and the connection goes to a judged address. A redirect is a new
//! target and goes the same way. Time, headers and body are bounded.
#![forbid(unsafe_code)]

mod connect;
mod egress;
mod http;
mod names;
mod ssh;

pub use connect::Connector;
pub use egress::{Allowed, AllowedError, Egress};
pub use http::{Answer, BODY_LIMIT, Headers};
pub use names::Names;
pub use ssh::{Login, SshKey};

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// The monotonic clock: the time since some instant of this process.
pub type Elapsed = std::sync::Arc<dyn Fn() -> Duration + Send + Sync>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The target is at fault: a sentence.
    #[error("{0}")]
    Down(String),
    /// The probe could not be made, and nothing is known of the target: a sentence.
    #[error("{0}")]
    NotMade(String),
}

/// How far a probe has come; what a probe that runs out of time is judged by.
#[derive(Debug, Default)]
struct Stage(AtomicU8);

impl Stage {
    const NAMES: u8 = 0;
    const CONNECTING: u8 = 1;
    const CONNECTED: u8 = 2;
    const SIGNING_IN: u8 = 3;

    fn reach(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    fn out_of_time(&self, limit: Duration) -> Failure {
        let ms = limit.as_millis();
        match self.0.load(Ordering::Relaxed) {
            Stage::NAMES => Failure::NotMade(format!("no name server answered within {ms} ms")),
            Stage::CONNECTING => Failure::Down(format!("no connection within {ms} ms")),
            Stage::SIGNING_IN => Failure::Down(format!("it neither let the user in nor refused within {ms} ms")),
            _ => Failure::Down(format!("it took the connection and gave no whole answer within {ms} ms")),
        }
    }
}
