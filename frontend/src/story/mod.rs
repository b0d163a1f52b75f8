//! The words of an incident's story: one entry for each thing that happened, in the order it happened.

mod admission;
mod classify;
mod detect;
mod run;
mod tell;
mod verify;

use jiff::Timestamp;

use crate::{HandsOff, Pair};

pub use admission::*;
pub use classify::*;
pub use detect::*;
pub use run::*;
pub use tell::*;
pub use verify::*;

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
    /// How the host looked when a person was called.
    Diagnostics(Diagnostics),
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
