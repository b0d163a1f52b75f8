//! What the pages read.

pub mod approvals;
pub mod guardrails;
pub mod hosts;
pub mod incident;
pub mod incidents;
pub mod limits;
