//! Enrolment tokens.

pub mod edit;
pub mod list;
