//! What the pages read.

pub mod approvals;
pub mod board;
pub mod guardrails;
pub mod hosts;
pub mod incident;
pub mod incidents;
pub mod limits;
