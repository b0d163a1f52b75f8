//! Table `signals`.
