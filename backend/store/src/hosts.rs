//! Managed machines.
