//! The audit.

pub mod file;
pub mod list;
