//! A check's definition, as a person writes it and `checks.definition` keeps it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::header::{self, Header};
use super::reach::{Statuses, Target};
use super::reading::{Comparison, Severity};
use super::ssh::{self, HostKey, Key};

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A service on the host; its readings are `state`, `detail`, `pid`.
    Service,
    /// That the host is heard of at all; looked at by the server.
    Heartbeat,
    /// That a URL answers as it should; asked by the server. Its readings are those of [`super::reach::seen`].
    Http,
    /// That a port takes connections; asked by the server. Its readings are those of [`super::reach::seen`].
    Tcp,
    /// How much room a file system has for users, looked at by the agent; the target is where it is mounted. Its
    /// readings are `free_gb`, `free_percent`, `inodes_free_percent`, `state` (`mounted`, `read_only`), `detail`.
    Disk,
    /// Processes of one name, looked at by the agent. Its readings are `count`, `zombies`, `memory_mb`, `cpu_percent`,
    /// `state` (`running`, `none`), `detail`.
    Process,
    /// That SSH still lets in; asked by the server. Its readings are those of [`super::reach::seen`].
    Ssh,
}

impl Kind {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Service => "service",
            Kind::Heartbeat => "heartbeat",
            Kind::Http => "http",
            Kind::Tcp => "tcp",
            Kind::Disk => "disk",
            Kind::Process => "process",
            Kind::Ssh => "ssh",
        }
    }

    /// Those that the server asks over the network.
    pub const PROBED: [Kind; 3] = [Kind::Http, Kind::Tcp, Kind::Ssh];
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
    /// The service's declared name, a URL, `name:port` (of `tcp` and `ssh`), a mount's path, or a process's name; a heartbeat has none, it looks at the host itself.
    #[serde(default)]
    pub target: String,
    /// The answers that are good; of `http` only, 200-299 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<Statuses>,
    /// A text that the first 64 KiB of the answer hold; of `http` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// How many redirects are followed, each to an address that is allowed; of `http` only, 5 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirects: Option<u32>,
    /// Headers of the request, each a secret; of `http` only, and sent to the target's own origin alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Header>,
    /// The key that the host is known by; of `ssh` only, and needed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<HostKey>,
    /// Who signs in; of `ssh` only. Nobody signs in where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What signs in, a secret; of `ssh` only, and shown to the host of that key alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
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
    /// A look that takes longer is `no_data`; what the server asks and takes longer is down.
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

