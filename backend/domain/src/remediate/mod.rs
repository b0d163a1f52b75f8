//! Stage remediate: whether a planned run may act now, and why not.
pub mod approval;
pub mod breaker;
pub mod clock;
pub mod damage;
pub mod decide;
pub mod fair;
pub mod group;
pub mod guardrails;
pub mod maintenance;
pub mod platform_storm;
pub mod storm;
