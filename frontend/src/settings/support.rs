//! When the platform's staff may look.

use askama::Template;
use jiff::Timestamp;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// A grant.
#[derive(Clone, Debug)]
pub struct SupportGrant {
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What for.
    pub reason: String,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// Whether it counts.
    pub is_alive: bool,
    /// When somebody ended it, and who.
    pub ended: Option<(Timestamp, String)>,
}

/// `/settings/support`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/support.html")]
pub struct SupportPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The grants, newest first.
    pub rows: Vec<SupportGrant>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}

impl SupportPage {
    /// Whether one counts.
    fn is_open(&self) -> bool {
        self.rows.iter().any(|row| row.is_alive)
    }
}
