//! The page of guardrails: the kill switch, what is stopped now, and the limits with what is used of them.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Clock, Limit, Nav, Shell, State};

/// What the page is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// The whole organization.
    Organization,
    /// One client.
    Client {
        /// Its id.
        id: Uuid,
        /// Its name.
        name: String,
    },
}

/// Who stopped all actions here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Who; none: the operator of the platform.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// Since when.
    pub at: Option<Timestamp>,
}

/// How something that stands is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// By the form of the page about that client or host: its address.
    At(String),
    /// By a button: its interlock.
    Release(Uuid),
    /// By a person who has looked, with a reason: the breaker's name, sent to `/guardrails/breaker`.
    Close(String),
    /// Not by this member.
    NotByYou,
}

/// Something that stands now and keeps fixes from running.
#[derive(Clone, Debug)]
pub struct Standing {
    /// "Hands off", "Interlock", "Breaker", "Stopped".
    pub kind: &'static str,
    /// What it stops: "web-03 at Alder".
    pub place: String,
    /// Who and why.
    pub words: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// How it is ended.
    pub ends: Ends,
}

/// Maintenance that is planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// What it keeps actions off: "web-03 at Alder".
    pub place: String,
    /// When: "sat 22:00-04:00, Europe/Berlin".
    pub times: String,
    /// Whether it is planned at all.
    pub active: bool,
    /// The stretch that holds now, or comes next; none: there is none any more.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Planned {
    /// Whether it holds now.
    pub fn holds(&self, clock: &Clock) -> bool {
        self.active && self.span.is_some_and(|(from, to)| from <= clock.now && clock.now < to)
    }
}

/// A client in the list.
#[derive(Clone, Debug)]
pub struct ClientRow {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its hosts.
    pub hosts: u32,
    /// Fixes that are held there now.
    pub held: u32,
    /// Whether all actions are stopped there.
    pub stopped: bool,
}

/// A mapping that some hosts would refuse by their own limits.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The mapping's name.
    pub mapping: String,
    /// The first playbook that is refused.
    pub playbook: String,
    /// Hosts that would refuse.
    pub refusing: u32,
    /// Hosts it is about.
    pub hosts: u32,
}

/// What a stop here would reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Hosts.
    pub hosts: u32,
    /// Fixes that wait.
    pub waiting: u32,
    /// Fixes that run their step now.
    pub running: u32,
}

/// The page `/guardrails`, and `/guardrails/{client}`.
#[derive(Clone, Debug, Template)]
#[template(path = "guardrails.html")]
pub struct GuardrailsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// What it is about.
    pub about: About,
    /// Stopped here.
    pub stopped: Option<Stopped>,
    /// The organization is stopped, or the platform, so the client is too.
    pub stopped_above: bool,
    /// Whether the member may stop.
    pub may_stop: bool,
    /// Whether the member may let act again.
    pub may_let: bool,
    /// What a stop would reach.
    pub reach: Reach,
    /// What stands now.
    pub standing: Vec<Standing>,
    /// Maintenance that is planned, and concerns what the page is about.
    pub maintenance: Vec<Planned>,
    /// The limits with what is used of them.
    pub limits: Vec<Limit>,
    /// The clients; none on a client's own page.
    pub clients: Vec<ClientRow>,
    /// The mappings that hosts would refuse.
    pub refused: Vec<Refused>,
    /// Hands off that stand on the client, so that they can be ended.
    pub hands_off: bool,
}

impl GuardrailsPage {
    fn headline(&self) -> String {
        match (&self.about, self.stopped.is_some() || self.stopped_above) {
            (About::Organization, true) => "All actions are stopped".to_owned(),
            (About::Organization, false) => "Guardrails".to_owned(),
            (About::Client { name, .. }, true) => format!("{name}: all actions are stopped"),
            (About::Client { name, .. }, false) => name.clone(),
        }
    }

    /// Where its forms are sent to.
    fn address(&self) -> String {
        match &self.about {
            About::Organization => "/guardrails".to_owned(),
            About::Client { id, .. } => format!("/guardrails/{id}"),
        }
    }

    fn is_client(&self) -> bool {
        matches!(self.about, About::Client { .. })
    }

    /// "on 12 hosts", "on its one host".
    fn place(&self) -> String {
        match self.reach.hosts {
            1 => "on one host".to_owned(),
            n => format!("on {n} hosts"),
        }
    }

    /// What a stop would do, before somebody asks for it.
    fn would(&self) -> String {
        let waiting = match self.reach.waiting {
            0 => "No fix waits now".to_owned(),
            1 => "1 fix that waits is held".to_owned(),
            n => format!("{n} fixes that wait are held"),
        };
        let running = match self.reach.running {
            0 => "none is running".to_owned(),
            1 => "1 that runs finishes its step and begins no other".to_owned(),
            n => format!("{n} that run finish their step and begin no other"),
        };
        format!("{waiting}; {running}.")
    }
}

impl Standing {
    fn state(&self) -> State {
        if self.kind == "Stopped" { State::Crit } else { State::Need }
    }
}
