//! The stages on a real database: what they decide, and what is left when two work at once.
mod admission;
mod approval;
mod classify;
mod clock;
mod damage;
mod ladder;
mod notify;
mod recurrence;
mod remediate;
mod shares;
mod silence;
mod stops;
mod sweep;
mod undo;
mod verify;
pub mod world;
