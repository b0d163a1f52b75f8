//! Decisions, pure: no async, no I/O, no clock, no randomness.
#![forbid(unsafe_code)]
