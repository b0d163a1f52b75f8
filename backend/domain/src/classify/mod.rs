//! Stage classify: signals become alerts, and mappings say what is known about them.
pub mod fingerprint;
pub mod mapping;
pub mod record;
pub mod recurrence;
pub mod title;

pub use fingerprint::fingerprint_text;
pub use mapping::{AlertFacts, Classification, Mapping, MappingVersion, Mode, Outcome, Rung, Verify, When, classify};
pub use record::ClassifyRecord;
pub use title::title;
