//! Table `alerts`.
