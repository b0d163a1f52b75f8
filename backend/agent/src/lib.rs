//! mendwright-agent: detects on the host, runs signed fixes under the host's own limits.
//!
//! One task owns the state ([`agent::Agent`]); the link, the checks and the runner's end reach it as
//! events. Time comes from the [`runner::Clock`] made in `main`, randomness from there as well.
#![forbid(unsafe_code)]

pub mod address;
pub mod agent;
pub mod backoff;
pub mod cgroup;
pub mod checks;
pub mod collect;
pub mod diagnose;
pub mod enroll;
pub mod gauge;
pub mod hours;
pub mod inventory;
pub mod jobs;
pub mod journal;
pub mod limits;
pub mod link;
pub mod outbox;
pub mod resolve;
pub mod service;
pub mod socket;
pub mod stat;
pub mod state;
pub mod tls;
