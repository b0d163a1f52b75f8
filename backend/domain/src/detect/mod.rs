//! Stage detect: what a check's thresholds say of an observation, and when that becomes a signal.
pub mod check;
pub mod coverage;
pub mod evaluate;
pub mod header;
pub mod reach;
pub mod reading;
pub mod record;
pub mod silence;
pub mod ssh;
pub mod words;

pub use check::{Check, CheckError, HostFacts, Kind, Selector};
pub use evaluate::{Evaluation, Event, Signal, State, evaluate};
pub use header::Header;
pub use reading::{Comparison, Op, Readings, Seen, Severity, Value, Verdict};
pub use record::DetectRecord;
