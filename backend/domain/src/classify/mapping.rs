//! Mappings: these alerts → this ladder of playbooks, in this mode.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::detect::{Kind, Severity};
use crate::seconds::Seconds;

/// The most rungs of a ladder: a person is asked after these.
pub const MAX_RUNGS: usize = 5;
/// The longest time before the first look.
pub const MAX_SETTLE: Seconds = Seconds::whole(3_600);
/// The longest time an ok must last.
pub const MAX_STABLE: Seconds = Seconds::whole(86_400);
/// An ok lasts at least this.
pub const MIN_STABLE: Seconds = Seconds::millis(500);

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
    pub settle_secs: Seconds,
    /// Seconds an ok must last.
    pub stable_secs: Seconds,
}

impl Rung {
    /// The parameters for one alert: `{target}` wholly replaced, never a part of a text.
    pub fn bind(&self, target: &str) -> serde_json::Value {
        let bound = self.parameters.iter().map(|(name, value)| {
            let value = match value {
                Parameter::Number(n) => serde_json::Value::from(*n),
                Parameter::Text(text) if text == "{target}" => serde_json::Value::from(target),
                Parameter::Text(text) => serde_json::Value::from(text.as_str()),
            };
            (name.clone(), value)
        });
        serde_json::Value::Object(bound.collect())
    }
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
        if self.verify.settle_secs > MAX_SETTLE {
            faults.push(format!("verify.settle_secs is at most {MAX_SETTLE}"));
        }
        if !(MIN_STABLE..=MAX_STABLE).contains(&self.verify.stable_secs) {
            faults.push(format!("verify.stable_secs is {MIN_STABLE} to {MAX_STABLE}"));
        }
        faults
    }
}

impl When {
    fn is_empty(&self) -> bool {
        *self == When::default()
    }

    /// Each condition laid beside the facts, in a fixed order.
    fn look(&self, facts: &AlertFacts) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let mut lay = |name: String, wanted: Option<&str>, found: Option<&str>| {
            if let Some(wanted) = wanted {
                conditions.push(Condition::new(name, wanted, found));
            }
        };
        lay("check".into(), self.check.as_deref(), Some(&facts.check));
        lay("kind".into(), self.kind.map(Kind::word), Some(&facts.kind));
        lay("target".into(), self.target.as_deref(), Some(&facts.target));
        lay("client".into(), self.client.as_deref(), Some(&facts.client));
        lay("host".into(), self.host.as_deref(), Some(&facts.host));
        for (key, wanted) in &self.tags {
            lay(format!("tag {key}"), Some(wanted), facts.tags.get(key).map(String::as_str));
        }
        lay("severity".into(), self.severity.map(Severity::word), Some(&facts.severity));
        conditions
    }
}

/// What a mapping may do; the stricter is the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

    /// The mode of this word.
    pub fn parse(word: &str) -> Option<Mode> {
        [Mode::Observe, Mode::Approve, Mode::Auto].into_iter().find(|m| m.word() == word)
    }
}

/// One version of a mapping, with its mode.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingVersion {
    /// The mapping.
    pub mapping_id: Uuid,
    /// Its version.
    pub version: i32,
    /// What it may do.
    pub mode: Mode,
    /// Its definition.
    pub definition: Mapping,
}

/// What is known of an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertFacts {
    /// The check's name.
    pub check: String,
    /// The check's kind.
    pub kind: String,
    /// The target.
    pub target: String,
    /// The client's name.
    pub client: String,
    /// The host's name.
    pub host: String,
    /// The host's tags.
    pub tags: BTreeMap<String, String>,
    /// `warning` or `critical`.
    pub severity: String,
}

/// One condition beside what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Which fact.
    pub name: String,
    /// What the mapping wants.
    pub wanted: String,
    /// What the alert has; `None`: nothing.
    pub found: Option<String>,
    /// Whether it holds.
    pub met: bool,
    /// All of that, for people.
    pub words: String,
}

