//! What a host allows by itself, as its agent told it: how many hosts would refuse a mapping. The host decides anew when a
//! fix comes; this says beforehand what it would say.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::classify::mapping::Mapping;

/// A host's own limits; what is not told allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OwnLimits {
    /// `read-only`, `low-risk` or `all-signed`.
    profile: String,
    /// If not empty, only playbooks of these names.
    allowed_playbooks: Vec<String>,
    /// A fix that may take longer is not begun.
    max_run_secs: Option<u64>,
    /// Whether a step may be a script.
    scripts: bool,
}

/// What of a playbook a host looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Its name.
    pub name: String,
    risk: String,
    secs: u64,
    undo_secs: u64,
    has_script: bool,
}

impl Fix {
    /// The playbook of a published text; none: it cannot be read.
    pub fn read(name: &str, content: &str) -> Option<Fix> {
        let playbook: Value = serde_json::from_str(content).ok()?;
        let steps = |key: &str| playbook.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let secs = |steps: &[Value]| {
            let each = steps.iter().filter_map(|step| step.get("limit_secs").and_then(Value::as_u64));
            each.fold(0_u64, u64::saturating_add)
        };
        let (fix, undo) = (steps("steps"), steps("undo"));
        Some(Fix {
            name: name.to_owned(),
            risk: playbook.get("risk")?.as_str()?.to_owned(),
            secs: secs(&fix),
            undo_secs: secs(&undo),
            has_script: fix.iter().chain(&undo).any(|step| step.get("script").is_some()),
        })
    }
}

impl OwnLimits {
    /// The limits as they were told, as JSON; what cannot be read allows nothing.
    pub fn read(told: &str) -> OwnLimits {
        serde_json::from_str(told).unwrap_or_default()
    }

    /// Whether the host would refuse a fix, at whatever hour.
    pub fn refuses(&self, fix: &Fix) -> bool {
        let allowed = match self.profile.as_str() {
            "all-signed" => fix.risk != "E",
            "low-risk" => fix.risk == "L",
            _ => false,
        };
        let is_narrowed = !self.allowed_playbooks.is_empty() && !self.allowed_playbooks.contains(&fix.name);
        let is_long = self.max_run_secs.is_some_and(|most| fix.secs > most || fix.undo_secs > most);
        !allowed || is_narrowed || is_long || (fix.has_script && !self.scripts)
    }
}

/// Hosts of one client, as a mapping looks at them, that differ in nothing but their names.
#[derive(Clone, Debug)]
pub struct Alike {
    /// Their client's name.
    pub client: String,
    /// Their names.
    pub names: Vec<String>,
    /// Their tags.
    pub tags: BTreeMap<String, String>,
    /// What they allow by themselves.
    pub limits: OwnLimits,
}

/// A mapping of which some hosts would refuse a rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The mapping's name.
    pub mapping: String,
    /// The playbook of the first rung that one of them refuses.
    pub playbook: String,
    /// Hosts that would refuse one of its rungs.
    pub refusing: u32,
    /// Hosts that it is about.
    pub hosts: u32,
}

