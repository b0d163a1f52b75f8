//! What people were told, did and wrote.

use jiff::Timestamp;
use uuid::Uuid;

/// How the host looked when a person was called.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    /// Its id, for what is folded on the page.
    pub id: Uuid,
    /// The host's name.
    pub host: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Until when its answer counts.
    pub until_at: Timestamp,
    /// What it answered, most telling first.
    pub found: Option<Vec<LookedAt>>,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct LookedAt {
    /// What.
    pub title: String,
    /// What was found.
    pub lines: Vec<String>,
}

impl Diagnostics {
    /// Whether an answer may still come.
    pub fn is_awaited(&self, now: &Timestamp) -> bool {
        self.found.is_none() && self.until_at > *now
    }

    /// How long it had, in words.
    pub fn waited(&self) -> String {
        crate::took(self.until_at.duration_since(self.asked_at).unsigned_abs())
    }
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
