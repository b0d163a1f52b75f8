//! The words of an incident's story: one entry for each thing that happened, in the order it happened.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{HandsOff, Limit, Pair, Reading, State, Verdict};

/// One thing that happened, and when.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// What can happen in a story.
#[derive(Clone, Debug)]
pub enum Event {
    /// A check was bad for its hold time.
    Detected(Detected),
    /// The alert was laid beside the mappings.
    Classified(Classified),
    /// A run asked to be admitted, and the answer.
    Admission(Admission),
    /// A run, from its start to its end.
    Run(Run),
    /// The check was run again after a run.
    Verification(Verification),
    /// A mail.
    Mail(Mail),
    /// Handed to a person.
    Escalated(Escalated),
    /// Ok again without a run.
    Recovered(Recovered),
    /// Somebody said hands off.
    HandsOff(HandsOff),
    /// Hands off ended, or was ended.
    Released(Released),
    /// Being watched for a relapse.
    Watching(Watching),
    /// A remark, by a person or by us.
    Note(Note),
}

/// Detect: what the check saw.
#[derive(Clone, Debug)]
pub struct Detected {
    /// The check's name.
    pub check: String,
    /// What it turned to.
    pub verdict: Verdict,
    /// What it saw, one sentence.
    pub saw: String,
    /// How it was before: "ok for 3 days".
    pub before: Option<String>,
    /// How long it had to be bad until it counted.
    pub hold: Option<Duration>,
    /// What the service's own grace said: "outside its grace: up for 16 days".
    pub grace: Option<String>,
    /// The single readings behind it.
    pub evidence: Vec<Evidence>,
}

/// One reading behind a verdict.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What was read.
    pub name: String,
    /// Its value; `None` when it was looked for and absent.
    pub value: Option<String>,
    /// Whether this is what was bad.
    pub is_bad: bool,
    /// When it was read, where that differs from the entry.
    pub at: Option<Timestamp>,
}

/// Classify: what the alert was laid beside.
#[derive(Clone, Debug)]
pub struct Classified {
    /// The mapping that matched, or none: no known fix.
    pub matched: Option<Versioned>,
    /// One sentence more, if there is one.
    pub sentence: Option<String>,
    /// Every mapping looked at, in order.
    pub looked_at: Vec<MappingLook>,
    /// Facts that were asked for.
    pub facts: Vec<Evidence>,
}

/// A thing with a version.
#[derive(Clone, Debug)]
pub struct Versioned {
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: u32,
}

/// One mapping beside the alert.
#[derive(Clone, Debug)]
pub struct MappingLook {
    /// The mapping.
    pub mapping: Versioned,
    /// Its conditions, in order.
    pub conditions: Vec<Condition>,
    /// What came out.
    pub result: LookResult,
}

/// One condition of a mapping.
#[derive(Clone, Debug)]
pub struct Condition {
    /// In words: "service = nginx".
    pub words: String,
    /// Whether it held; a miss is underlined.
    pub met: Met,
}

/// Whether a condition held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// It held.
    Yes,
    /// It did not.
    No,
    /// Nobody looked, because one before it did not hold.
    NotLooked,
}

/// What came of one mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookResult {
    /// It is the one.
    Matched,
    /// It failed by the least.
    NearestMiss,
    /// It did not match.
    NoMatch,
    /// It matched too, but another comes first.
    Outranked,
}

impl LookResult {
    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            LookResult::Matched => "matched",
            LookResult::NearestMiss => "nearest miss",
            LookResult::NoMatch => "no match",
            LookResult::Outranked => "another first",
        }
    }
}

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

/// One run of one playbook version on the host.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id; the forms for a doubt carry it.
    pub id: Uuid,
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
            RunState::Failed { reason } | RunState::Refused { reason } | RunState::InDoubt { reason, .. } | RunState::Cancelled { reason } => Some(reason),
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
}

impl Outcome {
    /// The state that shows it.
    pub fn state(&self) -> State {
        match self {
            Outcome::Looking { .. } => State::Heal,
            Outcome::Fixed => State::Ok,
            Outcome::NotFixed | Outcome::CannotTell => State::Need,
            Outcome::MadeWorse => State::Crit,
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

/// A mail about it.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To whom.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// How it stands.
    pub state: MailState,
}

/// How a mail stands.
#[derive(Clone, Debug)]
pub enum MailState {
    /// Not yet handed over.
    Queued,
    /// The mail server took it.
    Sent,
    /// It could not be handed over.
    Failed {
        /// What the mail server said.
        reason: String,
    },
}

/// Handed to a person.
#[derive(Clone, Debug)]
pub struct Escalated {
    /// Why, as a person says it.
    pub reason: String,
    /// To whom.
    pub to: Option<String>,
}

/// Ok again without a run.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// What the check saw.
    pub saw: String,
}

/// Hands off ended.
#[derive(Clone, Debug)]
pub struct Released {
    /// Who ended it; `None` when it ended by itself.
    pub by: Option<String>,
    /// What follows: "what was held is looked at again".
    pub sentence: Option<String>,
}

/// Watched for a relapse.
#[derive(Clone, Debug)]
pub struct Watching {
    /// Until then.
    pub until_at: Timestamp,
    /// What happens if it comes back.
    pub sentence: Option<String>,
}

/// A remark.
#[derive(Clone, Debug)]
pub struct Note {
    /// Who wrote it; `None` when it is ours.
    pub by: Option<String>,
    /// The text.
    pub text: String,
}

/// One of the reasons why nothing else happened.
#[derive(Clone, Debug)]
pub struct Reason {
    /// What did not happen: "No page."
    pub what: String,
    /// Why: "A page waits 2 min."
    pub why: String,
}

/// What stands about the playbook beside the story.
#[derive(Clone, Debug)]
pub struct PlaybookAside {
    /// Title and version.
    pub playbook: Versioned,
    /// The digest.
    pub digest: String,
    /// Who signed it.
    pub signed_by: Option<String>,
    /// What else there is to know: undo, effect class, how often it was verified.
    pub facts: Vec<Pair>,
}

/// The first and last characters of a digest, which is what people compare.
pub fn short_digest(digest: &str) -> String {
    let letters: Vec<char> = digest.chars().collect();
    if letters.len() <= 12 {
        return digest.to_owned();
    }
    letters[..4].iter().chain(['…'].iter()).chain(letters[letters.len() - 4..].iter()).collect()
}
