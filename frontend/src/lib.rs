//! Pages and mails: askama structs and templates, static assets.
//!
//! Callers hand in plain facts (strings, instants, durations, small enums); every word of layout and every
//! format of a time or a number is decided here, and everything is escaped. Nothing here reads a clock: the
//! instant of the page is part of [`Clock`].
#![forbid(unsafe_code)]

pub mod api;
pub mod approvals;
pub mod assets;
pub mod board;
pub mod changes;
pub mod client;
pub mod client_edit;
pub mod clients;
pub mod clients_import;
mod clock;
pub mod demo;
pub mod enrolment;
pub mod error;
#[cfg(any(test, feature = "gallery"))]
pub mod gallery;
pub mod guardrails;
pub mod host;
pub mod host_edit;
pub mod hosts;
pub mod incident;
pub mod incident_filter;
pub mod incidents;
pub mod inventory;
pub mod mail;
pub mod metrics;
mod part;
pub mod platform;
#[cfg(any(test, feature = "gallery"))]
pub mod samples;
pub mod settings;
pub mod shell;
pub mod signin;
pub mod story;
pub mod trend;

pub use askama::Template;
pub use assets::asset;
pub use clock::{Clock, TimeTag, back_in, left, took};
pub use part::{HandsOff, HostRef, Limit, LimitResult, Link, Meter, Pair, Reading, State, Used, Verdict};
pub use shell::{Nav, Shell};

/// How long hands off may be asked for, in hours.
pub const HANDS_OFF_HOURS: [u8; 3] = [1, 4, 12];

#[cfg(test)]
mod tests;
