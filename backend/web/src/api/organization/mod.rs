//! The organization itself: what holds for all its members, its mail relay, its use, who of the platform's staff may look.

pub mod deletion;
pub mod edit;
pub mod file;
pub mod relay;
pub mod show;
pub mod sign_on;
pub mod support;
pub mod usage;
