//! The demo's own pages: what can be broken, and the mailbox. Only a demo has them.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Clock, HandsOff, HostRef, Nav, Shell, State};

/// How a victim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its check is ok and no incident of it is open.
    Well,
    /// Its check is not ok, and no incident tells of it yet.
    Broken,
    /// Its incident is being worked on.
    Healing,
    /// Something holds its fix.
    Held,
    /// Its incident waits for a person.
    NeedsYou,
    /// No check has told of it yet.
    Unknown,
}

impl Condition {
    /// Its words.
    pub fn words(&self) -> &'static str {
        match self {
            Condition::Well => "well",
            Condition::Broken => "broken",
            Condition::Healing => "healing",
            Condition::Held => "held",
            Condition::NeedsYou => "needs you",
            Condition::Unknown => "no data yet",
        }
    }

    /// The state that shows it.
    pub fn state(&self) -> State {
        match self {
            Condition::Well => State::Ok,
            Condition::Broken | Condition::NeedsYou => State::Crit,
            Condition::Healing => State::Heal,
            Condition::Held => State::Need,
            Condition::Unknown => State::Idle,
        }
    }
}

/// A limit that is used up: what is broken before then is held.
#[derive(Clone, Debug)]
pub struct Rest {
    /// The limit's name.
    pub limit: String,
    /// When there is room again.
    pub until_at: Timestamp,
}

/// An incident as a link.
#[derive(Clone, Debug)]
pub struct IncidentRef {
    /// Its id, for the link.
    pub id: Uuid,
    /// What is wrong.
    pub title: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// Why it stands as it does, in one line.
    pub why: String,
}

/// One victim.
#[derive(Clone, Debug)]
pub struct Card {
    /// What its forms and `demo break` call it: "a".
    pub name: String,
    /// Its service: "website".
    pub service: String,
    /// What to see, in one sentence.
    pub caption: String,
    /// Its host.
    pub host: HostRef,
    /// Its client.
    pub client: String,
    /// How it stands.
    pub condition: Condition,
    /// Hands off, while it lasts.
    pub hands_off: Option<HandsOff>,
    /// The limit that frees last, while one is used up.
    pub rest: Option<Rest>,
    /// Its newest incident.
    pub incident: Option<IncidentRef>,
}

impl Card {
    /// Whether the release is what comes next.
    pub fn wants_release(&self) -> bool {
        self.hands_off.is_some() && self.condition == Condition::Held
    }

    /// Whether something is to be put right by hand.
    pub fn wants_reset(&self) -> bool {
        self.condition == Condition::NeedsYou
    }
}

/// The page `/demo`. Its forms post to `break` and `reset` below it, with the victim's name.
#[derive(Clone, Debug, Template)]
#[template(path = "demo.html")]
pub struct DemoPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The victims.
    pub cards: Vec<Card>,
    /// Mails that arrived.
    pub mails: usize,
    /// Whether this member may act.
    pub may_act: bool,
}

/// One mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its place among those that arrived, from 1.
    pub number: usize,
    /// Its subject.
    pub subject: String,
    /// Its sender.
    pub from: String,
    /// Its receivers.
    pub to: String,
    /// When it was sent, as it says.
    pub sent_at: Option<Timestamp>,
}

/// The page `/demo/mails`.
#[derive(Clone, Debug, Template)]
#[template(path = "demo-mails.html")]
pub struct MailsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The mails, newest first.
    pub mails: Vec<Mail>,
}

/// The page `/demo/mails/{n}`; its frame shows `page` below it.
#[derive(Clone, Debug, Template)]
#[template(path = "demo-mail.html")]
pub struct MailPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The mail.
    pub mail: Mail,
    /// Its plain text.
    pub text: String,
    /// The incident it tells of, if that is one of ours.
    pub incident: Option<Uuid>,
}