/// A redirect or two is usual, a longer chain is none that visitors follow.
const REDIRECTS: u32 = 5;
/// A disk is critical below both of these, and a warning below twice of both.
const DISK_PERCENT: f64 = 10.0;
const DISK_GB: f64 = 20.0;
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
        if self.kind == Kind::Disk && !self.target.starts_with('/') {
            return err("target", "a disk check names where the file system is mounted, an absolute path");
        }
        if self.kind == Kind::Process && (self.target.is_empty() || self.target.contains('/')) {
            return err("target", "a process check names the processes, without their folder");
        }
        if Kind::PROBED.contains(&self.kind) {
            if let Err(problem) = Target::parse(self.kind, &self.target) {
                return err("target", problem);
            }
            if self.selector.host.is_none() {
                return err("selector", "what the server asks over the network belongs to one host: name it");
            }
        }
        if self.kind != Kind::Http {
            for (field, said) in [
                ("expect_status", self.expect_status.is_some()),
                ("contains", self.contains.is_some()),
                ("redirects", self.redirects.is_some()),
                ("headers", !self.headers.is_empty()),
            ] {
                if said {
                    return err(field, "only an http check has it");
                }
            }
        }
        if self.contains.as_ref().is_some_and(|text| text.is_empty() || text.len() > 200) {
            return err("contains", "a text has 1 to 200 characters");
        }
        if self.redirects.is_some_and(|redirects| redirects > 10) {
            return err("redirects", "at most 10");
        }
        if let Err(problem) = header::check(&self.headers, &self.target) {
            return err("headers", problem);
        }
        if let Err((field, problem)) = ssh::check(&self) {
            return err(field, problem);
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
        let states = match self.kind {
            Kind::Service => Some(("failed", "running")),
            Kind::Http | Kind::Tcp | Kind::Ssh => Some(("down", "up")),
            Kind::Process => Some(("none", "running")),
            Kind::Heartbeat | Kind::Disk => None,
        };
        if let Some((bad, good)) = states {
            if self.critical_when.is_empty() && self.warning_when.is_empty() {
                let bad = vec![Comparison::is("state", bad)];
                match self.severity {
                    Severity::Critical => self.critical_when = bad,
                    Severity::Warning => self.warning_when = bad,
                }
            }
            if self.ok_when.is_empty() {
                self.ok_when = vec![Comparison::is("state", good)];
            }
        }
        if self.kind == Kind::Disk && self.critical_when.is_empty() && self.warning_when.is_empty() {
            // A share alone is noise on a large volume, an amount alone on a small one. Without an `ok_when` it has
            // recovered when neither is bad any more.
            let below =
                |percent, gb| vec![Comparison::below("free_percent", percent), Comparison::below("free_gb", gb)];
            self.critical_when = below(DISK_PERCENT, DISK_GB);
            self.warning_when = below(2.0 * DISK_PERCENT, 2.0 * DISK_GB);
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

    /// The answers that are good.
    pub fn statuses(&self) -> Statuses {
        self.expect_status.unwrap_or_default()
    }

    /// How many redirects are followed.
    pub fn redirects(&self) -> u32 {
        self.redirects.unwrap_or(REDIRECTS)
    }

    /// The names of the secrets that it refers to.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let headers = self.headers.values().map(|header| header.secret.as_str());
        headers.chain(self.key.iter().map(|key| key.secret.as_str()))
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
    fn a_disk_is_critical_below_a_share_and_an_amount_and_a_process_when_there_is_none() {
        let c = check(r#"{"name":"room","kind":"disk","target":"/var"}"#).unwrap();
        let below = |percent, gb| vec![Comparison::below("free_percent", percent), Comparison::below("free_gb", gb)];
        assert_eq!((c.critical_when, c.warning_when, c.ok_when), (below(10.0, 20.0), below(20.0, 40.0), vec![]));
        assert!(check(r#"{"name":"room","kind":"disk","target":"var"}"#).unwrap_err().contains("absolute"));
        let c = check(r#"{"name":"cron","kind":"process","target":"cron"}"#).unwrap();
        assert_eq!(
            (c.critical_when, c.ok_when),
            (vec![Comparison::is("state", "none")], vec![Comparison::is("state", "running")])
        );
        assert!(check(r#"{"name":"cron","kind":"process","target":"/usr/sbin/cron"}"#).is_err());
    }

    #[test]
    fn what_the_server_asks_belongs_to_one_host_and_has_an_address() {
        let c = check(r#"{"name":"shop","kind":"http","target":"https://shop.example/","selector":{"host":"h1"}}"#);
        let c = c.unwrap();
        assert_eq!((c.statuses().to_string(), c.redirects()), ("200-299".into(), 5));
        assert_eq!(
            (&c.critical_when[0], &c.ok_when[0]),
            (&Comparison::is("state", "down"), &Comparison::is("state", "up"))
        );
        check(r#"{"name":"db","kind":"tcp","target":"db.example:5432","selector":{"host":"h1"}}"#).unwrap();
        for (text, problem) in [
            (r#"{"name":"x","kind":"http","target":"https://shop.example/"}"#, "name it"),
            (r#"{"name":"x","kind":"http","target":"shop","selector":{"host":"h"}}"#, "http://"),
            (r#"{"name":"x","kind":"http","target":"http://u:p@a.example/","selector":{"host":"h"}}"#, "password"),
            (r#"{"name":"x","kind":"tcp","target":"db.example","selector":{"host":"h"}}"#, "name:port"),
            (r#"{"name":"x","kind":"tcp","target":"db.example:0","selector":{"host":"h"}}"#, "name:port"),
            (
                r#"{"name":"x","kind":"tcp","target":"a.example:1","selector":{"host":"h"},"redirects":1}"#,
                "only an http",
            ),
            (r#"{"name":"x","kind":"service","target":"x","contains":"y"}"#, "only an http"),
            (
                r#"{"name":"x","kind":"http","target":"http://a.example","selector":{"host":"h"},"expect_status":"9-8"}"#,
                "100",
            ),
        ] {
            let found = check(text).unwrap_err();
            assert!(found.contains(problem), "{text}: {found}");
        }
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
