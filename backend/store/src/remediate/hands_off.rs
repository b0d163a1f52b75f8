//! Table `hands_off`.
