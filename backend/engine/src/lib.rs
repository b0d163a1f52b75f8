//! The loops: load, decide, save, act.
#![forbid(unsafe_code)]
