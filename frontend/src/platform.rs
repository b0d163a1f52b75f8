//! The operators' pages: counts of organizations, never their content.

use std::ops::Deref;
use std::time::Duration;

use askama::Template;
use domain::organization::Standing;
use domain::quota::Plan;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Clock, took};

/// An organization, as it stands.
#[derive(Clone, Debug)]
pub struct OrganizationRow(pub Standing);

impl Deref for OrganizationRow {
    type Target = Standing;

    fn deref(&self) -> &Standing {
        &self.0
    }
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
