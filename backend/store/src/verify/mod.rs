//! Stage verify: one row a run that is being verified.
pub mod verifications;
