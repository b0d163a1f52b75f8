//! The page of one host.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Clock, HandsOff, Limit, Link, Nav, Pair, Shell, Verdict,
    hosts::{Tally, Trust},
    incidents::IncidentRow,
    inventory::Inventory,
    metrics::{Metrics, Service, bytes},
};

/// A machine that asked to enrol and is this host by what it calls itself, but not by its key.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its key, hex: the answer is about exactly this one.
    pub key: String,
    /// Its host name.
    pub hostname: String,
    /// Where it asked from.
    pub address: Option<String>,
    /// When.
    pub asked_at: Timestamp,
}

/// The page `/hosts/{id}`. Its forms post to `hands-off` (fields `hours`, `reason`), `release` and
/// `same-machine` below it.
#[derive(Clone, Debug, Template)]
#[template(path = "host.html")]
pub struct HostPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The host's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its client's id.
    pub client_id: Uuid,
    /// Its client.
    pub client: String,
    /// Where it stands.
    pub site: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it is heard.
    pub link: Link,
    /// Whether it is trusted.
    pub trust: Trust,
    /// Its agent's version.
    pub agent: Option<String>,
    /// What else the agent told: system, address, up since.
    pub inventory: Vec<Pair>,
    /// What it is, once it has told.
    pub found: Option<Inventory>,
    /// A machine that says it is this host, with another key.
    pub claim: Option<Claim>,
    /// Hands off, while it lasts.
    pub hands_off: Option<HandsOff>,
    /// Its metrics; none before its first report.
    pub metrics: Option<Metrics>,
    /// Its services, as it last reported them.
    pub services: Vec<Service>,
    /// Its checks, worst first.
    pub checks: Vec<CheckRow>,
    /// The host's own limits, from its own file.
    pub own_limits: Vec<OwnLimit>,
    /// The guardrails that concern it, with their numbers now.
    pub limits: Vec<Limit>,
    /// Recent incidents, newest first.
    pub incidents: Vec<IncidentRow>,
    /// Whether this member may change its site and tags.
    pub may_manage: bool,
    /// Whether this member may act on it.
    pub may_act: bool,
    /// Whether this member may say that it is the same machine.
    pub may_trust: bool,
}

/// One check of the host.
#[derive(Clone, Debug)]
pub struct CheckRow {
    /// The check, if it was made on this page: then it can be archived here.
    pub made_here: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// What its thresholds say now.
    pub verdict: Verdict,
    /// What it read.
    pub reading: String,
    /// Why it is judged so: "stopped on purpose, no failure".
    pub why: Option<String>,
    /// Since when it stands so.
    pub since_at: Option<Timestamp>,
    /// How often it is looked at.
    pub every: Option<Duration>,
}

/// One line of the host's own limits.
#[derive(Clone, Debug)]
pub struct OwnLimit {
    /// "May restart".
    pub label: String,
    /// What it says.
    pub says: Says,
}

/// What a line of the host's own limits says.
#[derive(Clone, Debug)]
pub enum Says {
    /// Names or paths; none means: nothing at all.
    Names(Vec<String>),
    /// Words or a number.
    Words(String),
}

impl HostPage {
    /// Bytes in words.
    fn bytes(&self, count: &u64) -> String {
        bytes(*count as f64)
    }

    /// The checks in numbers.
    pub fn tally(&self) -> Tally {
        let count = |verdict| {
            u32::try_from(self.checks.iter().filter(|check| check.verdict == verdict).count()).unwrap_or(u32::MAX)
        };
        Tally {
            ok: count(Verdict::Ok),
            warning: count(Verdict::Warning),
            critical: count(Verdict::Critical),
            no_data: count(Verdict::NoData),
        }
    }
}
