//! Hosts.

pub mod act;
pub mod list;
pub mod metrics;
pub mod place;
pub mod show;
