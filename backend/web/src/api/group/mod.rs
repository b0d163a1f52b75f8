//! Service groups: hosts or services that stand in for each other.

pub mod edit;
pub mod list;
