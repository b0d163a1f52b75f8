//! The operators' pages: counts of organizations, never their content.

use std::time::Duration;

use askama::Template;
use domain::quota::Plan;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Clock, took};

/// An organization.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "what is counted says what it is")]
pub struct OrganizationRow {
    pub id: Uuid,
    pub name: String,
    /// `active`, `suspended`, `archived` or `deleting`.
    pub state: String,
    pub plan: String,
    pub clients: i64,
    pub hosts: i64,
    /// Hosts whose link is open.
    pub linked: i64,
    pub checks: i64,
    pub members: i64,
    pub open_incidents: i64,
    pub running: i64,
    /// Whether all its actions are stopped.
    pub is_stopped: bool,
    /// When it is to be deleted.
    pub deletes_at: Option<Timestamp>,
    /// Hosts by their agent's version.
    pub versions: Vec<(String, i64)>,
}

impl OrganizationRow {
    fn tone(&self) -> &'static str {
        match (self.state.as_str(), self.is_stopped) {
            ("active", false) => "ok",
            ("active", true) => "need",
            _ => "idle",
        }
    }

    fn words(&self) -> &str {
        if self.state == "active" && self.is_stopped { "active, all actions stopped" } else { &self.state }
    }

    fn agents(&self) -> String {
        let versions: Vec<String> = self.versions.iter().map(|(version, n)| format!("{n} × {version}")).collect();
        versions.join(", ")
    }

    fn is_over(&self, plans: &[Plan]) -> bool {
        let plan = plans.iter().find(|plan| plan.name == self.plan);
        plan.is_some_and(|plan| {
            let over = |limit: Option<u32>, used: i64| limit.is_some_and(|limit| used > i64::from(limit));
            over(plan.max_hosts, self.hosts)
                || over(plan.max_checks, self.checks)
                || over(plan.max_members, self.members)
        })
    }
}

/// A sign that is counted over all organizations.
#[derive(Clone, Copy, Debug)]
pub struct SignRow {
    /// "a fix went badly".
    pub label: &'static str,
    /// Organizations that had it within five minutes.
    pub count: u32,
    /// From how many on it is a storm.
    pub limit: u32,
}

/// Whether there is a storm on the whole platform.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Whether an operator set it, since when, and when it ends by itself.
    pub on: Option<(bool, Timestamp, Timestamp)>,
    /// What is counted.
    pub signs: [SignRow; 3],
    /// Of how many.
    pub organizations: u32,
}

/// How far a queue is behind.
#[derive(Clone, Debug)]
pub struct LagRow {
    /// The queue.
    pub queue: String,
    /// Wake-ups that are due.
    pub due: i64,
    /// For how long the oldest has been.
    pub oldest: Duration,
}

impl LagRow {
    fn behind(&self) -> String {
        took(self.oldest)
    }
}

/// What an operator did.
#[derive(Clone, Debug)]
pub struct Done {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what, and why.
    pub about: String,
}

/// `/platform`.
#[derive(Clone, Debug, Template)]
#[template(path = "platform/page.html")]
pub struct PlatformPage {
    /// The token that forms carry.
    pub csrf: String,
    /// Who reads.
    pub email: String,
    /// The page's clock.
    pub clock: Clock,
    /// Whether the platform's own brake is on.
    pub is_stopped: bool,
    /// Whether there is a storm.
    pub storm: Weather,
    /// The organizations.
    pub organizations: Vec<OrganizationRow>,
    /// After which one the list goes on.
    pub next: Option<Uuid>,
    /// The plans there are.
    pub plans: Vec<Plan>,
    /// The queues in which something is due.
    pub lags: Vec<LagRow>,
    /// What operators did, the newest first.
    pub done: Vec<Done>,
    /// What was wrong.
    pub error: Option<String>,
}

/// `/platform/second-factor`; with codes once it counts.
#[derive(Clone, Debug, Template)]
#[template(path = "platform/second.html")]
pub struct SecondPage {
    /// The token that the form carries.
    pub csrf: String,
    /// Modules of a side of the QR code.
    pub side: usize,
    /// Its dark modules.
    pub path: String,
    /// What the app opens.
    pub link: String,
    /// The secret, to be typed.
    pub spelled: String,
    /// The recovery codes: shown this once.
    pub codes: Vec<String>,
    /// What was wrong.
    pub error: Option<String>,
}
