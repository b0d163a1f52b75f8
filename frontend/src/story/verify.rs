//! Stage verify: before and after.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Reading, State};

/// Verify: the same checks again.
#[derive(Clone, Debug)]
pub struct Verification {
    /// What came out.
    pub outcome: Outcome,
    /// Why, in one sentence; for *cannot tell* what was missing.
    pub sentence: Option<String>,
    /// The checks before and after.
    pub compared: Vec<Compared>,
    /// How long things were given to settle before the first look.
    pub settle: Duration,
    /// How long it had to stay well.
    pub stable: Duration,
}

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Still looking.
    Looking {
        /// Until then at the latest.
        until_at: Timestamp,
    },
    /// Well again, and stayed so.
    Fixed,
    /// Still bad.
    NotFixed,
    /// There was no data to tell.
    CannotTell,
    /// Something that was well before is bad now.
    MadeWorse,
    /// The undo brought back what was well before.
    Undone,
    /// The undo did not.
    UndoFailed,
}

impl Outcome {
    /// The state that shows it.
    pub fn state(&self) -> State {
        match self {
            Outcome::Looking { .. } => State::Heal,
            Outcome::Fixed => State::Ok,
            Outcome::NotFixed | Outcome::CannotTell => State::Need,
            Outcome::Undone => State::Idle,
            Outcome::MadeWorse | Outcome::UndoFailed => State::Crit,
        }
    }

    /// The entry's headline.
    pub fn title(&self) -> &'static str {
        match self {
            Outcome::Looking { .. } => "Verifying",
            Outcome::Fixed => "Verified: fixed",
            Outcome::NotFixed => "Verified: not fixed",
            Outcome::CannotTell => "Cannot tell",
            Outcome::MadeWorse => "Made worse",
            Outcome::Undone => "Verified: undone",
            Outcome::UndoFailed => "Undo not verified",
        }
    }
}

/// One check before and after.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The check.
    pub check: String,
    /// Before the run.
    pub before: Reading,
    /// After it, once it was looked at.
    pub after: Option<Reading>,
}
