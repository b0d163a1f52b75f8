//! Stage detect: checks, what was seen, and what it signals.
pub mod check_requests;
pub mod check_states;
pub mod checks;
pub mod evaluations;
pub mod observations;
pub mod probes;
pub mod signals;
