//! Playbooks as they are signed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Purpose;

/// A playbook version's content: what is hashed, signed and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The name, unique in the tenant.
    pub name: String,
    /// What it does, a sentence for people.
    pub title: String,
    /// L, M, H or E.
    pub risk: Risk,
    /// What may be done when it is in doubt whether a step ran.
    pub effect: Effect,
    /// Typed parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterType>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The steps that take it back, in order; empty: none needed, or none possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Step>,
    /// The services and hosts that it may touch, at least 1: so many slots of the shared limits it takes.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_one(n: &u32) -> bool {
    *n == 1
}

impl Playbook {
    /// Whether any step of it, or of its undo, is a script.
    pub fn has_script(&self) -> bool {
        self.steps.iter().chain(&self.undo).any(|step| step.script.is_some())
    }

    /// The steps a job of this purpose performs; diagnostics are no playbook's.
    pub fn steps_of(&self, purpose: Purpose) -> &[Step] {
        match purpose {
            Purpose::Fix => &self.steps,
            Purpose::Undo => &self.undo,
            Purpose::Diagnostics => &[],
        }
    }
}

/// How dangerous a playbook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Risk {
    /// May run by itself.
    L,
    /// May run by itself with tight limits.
    M,
    /// Needs an approval.
    H,
    /// Is never run.
    E,
}

/// What may be done when in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Never run again.
    Once,
    /// May be run again as a new attempt.
    Idempotent,
}

/// A parameter's type. No value may begin with `-` or hold a control character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ParameterType {
    /// A service declared on the host.
    ServiceName,
    /// An absolute path below `root` once resolved.
    PathUnder {
        /// The root.
        root: String,
    },
    /// A whole number in a closed range.
    Int {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// One of these words.
    Enum {
        /// The words.
        values: Vec<String>,
    },
}

/// A script. Nothing is ever put into its text: a parameter `a_name` reaches it as the environment value `MW_A_NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What reads it.
    pub interpreter: Interpreter,
    /// The whole text, part of what is signed.
    pub text: String,
}

/// What may read a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interpreter {
    /// The system's shell.
    #[serde(rename = "/bin/sh")]
    Sh,
    /// Bash.
    #[serde(rename = "/bin/bash")]
    Bash,
    /// Python 3.
    #[serde(rename = "/usr/bin/python3")]
    Python3,
}

impl Interpreter {
    /// Its program.
    pub fn program(self) -> &'static str {
        match self {
            Interpreter::Sh => "/bin/sh",
            Interpreter::Bash => "/bin/bash",
            Interpreter::Python3 => "/usr/bin/python3",
        }
    }
}

/// The most text that the scripts of a playbook's steps have together, in bytes, and those of its undo: an order holds
/// them, and has its place on the host's disk before it is needed.
pub const MAX_SCRIPT_BYTES: usize = 8 * 1024;

/// The environment value by which a script reads a parameter; none if the name cannot be told apart from another's there.
pub fn script_variable(parameter: &str) -> Option<String> {
    let mut bytes = parameter.bytes();
    let sound = bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && parameter.len() <= 64;
    sound.then(|| format!("MW_{}", parameter.to_ascii_uppercase()))
}

/// One step: a program with its arguments, or a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it does, for people.
    pub title: String,
    /// The program and its arguments; never a shell string. An element may be exactly `{parameter}`,
    /// which becomes that parameter's value, or `{parameter.start}`, `{parameter.stop}`,
    /// `{parameter.status}` of a `service_name`, which becomes the arguments the host declared. Empty: it is a script.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// A script, in place of a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// Seconds it may take.
    pub limit_secs: u64,
}
