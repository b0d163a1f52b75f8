//! Service accounts.

pub mod edit;
pub mod list;
