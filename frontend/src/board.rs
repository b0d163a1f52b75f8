//! The board: what needs a person, what wanted to act and did not, whether we were watching, what was fixed, the clients.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Clock, HostRef, Nav, Shell, State, Verdict, back_in, guardrails::Standing, part::count_word, trend::ClosedGap,
    trend::Trend,
};

/// Who was told that a person is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nobody yet.
    Nobody,
    /// A mail to them waits to be sent.
    OnItsWay(String),
    /// A mail to them was taken by the relay.
    At(String, Timestamp),
    /// A mail to them was not taken.
    Failed(String),
}

/// Something that needs a person.
#[derive(Clone, Debug)]
pub struct Need {
    /// Its incident.
    pub incident: Uuid,
    /// The incident's title.
    pub title: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// The client's name.
    pub client: String,
    /// The host's name.
    pub host: Option<String>,
    /// Since when a person is needed.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
    /// Whether a fix waits for a yes.
    pub asks: bool,
    /// Who was told.
    pub told: Told,
    /// Who has it, and since when.
    pub owner: Option<(String, Timestamp)>,
}

/// A fix that did not run.
#[derive(Clone, Debug)]
pub struct Unrun {
    /// Its incident.
    pub incident: Uuid,
    /// The playbook's name.
    pub playbook: String,
    /// Where: the host's name.
    pub host: String,
    /// The client's name.
    pub client: String,
    /// Why, in the words of what held it.
    pub reason: String,
    /// Whether it lapsed for want of an answer; else it is held now.
    pub lapsed: bool,
    /// When it lapsed, or was planned.
    pub at: Timestamp,
    /// When it is looked at again, if that is known.
    pub until: Option<Timestamp>,
}

/// A host that is silent.
#[derive(Clone, Debug)]
pub struct Silent {
    /// The host.
    pub host: HostRef,
    /// Since when.
    pub since: Timestamp,
}

/// Whether we look at all, and whether people hear of it.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Agents that are linked.
    pub linked: u32,
    /// Agents that are silent.
    pub silent: u32,
    /// Agents that were never heard.
    pub never: u32,
    /// The silent ones, the longest first; not all of them, when they are many.
    pub gaps: Vec<Silent>,
    /// When the relay took a mail last.
    pub mailed_at: Option<Timestamp>,
    /// Mails of the last 24 hours that it did not take.
    pub mails_failed: u32,
    /// Mails that wait.
    pub mails_queued: u32,
    /// The stretches of silence of 24 hours that are over, the newest first.
    pub closed: Vec<ClosedGap>,
}

impl Watch {
    /// Hosts there are.
    pub fn hosts(&self) -> u32 {
        self.linked.saturating_add(self.silent).saturating_add(self.never)
    }

    /// The state that shows it: without a single agent we are blind, and no quiet night.
    pub fn state(&self) -> State {
        match (self.linked, self.silent + self.never + self.mails_failed) {
            (0, 0) => State::Idle,
            (0, _) => State::Crit,
            (_, 0) => State::Ok,
            _ => State::Need,
        }
    }

    /// Its words.
    pub fn words(&self) -> &'static str {
        match self.state() {
            State::Idle => "no host yet",
            State::Crit => "blind: no agent is linked",
            State::Ok => "every agent is linked",
            _ if self.silent + self.never > 0 => "not everywhere",
            _ => "mails were not delivered",
        }
    }
}

/// A fix that was verified.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Its incident.
    pub incident: Uuid,
    /// The incident's title.
    pub title: String,
    /// The client's name.
    pub client: String,
    /// The host's name.
    pub host: String,
    /// When it was found fixed.
    pub at: Timestamp,
    /// Since when it was bad.
    pub bad_since: Timestamp,
    /// Whether it came back.
    pub relapsed: bool,
}

impl Fixed {
    /// How long it was bad.
    pub fn lasted(&self) -> String {
        back_in(Duration::try_from(self.at.duration_since(self.bad_since)).unwrap_or_default())
    }
}

/// A client.
#[derive(Clone, Debug)]
pub struct ClientRow {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its hosts.
    pub hosts: u32,
    /// Its open critical incidents.
    pub critical: u32,
    /// Its open warnings.
    pub warning: u32,
    /// Those of them that need a person.
    pub needs_you: u32,
    /// What was fixed in the last 24 hours.
    pub fixed: u32,
}

impl ClientRow {
    /// The state that shows it.
    pub fn state(&self) -> State {
        match (self.needs_you, self.critical, self.critical + self.warning) {
            (0, _, 0) if self.hosts == 0 => State::Idle,
            (0, _, 0) => State::Ok,
            (0, ..) => State::Heal,
            (_, 0, _) => State::Need,
            _ => State::Crit,
        }
    }

    /// Its words; nothing is called well where nothing is looked at.
    pub fn words(&self) -> String {
        match self.state() {
            State::Ok => "nothing open".to_owned(),
            State::Idle => "no host yet".to_owned(),
            State::Heal => format!("{} open, nobody needed", self.critical + self.warning),
            _ if self.needs_you == 1 => "1 needs you".to_owned(),
            _ => format!("{} need you", self.needs_you),
        }
    }
}

/// The page `/`.
#[derive(Clone, Debug, Template)]
#[template(path = "board.html")]
pub struct BoardPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// What needs a person, the worst first.
    pub needs: Vec<Need>,
    /// Fixes that did not run.
    pub unrun: Vec<Unrun>,
    /// What stands against fixes.
    pub standing: Vec<Standing>,
    /// Whether we look at all.
    pub watch: Watch,
    /// What was fixed in the last 24 hours: what came back first.
    pub fixed: Vec<Fixed>,
    /// How many that are in all.
    pub fixed_all: u32,
    /// The clients, worst first.
    pub clients: Vec<ClientRow>,
    /// How the last 30 days went.
    pub trend: Trend,
}

impl BoardPage {
    /// The page's one sentence; that nothing needs anybody is said of what is seen only.
    pub fn headline(&self) -> String {
        match (self.needs.len(), self.watch.state()) {
            (0, State::Crit) => "Nothing is seen: no agent is linked".to_owned(),
            (0, State::Need) if self.watch.silent + self.watch.never > 0 => "Nothing seen needs you".to_owned(),
            (0, _) => "Nothing needs you".to_owned(),
            (1, _) => "One thing needs you".to_owned(),
            (n, _) => format!("{} things need you", count_word(n)),
        }
    }
}
