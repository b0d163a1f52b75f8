//! The agent's own program against a server made of this file's neighbours.
#![forbid(unsafe_code)]

mod bench;
#[cfg(feature = "crash-points")]
mod crashes;
mod enrolment;
mod fake;
mod gauges;
mod inventory;
mod jobs;
mod metrics;
mod real;
mod rotation;
mod scopes;
mod scripts;
mod services;
mod systemd1;
mod unit_files;
mod units;
mod units_cost;
