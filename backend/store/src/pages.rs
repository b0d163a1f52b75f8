//! What the pages read.

pub mod approvals;
pub mod hosts;
pub mod incident;
pub mod incidents;
pub mod limits;
