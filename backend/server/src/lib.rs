//! mendwright: up, serve, migrate, demo.
#![forbid(unsafe_code)]
