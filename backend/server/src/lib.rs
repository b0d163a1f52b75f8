//! mendwright: up, serve, migrate, demo. The only place that reads the environment and wires crates together.
#![forbid(unsafe_code)]

mod random;
pub mod seed;
