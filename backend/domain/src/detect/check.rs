//! A check's definition, as a person writes it and `checks.definition` keeps it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reading::{Comparison, Severity};

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A service on the host; its readings are `state`, `detail`, `pid`.
    Service,
    /// That the host is heard of at all; looked at by the server.
    Heartbeat,
}

impl Kind {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Service => "service",
            Kind::Heartbeat => "heartbeat",
        }
    }
}

/// Which hosts: all that is said must fit; nothing said = every host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// The client's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The host's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Tags the host has.
    pub tags: BTreeMap<String, String>,
}

/// What a selector looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts<'a> {
    /// The client's name.
    pub client: &'a str,
    /// The host's name.
    pub host: &'a str,
    /// The host's tags.
    pub tags: &'a BTreeMap<String, String>,
}

impl Selector {
    /// Whether the host fits.
    pub fn selects(&self, host: &HostFacts<'_>) -> bool {
        self.client.as_ref().is_none_or(|c| c == host.client)
            && self.host.as_ref().is_none_or(|h| h == host.host)
            && self.tags.iter().all(|(k, v)| host.tags.get(k) == Some(v))
    }
}

/// A check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Unique in the tenant.
    pub name: String,
    /// What is looked at.
    pub kind: Kind,
    /// The service's declared name; a heartbeat has none, it looks at the host itself.
    #[serde(default)]
    pub target: String,
    /// Which hosts.
    #[serde(default)]
    pub selector: Selector,
    /// How bad it is where no comparison says so.
    #[serde(default)]
    pub severity: Severity,
    /// All hold = critical. A service's: `state = failed`.
    #[serde(default)]
    pub critical_when: Vec<Comparison>,
    /// All hold = warning.
    #[serde(default)]
    pub warning_when: Vec<Comparison>,
    /// All hold = recovered. A service's: `state = running`.
    #[serde(default)]
    pub ok_when: Vec<Comparison>,
    /// How long it must be bad without a break.
    #[serde(default)]
    pub hold_secs: u32,
    /// How many bad observations in a row it takes.
    #[serde(default = "one")]
    pub failures: u32,
    /// The agent looks at least this often.
    #[serde(default = "ten")]
    pub interval_secs: u32,
    /// A look that takes longer is `no_data`.
    #[serde(default = "five_thousand")]
    pub limit_ms: u32,
    /// Nothing is bad for this long after the host's boot.
    #[serde(default = "quarter_hour")]
    pub grace_after_boot_secs: u32,
}

fn one() -> u32 {
    1
}
fn ten() -> u32 {
    10
}
fn five_thousand() -> u32 {
    5000
}
fn quarter_hour() -> u32 {
    900
}

/// A host that is silent for this long is a warning, unless its check says otherwise.
const SILENT_WARNING_SECS: f64 = 300.0;
/// And critical after this long.
const SILENT_CRITICAL_SECS: f64 = 900.0;

/// A definition that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct CheckError {
    /// Which field.
    pub field: &'static str,
    /// What is wrong, a sentence.
    pub problem: String,
}

