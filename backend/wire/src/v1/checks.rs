//! What an agent looks at, and what it saw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One result of one check on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The check.
    pub check_id: Uuid,
    /// What it looked at.
    pub target: String,
    /// Milliseconds between the look and this message, on the agent's monotonic clock.
    pub age_ms: u64,
    /// What was seen.
    pub seen: Seen,
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Named readings (`state` = `running`).
    Data(BTreeMap<String, Value>),
    /// Nothing that could be judged, and why. Never good, never a trigger.
    NoData {
        /// A sentence.
        why: String,
    },
}

/// A reading's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
}

/// A reading with its place in the agent's ring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Counts from 1 per instance.
    pub seq: u64,
    /// The reading.
    pub reading: Reading,
    /// The `CheckNow` it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
}

/// All checks the agent runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Grows with each change.
    pub version: i64,
    /// The checks.
    pub checks: Vec<CheckSpec>,
}

/// One check on one target. It names a thing and never carries a command: what a service's commands
/// are stands in the host's own limits file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// The check.
    pub check_id: Uuid,
    /// What kind.
    pub kind: CheckKind,
    /// What the kind says.
    pub target: String,
    /// Look at least this often.
    pub interval_secs: u64,
    /// A look that takes longer is `no_data`; at most [`CHECK_LIMIT_SECS`](super::constants::CHECK_LIMIT_SECS).
    pub limit_ms: u64,
    /// Holds when the target has recovered: what the agent asks before it acts.
    pub ok_when: Vec<Comparison>,
    /// Without `ok_when`, a target has recovered when none of these hold; all of one list make it bad.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_when: Vec<Vec<Comparison>>,
}

impl CheckSpec {
    /// Whether `readings` say that the target was stopped on purpose: no failure, and nothing to be acted on.
    pub fn is_excused(&self, readings: &BTreeMap<String, Value>) -> bool {
        self.kind == CheckKind::Service && readings.get("state") == Some(&Value::Text("stopped".to_owned()))
    }

    /// Whether `readings` say that the target has recovered, or needs nothing; none when nothing here says what that is.
    pub fn has_recovered(&self, readings: &BTreeMap<String, Value>) -> Option<bool> {
        if self.is_excused(readings) {
            return Some(true);
        }
        let all_hold = |list: &Vec<Comparison>| list.iter().all(|comparison| comparison.holds(readings));
        if !self.ok_when.is_empty() {
            return Some(all_hold(&self.ok_when));
        }
        let mut bad = self.bad_when.iter().filter(|list| !list.is_empty()).peekable();
        bad.peek()?;
        Some(!bad.any(all_hold))
    }
}

/// Kinds of checks an agent can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A service declared by pid file and start, stop and status commands.
    Service,
    /// A file system; the target is where it is mounted.
    Disk,
    /// Processes of one name; the target is that name.
    Process,
}

/// A comparison on a named reading. All of a list must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which reading.
    pub reading: String,
    /// How to compare.
    pub op: Op,
    /// With what.
    pub value: Value,
}

/// A comparison's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// equal
    Eq,
    /// not equal
    Ne,
    /// less than (numbers)
    Lt,
    /// at most (numbers)
    Le,
    /// greater than (numbers)
    Gt,
    /// at least (numbers)
    Ge,
}

impl Comparison {
    /// Whether `readings` satisfy it; a missing reading or a comparison of unlike values never holds.
    pub fn holds(&self, readings: &BTreeMap<String, Value>) -> bool {
        match (readings.get(&self.reading), &self.value, self.op) {
            (Some(Value::Text(a)), Value::Text(b), Op::Eq) => a == b,
            (Some(Value::Text(a)), Value::Text(b), Op::Ne) => a != b,
            (Some(Value::Number(a)), Value::Number(b), op) => match op {
                Op::Eq => a == b,
                Op::Ne => a != b,
                Op::Lt => a < b,
                Op::Le => a <= b,
                Op::Gt => a > b,
                Op::Ge => a >= b,
            },
            _ => false,
        }
    }
}

/// Run this check now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckNow {
    /// Comes back in [`Observed::request_id`].
    pub request_id: Uuid,
    /// The check.
    pub check_id: Uuid,
    /// The target.
    pub target: String,
}
