//! Stage detect: what the check saw.

use std::time::Duration;

use jiff::Timestamp;

use crate::Verdict;

/// Detect: what the check saw.
#[derive(Clone, Debug)]
pub struct Detected {
    /// The check's name.
    pub check: String,
    /// What it turned to.
    pub verdict: Verdict,
    /// What it saw, one sentence.
    pub saw: String,
    /// How it was before: "ok for 3 days".
    pub before: Option<String>,
    /// What its thresholds say: "critical when state is failed".
    pub rule: Option<String>,
    /// How long it had to be bad until it counted.
    pub hold: Option<Duration>,
    /// Since when it was bad.
    pub bad_since_at: Option<Timestamp>,
    /// What the service's own grace said: "outside its grace: up for 16 days".
    pub grace: Option<String>,
    /// The single readings behind it.
    pub evidence: Vec<Evidence>,
}

/// One reading behind a verdict.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What was read.
    pub name: String,
    /// Its value; `None` when it was looked for and absent.
    pub value: Option<String>,
    /// Whether this is what was bad.
    pub is_bad: bool,
    /// When it was read, where that differs from the entry.
    pub at: Option<Timestamp>,
}
