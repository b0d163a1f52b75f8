//! Checks: what is looked at.

pub mod archive;
pub mod list;
