//! The limits on acting: what holds, and what is to hold.

use askama::Template;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// A limit.
#[derive(Clone, Debug)]
pub struct LimitRow {
    /// As files write it.
    pub word: &'static str,
    /// As people read it.
    pub label: &'static str,
    /// What holds: "4 in 10 min", "by the scope’s size".
    pub now: String,
    /// Whether somebody has set it.
    pub is_set: bool,
    /// The count as it is typed; none: it has none.
    pub count: Option<String>,
    /// The seconds as they are typed; none: it has none.
    pub secs: Option<String>,
    /// What waits to hold instead, for a second person or for its time.
    pub waits: Option<String>,
}

impl LimitRow {
    fn id(&self) -> String {
        self.word.replace('.', "-")
    }
}

/// The limits of one kind of scope.
#[derive(Clone, Debug)]
pub struct LimitGroup {
    /// "The organization", "Each client".
    pub title: &'static str,
    /// Its limits.
    pub rows: Vec<LimitRow>,
}

/// `/settings/limits`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/limits.html")]
pub struct LimitsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The limits.
    pub groups: Vec<LimitGroup>,
    /// How long a loosening waits after the yes.
    pub delay: String,
    /// The limit that was typed wrongly; its form is open.
    pub open: Option<&'static str>,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}

impl LimitsPage {
    fn is_open(&self, row: &LimitRow) -> bool {
        self.open == Some(row.word)
    }
}
