//! Table `runs`.