impl Condition {
    fn new(name: String, wanted: &str, found: Option<&str>) -> Condition {
        let met = found == Some(wanted);
        let words = match found {
            Some(_) if met => format!("{name} is {wanted}"),
            Some(found) => format!("{name} is {wanted} (here: {found})"),
            None => format!("{name} is {wanted} (here: none)"),
        };
        Condition { name, wanted: wanted.to_owned(), found: found.map(str::to_owned), met, words }
    }
}

/// What laying one mapping beside the alert gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookResult {
    /// All conditions hold, and it is the one that counts.
    Matched,
    /// All conditions hold, but another is more specific.
    Outranked,
    /// The one that missed by least, when none matched.
    NearestMiss,
    /// Some condition does not hold.
    NoMatch,
}

/// One mapping that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// The mapping's id.
    pub mapping_id: Uuid,
    /// Its name.
    pub mapping: String,
    /// Its version.
    pub version: i32,
    /// What came of it.
    pub result: LookResult,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// How many of them do not hold.
    pub misses: usize,
}

/// What is known about an alert.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A mapping knows a fix.
    Mapped {
        /// The mapping's id.
        mapping_id: Uuid,
        /// Its name.
        name: String,
        /// Its version.
        version: i32,
        /// Its mode.
        mode: Mode,
        /// The number of the first rung: 1.
        rung: i16,
        /// The first rung.
        first: Rung,
        /// How the fix is judged.
        verify: Verify,
    },
    /// None does: a person is asked.
    Unmapped,
}

/// The answer, with all that was looked at: most specific first, ties by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The answer.
    pub outcome: Outcome,
    /// Each mapping.
    pub looked_at: Vec<Looked>,
    /// The mapping that missed by least; only when none matched, and only if any of its conditions held.
    pub nearest_miss: Option<Looked>,
}

