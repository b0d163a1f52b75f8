//! Table `check_states`.
