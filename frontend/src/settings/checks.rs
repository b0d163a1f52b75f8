//! The checks in use.

use askama::Template;
use uuid::Uuid;

use super::Tab;
use crate::{Nav, Shell};

/// A check in use.
#[derive(Clone, Debug)]
pub struct CheckUsed {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What is looked at: "service".
    pub kind: &'static str,
    /// What it looks at.
    pub target: Option<String>,
    /// Which hosts, in words.
    pub selects: String,
    /// Whether it was made on a host's page, for that host alone.
    pub is_of_host: bool,
    /// That archiving it waits, for a second person or for its time.
    pub waits: Option<String>,
}

/// `/settings/checks`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/checks.html")]
pub struct ChecksPage {
    /// The shell.
    pub shell: Shell,
    /// The page.
    pub tab: Tab,
    /// The checks, by name.
    pub rows: Vec<CheckUsed>,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What was wrong.
    pub error: Option<String>,
}