/// Which mapping an alert has. A mapping without conditions or rungs matches nothing.
pub fn classify(facts: &AlertFacts, mappings: &[MappingVersion]) -> Classification {
    let mut ranked: Vec<(&MappingVersion, Vec<Condition>)> =
        mappings.iter().map(|m| (m, m.definition.when.look(facts))).collect();
    ranked.sort_by_cached_key(|(m, conditions)| (Reverse(conditions.len()), m.definition.name.clone(), m.mapping_id));
    let mut outcome = Outcome::Unmapped;
    let mut looked_at = Vec::with_capacity(ranked.len());
    for (m, conditions) in ranked {
        let misses = conditions.iter().filter(|c| !c.met).count();
        let result = match m.definition.ladder.first() {
            Some(first) if misses == 0 && !conditions.is_empty() => match outcome {
                Outcome::Mapped { .. } => LookResult::Outranked,
                Outcome::Unmapped => {
                    outcome = Outcome::Mapped {
                        mapping_id: m.mapping_id,
                        name: m.definition.name.clone(),
                        version: m.version,
                        mode: m.mode,
                        rung: 1,
                        first: first.clone(),
                        verify: m.definition.verify,
                    };
                    LookResult::Matched
                }
            },
            _ => LookResult::NoMatch,
        };
        let mapping = m.definition.name.clone();
        looked_at.push(Looked { mapping_id: m.mapping_id, mapping, version: m.version, result, conditions, misses });
    }
    let mut nearest_miss = None;
    if outcome == Outcome::Unmapped {
        let near = looked_at.iter_mut().filter(|l| l.misses > 0 && l.misses < l.conditions.len());
        if let Some(near) = near.min_by_key(|l| (l.misses, Reverse(l.conditions.len()))) {
            near.result = LookResult::NearestMiss;
            nearest_miss = Some(near.clone());
        }
    }
    Classification { outcome, looked_at, nearest_miss }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> AlertFacts {
        AlertFacts {
            check: "shop service".into(),
            kind: "service".into(),
            target: "shop-web".into(),
            client: "Alder".into(),
            host: "web-01".into(),
            tags: [("role".to_owned(), "web".to_owned())].into(),
            severity: "critical".into(),
        }
    }

    fn version(n: u128, name: &str, when: serde_json::Value) -> MappingVersion {
        let definition = json!({"name": name, "when": when, "ladder": [{"playbook": "restart-service",
            "parameters": {"service": "{target}", "tries": 2}}], "verify": {"settle_secs": 5, "stable_secs": 30}});
        let definition = serde_json::from_value(definition).unwrap();
        MappingVersion { mapping_id: Uuid::from_u128(n), version: 1, mode: Mode::Auto, definition }
    }

    #[test]
    fn the_alerts_of_a_table_are_mapped_as_it_says() {
        let m = |n, name, when| version(n, name, when);
        let cases = [
            ("none", vec![], None, None),
            ("one holds", vec![m(1, "a", json!({"kind": "service"}))], Some("a"), None),
            ("other kind", vec![m(1, "a", json!({"kind": "heartbeat"}))], None, None),
            (
                "the most specific",
                vec![
                    m(1, "a", json!({"kind": "service"})),
                    m(2, "b", json!({"kind": "service", "tags": {"role": "web"}})),
                ],
                Some("b"),
                None,
            ),
            (
                "a tie goes by name",
                vec![m(1, "b", json!({"host": "web-01"})), m(2, "a", json!({"client": "Alder"}))],
                Some("a"),
                None,
            ),
            (
                "a tag that is not there",
                vec![m(1, "a", json!({"kind": "service", "tags": {"tier": "1"}}))],
                None,
                Some("a"),
            ),
            (
                "the nearest miss",
                vec![
                    m(1, "a", json!({"kind": "service", "host": "x", "client": "y"})),
                    m(2, "b", json!({"kind": "service", "host": "x"})),
                ],
                None,
                Some("b"),
            ),
            (
                "severity is exact",
                vec![m(1, "a", json!({"severity": "warning", "check": "shop service"}))],
                None,
                Some("a"),
            ),
            ("no condition, no match", vec![m(1, "a", json!({}))], None, None),
        ];
        for (case, mappings, mapped, nearest) in cases {
            for mappings in [mappings.clone(), mappings.into_iter().rev().collect()] {
                let answer = classify(&facts(), &mappings);
                let name = match &answer.outcome {
                    Outcome::Mapped { name, .. } => Some(name.as_str()),
                    Outcome::Unmapped => None,
                };
                assert_eq!(name, mapped, "{case}");
                assert_eq!(answer.nearest_miss.map(|l| l.mapping).as_deref(), nearest, "{case}");
                assert_eq!(answer.looked_at.len(), mappings.len(), "{case}");
            }
        }
    }

    #[test]
    fn parameters_take_the_target_wholly_or_not_at_all() {
        let mut rung = version(1, "a", json!({"kind": "service"})).definition.ladder.remove(0);
        rung.parameters.insert("note".into(), Parameter::Text("at {target}".into()));
        assert_eq!(rung.bind("shop-web"), json!({"service": "shop-web", "tries": 2, "note": "at {target}"}));
    }

    #[test]
    fn unknown_fields_are_errors_and_a_stored_definition_reads_back() {
        let definition = version(1, "a", json!({"kind": "service"})).definition;
        let stored = serde_json::to_value(&definition).unwrap();
        assert_eq!(serde_json::from_value::<Mapping>(stored.clone()).unwrap(), definition);
        let mut wrong = stored;
        wrong["when"]["hostt"] = json!("web-01");
        assert!(serde_json::from_value::<Mapping>(wrong).is_err());
    }

    #[test]
    fn a_mapping_without_conditions_or_rungs_is_faulty() {
        let mut mapping = version(1, "a", json!({"kind": "service"})).definition;
        assert_eq!(mapping.faults(), Vec::<String>::new());
        mapping.when = When::default();
        mapping.ladder.clear();
        mapping.verify.stable_secs = Seconds::millis(499);
        assert_eq!(mapping.faults().len(), 3);
    }
}