/// The mappings that some host would refuse, those that most would refuse first. A rung whose playbook is not known is left
/// out: it is nobody's to refuse.
pub fn refused(mappings: &[Mapping], fixes: &[Fix], hosts: &[Alike]) -> Vec<Refused> {
    let of = |mapping: &Mapping| {
        let rungs: Vec<&Fix> =
            mapping.ladder.iter().filter_map(|rung| fixes.iter().find(|fix| fix.name == rung.playbook)).collect();
        let when = &mapping.when;
        let (mut about, mut refusing, mut first) = (0, 0, None::<usize>);
        for alike in hosts {
            let fits = when.client.as_ref().is_none_or(|client| *client == alike.client)
                && when.tags.iter().all(|(key, value)| alike.tags.get(key) == Some(value));
            if !fits {
                continue;
            }
            let named = |name: &&String| when.host.as_ref().is_none_or(|host| host == *name);
            let many = u32::try_from(alike.names.iter().filter(named).count()).unwrap_or(u32::MAX);
            about += many;
            if many > 0
                && let Some(rung) = rungs.iter().position(|fix| alike.limits.refuses(fix))
            {
                refusing += many;
                first = Some(first.map_or(rung, |first| first.min(rung)));
            }
        }
        let playbook = rungs[first?].name.clone();
        Some(Refused { mapping: mapping.name.clone(), playbook, refusing, hosts: about })
    };
    let mut all: Vec<Refused> = mappings.iter().filter_map(of).collect();
    all.sort_by(|a, b| b.refusing.cmp(&a.refusing).then_with(|| a.mapping.cmp(&b.mapping)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fix(name: &str, risk: &str, script: bool) -> Fix {
        let step =
            if script { json!({"script": {}, "limit_secs": 30}) } else { json!({"argv": ["x"], "limit_secs": 30}) };
        Fix::read(name, &json!({"risk": risk, "steps": [step]}).to_string()).unwrap()
    }

    fn limits(told: Value) -> OwnLimits {
        OwnLimits::read(&told.to_string())
    }

    #[test]
    fn a_host_refuses_what_its_own_file_does_not_allow() {
        let (low, medium, script) = (fix("restart", "L", false), fix("reboot", "M", false), fix("clean", "L", true));
        let lets = |told: Value| [&low, &medium, &script].map(|fix| !limits(told.clone()).refuses(fix));
        assert_eq!(lets(json!({"profile": "read-only"})), [false, false, false]);
        assert_eq!(lets(json!({"profile": "low-risk"})), [true, false, false]);
        assert_eq!(lets(json!({"profile": "low-risk", "scripts": true})), [true, false, true]);
        assert_eq!(lets(json!({"profile": "all-signed", "scripts": true})), [true, true, true]);
        assert_eq!(
            lets(json!({"profile": "all-signed", "scripts": true, "allowed_playbooks": ["reboot"]})),
            [false, true, false]
        );
        assert_eq!(lets(json!({"profile": "all-signed", "scripts": true, "max_run_secs": 29})), [false, false, false]);
        assert_eq!(lets(json!({"a later agent": 1})), [false, false, false]);
        assert!(OwnLimits::read("what").refuses(&low), "what cannot be read allows nothing");
        assert!(limits(json!({"profile": "all-signed"})).refuses(&fix("never", "E", false)));
    }

    #[test]
    fn a_mapping_is_refused_by_those_hosts_alone_that_it_is_about() {
        let mapping = |name: &str, when: Value, playbook: &str| -> Mapping {
            let ladder = json!([{"playbook": playbook}]);
            serde_json::from_value(
                json!({"name": name, "when": when, "ladder": ladder, "verify": {"settle_secs": 1, "stable_secs": 1}}),
            )
            .unwrap()
        };
        let host = |client: &str, names: &[&str], profile: &str| Alike {
            client: client.to_owned(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
            tags: [("role".to_owned(), names[0].to_owned())].into(),
            limits: limits(json!({"profile": profile})),
        };
        let hosts = [
            host("Acme", &["web", "web-2"], "low-risk"),
            host("Acme", &["db"], "read-only"),
            host("Dock", &["web", "web-2", "web-3"], "read-only"),
        ];
        let mappings = [
            mapping("all", json!({}), "restart"),
            mapping("web", json!({"tags": {"role": "web"}}), "restart"),
            mapping("fine", json!({"client": "Acme", "host": "web"}), "restart"),
            mapping("one", json!({"host": "web-3"}), "restart"),
            mapping("unknown", json!({}), "gone"),
        ];
        let said = refused(&mappings, &[fix("restart", "L", false)], &hosts);
        let said: Vec<(&str, u32, u32)> = said.iter().map(|r| (r.mapping.as_str(), r.refusing, r.hosts)).collect();
        assert_eq!(said, [("all", 4, 6), ("web", 3, 5), ("one", 1, 1)]);
    }
}
