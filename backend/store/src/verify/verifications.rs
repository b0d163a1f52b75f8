//! Table `verifications`.
