//! The pages, by area; one operation a file.

pub mod approval;
pub mod asset;
pub mod board;
pub mod change;
pub mod guardrails;
pub mod host;
pub mod incident;
pub mod limit;
pub mod sign_in;
pub mod sign_out;