impl Check {
    /// Checks the limits and fills in what a kind says by itself.
    ///
    /// # Errors
    /// A field is out of its range.
    pub fn complete(mut self) -> Result<Check, CheckError> {
        let err = |field, problem: &str| Err(CheckError { field, problem: problem.to_owned() });
        if self.name.trim().is_empty() || self.name.len() > 100 {
            return err("name", "a name has 1 to 100 characters");
        }
        if self.kind == Kind::Service && self.target.is_empty() {
            return err("target", "a service check names the service the host declares");
        }
        if self.kind == Kind::Heartbeat && !self.target.is_empty() {
            return err("target", "a heartbeat looks at the host itself and has no target");
        }
        if self.target.len() > 200 || self.target.chars().any(char::is_control) {
            return err("target", "a target has at most 200 characters and no control characters");
        }
        if !(1..=100).contains(&self.failures) {
            return err("failures", "between 1 and 100");
        }
        if !(1..=3600).contains(&self.interval_secs) {
            return err("interval_secs", "between 1 and 3600");
        }
        if !(100..=10_000).contains(&self.limit_ms) {
            return err("limit_ms", "between 100 and 10000");
        }
        if self.hold_secs > 86_400 || self.grace_after_boot_secs > 86_400 {
            return err("hold_secs", "hold and grace are at most a day");
        }
        if [&self.critical_when, &self.warning_when, &self.ok_when].into_iter().any(|w| w.len() > 10) {
            return err("critical_when", "at most ten comparisons");
        }
        if self.kind == Kind::Service {
            if self.critical_when.is_empty() && self.warning_when.is_empty() {
                let bad = vec![Comparison::is("state", "failed")];
                match self.severity {
                    Severity::Critical => self.critical_when = bad,
                    Severity::Warning => self.warning_when = bad,
                }
            }
            if self.ok_when.is_empty() {
                self.ok_when = vec![Comparison::is("state", "running")];
            }
        }
        if self.kind == Kind::Heartbeat {
            if self.critical_when.is_empty() && self.warning_when.is_empty() {
                self.warning_when = vec![Comparison::at_least("silent_secs", SILENT_WARNING_SECS)];
                self.critical_when = vec![Comparison::at_least("silent_secs", SILENT_CRITICAL_SECS)];
            }
            if self.ok_when.is_empty() {
                self.ok_when = vec![Comparison::is("state", "linked")];
            }
        }
        Ok(self)
    }

    /// How long it must be bad.
    pub fn hold(&self) -> Duration {
        Duration::from_secs(self.hold_secs.into())
    }

    /// How long after a boot nothing is bad.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_after_boot_secs.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Check, String> {
        serde_json::from_str::<Check>(text).map_err(|e| e.to_string())?.complete().map_err(|e| e.to_string())
    }

    #[test]
    fn a_service_check_needs_a_name_and_a_target_only() {
        let c = check(r#"{"name":"web","kind":"service","target":"nginx"}"#).unwrap();
        assert_eq!(c.critical_when, [Comparison::is("state", "failed")]);
        assert_eq!(c.ok_when, [Comparison::is("state", "running")]);
        assert_eq!((c.failures, c.grace_after_boot_secs), (1, 900));
    }

    #[test]
    fn a_heartbeat_needs_a_name_only() {
        let c = check(r#"{"name":"heard","kind":"heartbeat"}"#).unwrap();
        assert_eq!(c.warning_when, [Comparison::at_least("silent_secs", 300.0)]);
        assert_eq!(c.critical_when, [Comparison::at_least("silent_secs", 900.0)]);
        assert!(check(r#"{"name":"heard","kind":"heartbeat","target":"x"}"#).unwrap_err().contains("no target"));
    }

    #[test]
    fn unknown_fields_and_numbers_out_of_range_are_refused() {
        for text in [
            r#"{"name":"web","kind":"service","target":"x","holdsecs":1}"#,
            r#"{"name":"web","kind":"service"}"#,
            r#"{"name":"web","kind":"service","target":"x","failures":0}"#,
            r#"{"name":"web","kind":"service","target":"x","limit_ms":60000}"#,
            r#"{"name":"web","kind":"service","target":"x","critical_when":["state is failed"]}"#,
            r#"{"name":"web","kind":"service","target":"x","selector":{"hosts":"a"}}"#,
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_comparison_may_be_written_as_a_text() {
        let c = check(r#"{"name":"w","kind":"service","target":"x","critical_when":["load >= 2.5"]}"#).unwrap();
        assert_eq!(serde_json::to_string(&c.critical_when).unwrap(), r#"[{"reading":"load","op":"ge","value":2.5}]"#);
    }

    #[test]
    fn a_selector_says_only_what_must_fit() {
        let tags = BTreeMap::from([("role".to_owned(), "web".to_owned())]);
        let host = HostFacts { client: "Alder", host: "a1", tags: &tags };
        let selects = |text: &str| serde_json::from_str::<Selector>(text).unwrap().selects(&host);
        assert!(selects("{}"));
        assert!(selects(r#"{"client":"Alder","tags":{"role":"web"}}"#));
        assert!(!selects(r#"{"tags":{"role":"db"}}"#));
        assert!(!selects(r#"{"host":"a2"}"#));
    }
}
