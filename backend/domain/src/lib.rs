//! Decisions, pure: no async, no I/O, no clock, no randomness.
#![forbid(unsafe_code)]

pub mod access;
pub mod change;
pub mod classify;
pub mod deletion;
pub mod detect;
pub mod fleet;
pub mod ingest;
pub mod limit;
pub mod metrics;
pub mod notify;
pub mod organization;
pub mod people;
pub mod quota;
pub mod relay;
pub mod remediate;
pub mod run;
pub mod seconds;
pub mod secret;
pub mod token;
pub mod verify;
