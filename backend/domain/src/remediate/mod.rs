//! Stage remediate: whether a planned run may act now, and why not.
pub mod decide;
pub mod guardrails;
