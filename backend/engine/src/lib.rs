//! The loops: load, decide, save, act. No SQL, no HTTP routes.
#![forbid(unsafe_code)]

pub mod audit;
mod breaker;
pub mod changes;
pub mod classify;
mod ladder;
pub mod lease;
pub mod letters;
pub mod notify;
pub mod platform;
pub mod probes;
pub mod remediate;
mod secret;
pub mod silence;
mod standing;
pub mod sweep;
pub mod verify;
