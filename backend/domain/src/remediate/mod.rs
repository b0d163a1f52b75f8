//! Stage remediate: whether a planned run may act now, and why not.
pub mod approval;
pub mod clock;
pub mod decide;
pub mod guardrails;
