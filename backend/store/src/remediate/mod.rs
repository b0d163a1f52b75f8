//! Stage remediate: playbooks, guardrails, runs and jobs.
pub mod approvals;
pub mod batch;
pub mod breakers;
pub mod damage;
pub mod doubt;
pub mod freezes;
pub mod guardrails;
pub mod hands_off;
pub mod interlocks;
pub mod jobs;
pub mod playbooks;
pub mod progress;
pub mod runs;
pub mod shares;
pub mod stops;
pub mod storms;
pub mod undo;
