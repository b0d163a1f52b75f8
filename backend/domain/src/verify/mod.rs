//! Stage verify: what fresh data say of a run that ended.
pub mod judge;
