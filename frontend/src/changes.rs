//! Changes that loosen and wait for a second person, and for their time.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Clock, Nav, Shell, State};

/// How a change stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for a second person.
    Waits {
        /// When no answer becomes a no.
        lapses_at: Timestamp,
    },
    /// Somebody said yes: it waits for its time.
    Confirmed {
        /// Who.
        by: String,
        /// When it takes effect.
        due_at: Timestamp,
    },
    /// It is over.
    Over {
        /// Whether it has taken effect.
        applied: bool,
        /// How it ended: "rejected by Sam".
        how: String,
        /// When.
        at: Timestamp,
    },
}

/// What the reader may say to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Yes or no.
    YesOrNo,
    /// No alone: it is their own proposal, or it is confirmed already.
    No,
    /// Nothing.
    Nothing,
}

/// One change.
#[derive(Clone, Debug)]
pub struct ChangeRow {
    /// Its id.
    pub id: Uuid,
    /// What it changes: "Mapping “Shop is started again”".
    pub what: String,
    /// What stood when it was proposed.
    pub was: String,
    /// What is to stand.
    pub wanted: String,
    /// What would follow, a sentence.
    pub means: String,
    /// Who proposed it.
    pub by: String,
    /// When.
    pub proposed_at: Timestamp,
    /// In the words of whoever proposed it; empty: they said nothing.
    pub why: String,
    /// In the words of whoever answered.
    pub reason: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// What the reader may say.
    pub ask: Ask,
}

impl ChangeRow {
    fn is_open(&self) -> bool {
        !matches!(self.standing, Standing::Over { .. })
    }

    fn state(&self) -> State {
        match self.standing {
            Standing::Waits { .. } => State::Need,
            Standing::Confirmed { .. } => State::Heal,
            Standing::Over { applied: true, .. } => State::Ok,
            Standing::Over { applied: false, .. } => State::Idle,
        }
    }
}

/// The page `/changes`.
#[derive(Clone, Debug, Template)]
#[template(path = "changes.html")]
pub struct ChangesPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// Those that wait come first.
    pub rows: Vec<ChangeRow>,
    /// How long a confirmed change waits here: "30 min", and why.
    pub delay: String,
}

impl ChangesPage {
    /// "2 changes wait", "Nothing waits".
    fn headline(&self) -> String {
        match self.open().len() {
            0 => "No change waits".to_owned(),
            1 => "1 change waits".to_owned(),
            n => format!("{n} changes wait"),
        }
    }

    fn open(&self) -> Vec<&ChangeRow> {
        self.rows.iter().filter(|row| row.is_open()).collect()
    }

    fn over(&self) -> Vec<&ChangeRow> {
        self.rows.iter().filter(|row| !row.is_open()).collect()
    }
}
