//! Why a signal was given: stored as a decision, shown and replayed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reading::{Comparison, Seen, Severity, Verdict};

/// The record of one signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectRecord {
    /// `raised` or `cleared`.
    pub outcome: String,
    /// How bad.
    pub severity: Severity,
    /// The reason in a sentence.
    pub reason: String,
    /// The check's name.
    pub check: String,
    /// Its target.
    pub target: String,
    /// When it was decided.
    pub at: Timestamp,
    /// What was seen.
    pub seen: Seen,
    /// The verdict before.
    pub before: Verdict,
    /// The verdict since.
    pub verdict: Verdict,
    /// All hold = critical.
    pub critical_when: Vec<Comparison>,
    /// All hold = warning.
    pub warning_when: Vec<Comparison>,
    /// All hold = recovered.
    pub ok_when: Vec<Comparison>,
    /// The hold time.
    pub hold_secs: u32,
    /// Bad since; none for a recovery.
    pub bad_since: Option<Timestamp>,
    /// How many bad observations in a row it takes.
    pub failures_needed: u32,
    /// How many there were.
    pub failures: u32,
    /// The host's boot, if it is known.
    pub booted_at: Option<Timestamp>,
    /// The end of the grace after that boot.
    pub grace_until: Option<Timestamp>,
    /// Why what looks bad is none.
    pub excused: Option<String>,
    /// Facts that were looked for and absent.
    pub absent: Vec<String>,
}
