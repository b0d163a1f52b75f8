//! Table `observations`.
