//! The list of incidents.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Clock, HostRef, Nav, Shell, State, back_in,
    incident_filter::{Filter, Wanted, kind_words},
    part::count_word,
};

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
    /// Who has it.
    pub owner: Option<String>,
}

impl IncidentRow {
    /// How long it was open, once it is closed.
    pub fn lasted(&self) -> Option<String> {
        let span = self.closed_at?.duration_since(self.opened_at);
        Some(back_in(Duration::try_from(span).unwrap_or_default()))
    }
}

impl Found {
    /// As many are counted; whoever has more narrows the filter instead of reading a number.
    pub const MOST: u32 = 1_000;

    /// What was counted up to one more than [`Found::MOST`].
    pub fn of(n: u32) -> Found {
        if n > Found::MOST { Found::Many } else { Found::Exactly(n) }
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
    /// The incidents of this page: open ones first, newest first in each.
    pub rows: Vec<IncidentRow>,
    /// How many hosts are enrolled: the empty page says another thing when there are none.
    pub hosts: u32,
    /// What they are filtered by.
    pub filter: Filter,
    /// The clients that can be chosen: id and name.
    pub clients: Vec<(Uuid, String)>,
    /// The kinds of checks that can be chosen, in the stored word.
    pub kinds: Vec<String>,
    /// How many the filter finds.
    pub found: Found,
    /// Whether this page begins after a place in the list.
    pub is_later: bool,
    /// The place after which older ones are.
    pub older: Option<String>,
    /// What of the address could not be read; then no incident is shown.
    pub wrong: Option<String>,
    /// Whether the member may answer incidents.
    pub may_act: bool,
}

/// A count that goes up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// So many.
    Exactly(u32),
    /// More than are counted, [`Found::MOST`].
    Many,
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

    /// The page's one sentence; unfiltered, it counts what the navigation counts.
    pub fn headline(&self) -> String {
        if self.wrong.is_some() {
            return "That filter could not be read".to_owned();
        }
        if !self.filter.is_empty() {
            return match self.found {
                Found::Exactly(0) => "No incident is like that".to_owned(),
                Found::Exactly(1) => "One incident is like that".to_owned(),
                Found::Exactly(n) => format!("{n} incidents are like that"),
                Found::Many => "More than 1,000 incidents are like that".to_owned(),
            };
        }
        let healing = self.rows.iter().filter(|row| row.standing == Standing::Healing).count();
        match (self.shell.needs_you, healing) {
            (0, 0) => "Nothing needs you".to_owned(),
            (0, 1) => "Nothing needs you, one is healing".to_owned(),
            (0, n) => format!("Nothing needs you, {} are healing", count_word(n).to_lowercase()),
            (1, _) => "One thing needs you".to_owned(),
            (n, _) => format!("{} things need you", count_word(usize::try_from(n).unwrap_or(usize::MAX))),
        }
    }

    /// How many there are, for the foot of the list.
    pub fn of_all(&self) -> String {
        match self.found {
            Found::Exactly(1) => "one in all".to_owned(),
            Found::Exactly(n) => format!("{n} in all"),
            Found::Many => "more than 1,000 in all".to_owned(),
        }
    }

    fn all_wanted(&self) -> [Wanted; 9] {
        Wanted::ALL
    }

    fn is_wanted(&self, wanted: &Wanted) -> bool {
        self.filter.wanted.as_ref() == Some(wanted)
    }

    fn is_chosen(&self, client: &Uuid) -> bool {
        self.filter.client.as_ref().is_some_and(|(id, _)| id == client)
    }

    fn kind_words<'a>(&self, kind: &'a str) -> &'a str {
        kind_words(kind)
    }
}
