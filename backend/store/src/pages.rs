//! What the pages read.

pub mod approvals;
pub mod board;
pub mod clients;
pub mod guardrails;
pub mod healed;
pub mod hosts;
pub mod incident;
pub mod incidents;
pub mod limits;
pub mod trend;
