//! Table `mappings`.
