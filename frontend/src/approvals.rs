//! What waits for a person's yes.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Clock, HostRef, Nav, Shell, Verdict, incident::Ask, part::count_word, story::Versioned};

/// One fix that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What exactly is asked.
    pub ask: Ask,
    /// Its incident; the answer is posted there.
    pub incident: Uuid,
    /// The incident's title.
    pub title: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// The client.
    pub client: String,
    /// The one host it would run on.
    pub host: HostRef,
    /// The check that is bad, and what it looks at.
    pub check: String,
    /// Since when.
    pub bad_since: Timestamp,
    /// The mapping that asks first.
    pub mapping: Versioned,
}

/// The page `/approvals`.
#[derive(Clone, Debug, Template)]
#[template(path = "approvals.html")]
pub struct ApprovalsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// What waits, what lapses first at the head.
    pub waiting: Vec<Waiting>,
    /// Whether this member may answer.
    pub may_approve: bool,
}

impl ApprovalsPage {
    /// The page's one sentence.
    pub fn headline(&self) -> String {
        let who = if self.may_approve { "your" } else { "a" };
        match self.waiting.len() {
            0 => "Nothing waits for a yes".to_owned(),
            1 => format!("One fix waits for {who} yes"),
            n => format!("{} fixes wait for {who} yes", count_word(n)),
        }
    }
}
