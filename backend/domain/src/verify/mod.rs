//! Stage verify: what fresh data say of a run that ended, and what follows.
pub mod judge;
pub mod ladder;
pub mod undo;
