//! A mapping's definition, in exactly the form stage classify reads it from `mapping_versions.definition`.
//! To be replaced by `domain::classify::mapping` as soon as that is there.

use std::collections::BTreeMap;

use domain::detect::{Kind, Severity};
use serde::{Deserialize, Serialize};

/// The most rungs of a ladder: a person is asked after these.
pub const MAX_RUNGS: usize = 5;
/// The longest time before the first look.
pub const MAX_SETTLE_SECS: u32 = 3_600;
/// The longest time an ok must last.
pub const MAX_STABLE_SECS: u32 = 86_400;

/// The definition of one version of a mapping, as it is written and stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Its name, unique in the tenant.
    pub name: String,
    /// Which alerts.
    pub when: When,
    /// Which playbooks, one after the other, then a person.
    pub ladder: Vec<Rung>,
    /// How the fix is judged.
    pub verify: Verify,
}

/// Conditions; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The check's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// The check's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The client's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The host's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Tags the host has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The severity, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// One rung of a ladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// The playbook's name.
    pub playbook: String,
    /// Its parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// SHA-256 of exactly one published version, hex; written when the mapping is published. Without it: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A parameter's value; the text `{target}` means the alert's target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// How a fix is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Seconds before the first look.
    pub settle_secs: u32,
    /// Seconds an ok must last.
    pub stable_secs: u32,
}

impl Mapping {
    /// What is wrong with it, in words; empty: nothing.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() {
            faults.push("a mapping has a name".to_owned());
        }
        if self.when.is_empty() {
            faults.push("a mapping has at least one condition: one for every alert is refused".to_owned());
        }
        if self.ladder.is_empty() || self.ladder.len() > MAX_RUNGS {
            faults.push(format!("a ladder has 1 to {MAX_RUNGS} playbooks"));
        }
        let digest_ok = |d: &str| d.len() == 64 && d.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if self.ladder.iter().filter_map(|rung| rung.digest.as_deref()).any(|d| !digest_ok(d)) {
            faults.push("a digest is 64 lower-case hex digits".to_owned());
        }
        if self.verify.settle_secs > MAX_SETTLE_SECS {
            faults.push(format!("verify.settle_secs is at most {MAX_SETTLE_SECS}"));
        }
        if !(1..=MAX_STABLE_SECS).contains(&self.verify.stable_secs) {
            faults.push(format!("verify.stable_secs is 1 to {MAX_STABLE_SECS}"));
        }
        faults
    }
}

impl When {
    fn is_empty(&self) -> bool {
        *self == When::default()
    }
}

/// What a mapping may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Watch only.
    Observe,
    /// Ask first.
    Approve,
    /// Fixes by itself.
    Auto,
}

impl Mode {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Observe => "observe",
            Mode::Approve => "approve",
            Mode::Auto => "auto",
        }
    }
}
