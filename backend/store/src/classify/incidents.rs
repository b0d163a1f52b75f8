//! Table `incidents`.
