//! Hosts.

pub mod act;
pub mod list;
pub mod show;
