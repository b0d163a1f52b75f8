//! Table `check_requests`.
