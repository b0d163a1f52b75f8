//! Stage remediate: whether a run may begin.

use jiff::Timestamp;

use super::Versioned;
use crate::Limit;

/// How a mapping may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `observe`
    WatchOnly,
    /// `approve`
    AskFirst,
    /// `auto`
    ByItself,
}

impl Mode {
    /// Its words.
    pub fn words(&self) -> &'static str {
        match self {
            Mode::WatchOnly => "watch only",
            Mode::AskFirst => "ask first",
            Mode::ByItself => "fixes by itself",
        }
    }
}

/// The question whether a run may begin, and the answer with every number.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The answer.
    pub answer: Answer,
    /// The mapping's mode.
    pub mode: Mode,
    /// The reason in words: "hands off by S.R.", "41 runs, 41 verified".
    pub reason: String,
    /// The playbook it was about.
    pub playbook: Option<Versioned>,
    /// Every limit, in the order it was looked at.
    pub limits: Vec<Limit>,
}

/// The answer to an admission.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It may begin.
    Allowed,
    /// Not now.
    Held {
        /// When it is looked at again, if that is known.
        until_at: Option<Timestamp>,
    },
    /// It would have been allowed; the mode only watches.
    WouldRun,
    /// A person has to say yes.
    NeedsApproval,
    /// It will not run.
    Refused,
}

impl Answer {
    /// The entry's headline.
    pub fn title(&self) -> &'static str {
        match self {
            Answer::Allowed => "Allowed to act",
            Answer::Held { .. } => "Held",
            Answer::WouldRun => "Would have run",
            Answer::NeedsApproval => "Waits for a yes",
            Answer::Refused => "Not allowed to act",
        }
    }
}
