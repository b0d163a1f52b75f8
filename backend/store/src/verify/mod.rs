//! Stage verify: one row a run that is being verified, and the checks beside its own.
pub mod neighbours;
pub mod verifications;
