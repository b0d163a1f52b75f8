//! The list of incidents.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Clock, HostRef, Nav, Shell, State, back_in, part::count_word};

/// How an incident stands, in the words of the person who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Open: a person has to look.
    NeedsYou,
    /// Open: being detected, classified, remediated or verified.
    Healing,
    /// Closed: a run fixed it and the check said so.
    Fixed,
    /// Closed: it was ok again before anything ran.
    RecoveredByItself,
    /// Open: a run waits for a limit, an interlock or hands off.
    Held,
    /// Open: the mapping only watches.
    WatchingOnly,
    /// Closed by a person.
    Closed,
}

impl Standing {
    /// Its words.
    pub fn words(&self) -> &'static str {
        match self {
            Standing::NeedsYou => "needs you",
            Standing::Healing => "healing",
            Standing::Fixed => "fixed",
            Standing::RecoveredByItself => "recovered by itself",
            Standing::Held => "held",
            Standing::WatchingOnly => "watching only",
            Standing::Closed => "closed",
        }
    }

    /// Its words at the head of the incident's page.
    pub fn headline(&self) -> &'static str {
        match self {
            Standing::NeedsYou => "Needs you",
            Standing::Healing => "Healing now",
            Standing::Fixed => "Fixed and verified",
            Standing::RecoveredByItself => "Recovered by itself",
            Standing::Held => "Held",
            Standing::WatchingOnly => "Watching only",
            Standing::Closed => "Closed",
        }
    }

    /// The state that shows it.
    pub fn state(&self) -> State {
        match self {
            Standing::NeedsYou => State::Crit,
            Standing::Healing => State::Heal,
            Standing::Fixed => State::Ok,
            Standing::Held => State::Need,
            Standing::RecoveredByItself | Standing::WatchingOnly | Standing::Closed => State::Idle,
        }
    }

    /// Whether work on it may still happen.
    pub fn is_open(&self) -> bool {
        matches!(self, Standing::NeedsYou | Standing::Healing | Standing::Held | Standing::WatchingOnly)
    }
}

/// One incident in a list.
#[derive(Clone, Debug)]
pub struct IncidentRow {
    /// Its id, for the link.
    pub id: Uuid,
    /// How it stands.
    pub standing: Standing,
    /// What is wrong, outcome first.
    pub title: String,
    /// The client it belongs to.
    pub client: String,
    /// The host it is about, if it is about one.
    pub host: Option<HostRef>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// Why it stands as it does, in one line.
    pub why: String,
}

impl IncidentRow {
    /// How long it was open, once it is closed.
    pub fn lasted(&self) -> Option<String> {
        let span = self.closed_at?.duration_since(self.opened_at);
        Some(back_in(Duration::try_from(span).unwrap_or_default()))
    }
}

/// The page `/incidents`.
#[derive(Clone, Debug, Template)]
#[template(path = "incidents.html")]
pub struct IncidentsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The incidents, newest first.
    pub rows: Vec<IncidentRow>,
    /// How many hosts are enrolled: the empty page says another thing when there are none.
    pub hosts: u32,
    /// True when older ones were left out.
    pub has_more: bool,
}

impl IncidentsPage {
    /// The open ones: those that need a person first, then held, healing, watched; newest first in each.
    pub fn open(&self) -> Vec<&IncidentRow> {
        let mut open: Vec<_> = self.rows.iter().filter(|row| row.standing.is_open()).collect();
        open.sort_by_key(|row| match row.standing {
            Standing::NeedsYou => 0,
            Standing::Held => 1,
            Standing::Healing => 2,
            _ => 3,
        });
        open
    }

    /// The closed ones, as given.
    pub fn closed(&self) -> Vec<&IncidentRow> {
        self.rows.iter().filter(|row| !row.standing.is_open()).collect()
    }

    /// The page's one sentence; it counts what the navigation counts.
    pub fn headline(&self) -> String {
        let healing = self.rows.iter().filter(|row| row.standing == Standing::Healing).count();
        match (self.shell.needs_you, healing) {
            (0, 0) => "Nothing needs you".to_owned(),
            (0, 1) => "Nothing needs you, one is healing".to_owned(),
            (0, n) => format!("Nothing needs you, {} are healing", count_word(n).to_lowercase()),
            (1, _) => "One thing needs you".to_owned(),
            (n, _) => format!("{} things need you", count_word(usize::try_from(n).unwrap_or(usize::MAX))),
        }
    }
}
