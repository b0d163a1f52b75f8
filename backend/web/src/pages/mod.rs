//! The pages, by area; one operation a file.

pub mod approval;
pub mod asset;
pub mod board;
pub mod change;
pub mod client;
pub mod enrolment;
pub mod events;
#[cfg(feature = "gallery")]
pub mod gallery;
pub mod guardrails;
pub mod host;
pub mod incident;
pub mod install;
pub mod letters;
pub mod limit;
pub mod platform;
pub mod refused;
pub mod settings;
pub mod sign_in;
pub mod sign_on;
pub mod sign_out;
pub mod support;

/// A count of rows as the views take it.
pub(crate) fn count(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
