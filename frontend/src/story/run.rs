//! Stage remediate: a run, its steps and its output.

use std::time::Duration;

use uuid::Uuid;

use super::Versioned;
use crate::State;

/// One run of one playbook version on the host.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id; the forms for a doubt carry it.
    pub id: Uuid,
    /// It takes the fix back.
    pub undo: bool,
    /// Which rung of its ladder it is, from 1.
    pub rung: u32,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The playbook.
    pub playbook: Versioned,
    /// The digest of what was sent.
    pub digest: String,
    /// Who signed it, if it is signed.
    pub signed_by: Option<String>,
    /// How it stands.
    pub state: RunState,
    /// How long it took, once it ended.
    pub took: Option<Duration>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Its output.
    pub output: Vec<OutputLine>,
    /// True when the output was longer than what is kept.
    pub output_cut: bool,
}

impl Run {
    /// The entry's headline: what is taken back is said otherwise than what is done.
    pub fn title(&self) -> &'static str {
        if !self.undo {
            return self.state.title();
        }
        match &self.state {
            RunState::Waiting => "To be taken back",
            RunState::Running => "Taking it back",
            RunState::Done => "Taken back",
            RunState::Failed { .. } => "Undo tried, and failed",
            RunState::Refused { .. } => "The host refused the undo",
            RunState::InDoubt { answered: None, .. } => "Undo in doubt",
            RunState::InDoubt { .. } => "Undo was in doubt",
            RunState::Cancelled { .. } => "Undo withdrawn",
        }
    }

    /// Whether its output says when a line came; without, no room is left for it.
    pub fn has_times(&self) -> bool {
        self.output.iter().any(|line| line.after.is_some())
    }
}

/// How a run stands.
#[derive(Clone, Debug)]
pub enum RunState {
    /// Admitted; the host has not begun.
    Waiting,
    /// Running now.
    Running,
    /// All steps ended with 0: which does not mean fixed.
    Done,
    /// A step failed.
    Failed {
        /// In words: "exit 1 at step 2".
        reason: String,
    },
    /// The host refused it.
    Refused {
        /// The host's reason.
        reason: String,
    },
    /// Nobody knows whether it ran.
    InDoubt {
        /// What happened: "the link was lost after the permit".
        reason: String,
        /// What a person answered, once they did.
        answered: Option<String>,
    },
    /// Withdrawn before it began.
    Cancelled {
        /// Why: "recovered by itself".
        reason: String,
    },
}

impl RunState {
    /// The state that shows it.
    pub fn state(&self) -> State {
        match self {
            RunState::Waiting | RunState::Running | RunState::Done => State::Heal,
            RunState::Failed { .. } => State::Crit,
            RunState::Refused { .. } | RunState::InDoubt { answered: None, .. } => State::Need,
            RunState::InDoubt { .. } | RunState::Cancelled { .. } => State::Idle,
        }
    }

    /// The entry's headline.
    pub fn title(&self) -> &'static str {
        match self {
            RunState::Waiting => "Sent to the host",
            RunState::Running => "Remediating",
            RunState::Done => "Remediated",
            RunState::Failed { .. } => "Tried, and failed",
            RunState::Refused { .. } => "The host refused",
            RunState::InDoubt { answered: None, .. } => "In doubt",
            RunState::InDoubt { .. } => "Was in doubt",
            RunState::Cancelled { .. } => "Withdrawn",
        }
    }

    /// The reason, where there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            RunState::Failed { reason }
            | RunState::Refused { reason }
            | RunState::InDoubt { reason, .. }
            | RunState::Cancelled { reason } => Some(reason),
            _ => None,
        }
    }

    /// Whether it happens now.
    pub fn is_live(&self) -> bool {
        matches!(self, RunState::Waiting | RunState::Running)
    }
}

/// One step of a run.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub title: String,
    /// What is started, as arguments, if it is a command.
    pub command: Option<String>,
    /// How it stands.
    pub state: StepState,
    /// How long it took.
    pub took: Option<Duration>,
    /// How it ended: 0 or not.
    pub exit_code: Option<i32>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Ahead,
    /// Running.
    Running,
    /// Ended with 0.
    Done,
    /// Ended otherwise.
    Failed,
    /// Left out, because it was not needed or one before it failed.
    Skipped,
    /// Nobody knows.
    Unknown,
}

impl StepState {
    /// The state that shows it.
    pub fn state(&self) -> State {
        match self {
            StepState::Ahead | StepState::Skipped => State::Idle,
            StepState::Running => State::Heal,
            StepState::Done => State::Ok,
            StepState::Failed => State::Crit,
            StepState::Unknown => State::Need,
        }
    }

    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            StepState::Ahead => "not begun",
            StepState::Running => "running",
            StepState::Done => "done",
            StepState::Failed => "failed",
            StepState::Skipped => "left out",
            StepState::Unknown => "not known",
        }
    }
}

/// One line of output.
#[derive(Clone, Debug)]
pub struct OutputLine {
    /// When, since the run began.
    pub after: Option<Duration>,
    /// What kind of line.
    pub kind: LineKind,
    /// Its text, without the line's end.
    pub text: String,
}

/// What a line of output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A command that is started.
    Command,
    /// What it wrote.
    Text,
    /// Our remark: "exit 0 after 214 ms".
    Remark,
}
