//! Child processes under limits, and the record of what they did.
//!
//! A *run* is performed by a process of its own, the runner ([`perform`]), which outlives whoever started
//! it. All they share is a preallocated *record* ([`record`]) and its lock: whoever holds the lock writes.
#![deny(unsafe_code)]

pub mod clock;
pub mod confine;
pub mod crash;
mod event;
pub mod output;
pub mod perform;
pub mod record;
mod script;
#[allow(unsafe_code)]
pub mod spawn;
pub mod supervise;

pub use clock::Clock;
pub use record::Record;
