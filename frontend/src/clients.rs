//! The list of clients.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Clock, Nav, Shell, State, part::count_word};

/// How much was healed without a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// Healed without a person.
    pub healed: u32,
    /// Those, and what needed a person.
    pub counted: u32,
}

impl Healed {
    /// The rule, as it stands on hover.
    pub const RULE: &'static str = "Of what was fixed or needed a person: fixed, nobody called or asked for a yes, and it did not come back. What recovered by itself and what is still open is not counted.";

    /// The share in whole percent, rounded down: 100 % means all of them. None: there is nothing to count.
    pub fn percent(&self) -> Option<u32> {
        let share = u64::from(self.healed) * 100;
        share.checked_div(u64::from(self.counted)).map(|share| u32::try_from(share).unwrap_or(100))
    }

    /// The rule, where templates need it.
    pub fn rule(&self) -> &'static str {
        Healed::RULE
    }
}

/// One client in the list.
#[derive(Clone, Debug)]
pub struct ClientRow {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its sites.
    pub sites: u32,
    /// Its hosts.
    pub hosts: u32,
    /// Those of them that are not heard.
    pub silent: u32,
    /// Open critical incidents.
    pub critical: u32,
    /// Open warnings.
    pub warning: u32,
    /// Those of them that need a person.
    pub needs_you: u32,
    /// Whether all actions are stopped there.
    pub stopped: bool,
    /// What was healed in 30 days.
    pub healed: Healed,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
}

impl ClientRow {
    fn open(&self) -> u32 {
        self.critical + self.warning
    }

    /// The state that shows it; nothing is called well where nothing is looked at.
    pub fn state(&self) -> State {
        match (self.needs_you, self.critical, self.open()) {
            _ if self.archived_at.is_some() => State::Idle,
            (0, _, 0) if self.hosts == 0 => State::Idle,
            (0, _, 0) if self.silent > 0 => State::Need,
            (0, _, 0) => State::Ok,
            (0, ..) => State::Heal,
            (_, 0, _) => State::Need,
            _ => State::Crit,
        }
    }

    /// Its words.
    pub fn words(&self) -> String {
        match self.state() {
            State::Idle if self.archived_at.is_some() => "archived".to_owned(),
            State::Idle => "no host yet".to_owned(),
            State::Ok => "nothing open".to_owned(),
            State::Heal => format!("{} open, nobody needed", self.open()),
            _ if self.needs_you == 0 => format!("{} not heard", self.silent),
            _ if self.needs_you == 1 => "1 needs you".to_owned(),
            _ => format!("{} need you", self.needs_you),
        }
    }
}

/// What somebody typed who adds a client.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// The name.
    pub name: String,
    /// The time zone.
    pub zone: String,
}

/// The page `/clients`.
#[derive(Clone, Debug, Template)]
#[template(path = "clients.html")]
pub struct ClientsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The clients, worst first.
    pub rows: Vec<ClientRow>,
    /// Whether those that are archived are shown.
    pub archived: bool,
    /// How many are archived.
    pub archived_all: u32,
    /// Whether the member may add clients.
    pub may_manage: bool,
    /// What is typed into the form that adds one.
    pub typed: Typed,
    /// Why that was not taken.
    pub wrong: Option<String>,
}

impl ClientsPage {
    fn headline(&self) -> String {
        let need = self.rows.iter().filter(|row| row.needs_you > 0).count();
        match (self.archived, self.rows.len(), need) {
            (true, 0, _) => "No client is archived".to_owned(),
            (true, 1, _) => "One archived client".to_owned(),
            (true, n, _) => format!("{} archived clients", count_word(n)),
            (_, 0, _) => "No clients yet".to_owned(),
            (_, 1, 0) => "One client, nobody is needed".to_owned(),
            (_, n, 0) => format!("{n} clients, nobody is needed"),
            (_, _, 1) => "One client needs you".to_owned(),
            (_, _, n) => format!("{} clients need you", count_word(n)),
        }
    }
}
