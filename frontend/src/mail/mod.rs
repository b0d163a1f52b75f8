//! Mails: outcome first in the subject, the same facts in HTML and in text.
//!
//! Three kinds tell of incidents: [`Fixed`] (nothing to do), [`NeedsYou`] (a person has to look), [`Held`] (a fix wanted to run
//! and something holds it). [`AccountMail`] tells one person of their own account. All are plain facts; the words and the layout are made here.

mod account;
mod letter;
#[cfg(any(test, feature = "gallery"))]
pub mod samples;

use std::time::Duration;

use jiff::Timestamp;

use crate::{Clock, State, back_in, took};
pub use account::{Account, AccountMail};
use letter::Letter;

/// A mail ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line, without line ends.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The text part: the same facts.
    pub text: String,
}

/// What every mail is about.
#[derive(Clone, Debug)]
pub struct About {
    /// The service or thing: "shop-web".
    pub what: String,
    /// The host's name; none for what is about no host.
    pub host: Option<String>,
    /// The client's name.
    pub client: String,
    /// When it began.
    pub since_at: Timestamp,
    /// The incident's page, absolute.
    pub link: String,
    /// The clock and zone of the reader.
    pub clock: Clock,
    /// Why this person gets this mail, and what follows: the small print.
    pub small_print: String,
}

/// A check before and after.
#[derive(Clone, Debug)]
pub struct Change {
    /// The check.
    pub check: String,
    /// What it read before.
    pub before: String,
    /// What it reads now.
    pub after: String,
}

/// It broke and was fixed; nothing to do.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// What, where, when.
    pub about: About,
    /// How long it was away.
    pub back_in: Duration,
    /// What broke, one line each.
    pub broke: Vec<String>,
    /// What ran: "Restart a failed service v4".
    pub ran: String,
    /// How the checks read before and after.
    pub changes: Vec<Change>,
    /// How long it has stayed well since.
    pub stable: Duration,
    /// "third time in 31 days", if it recurs.
    pub recurs: Option<String>,
}

/// A person has to look.
#[derive(Clone, Debug)]
pub struct NeedsYou {
    /// What, where, since when.
    pub about: About,
    /// The reason in about five words, for the subject: "not fixed by a restart".
    pub brief: String,
    /// The reason in a sentence or two.
    pub reason: String,
    /// True when it is critical.
    pub is_critical: bool,
    /// How it stands now, one line each.
    pub now: Vec<String>,
    /// What was tried, one line each; empty means nothing was touched.
    pub tried: Vec<String>,
    /// What to look at first, one line each.
    pub look_first: Vec<String>,
    /// Who is told next, and when.
    pub told_next: Option<String>,
}

/// A fix wanted to run, and something holds it.
#[derive(Clone, Debug)]
pub struct Held {
    /// What, where, since when.
    pub about: About,
    /// Who or what holds it, for the subject: "hands off by S. Rivera".
    pub held_by: String,
    /// The reason that was given, and what else there is to know.
    pub reason: Option<String>,
    /// Until when, if that is known.
    pub until_at: Option<Timestamp>,
    /// What would have run: "Restart a failed service v4".
    pub would_run: String,
    /// How it stands now, one line each.
    pub now: Vec<String>,
}

impl About {
    fn place(&self) -> String {
        format!("{} ({})", self.what_where(), self.client)
    }

    fn what_where(&self) -> String {
        self.host.as_ref().map_or_else(|| self.what.clone(), |host| format!("{} on {host}", self.what))
    }

    fn moment(&self) -> Vec<String> {
        vec![self.clock.moment_words(self.since_at)]
    }

    fn whereabouts(&self) -> Vec<String> {
        vec![self.host.iter().chain([&self.client]).cloned().collect::<Vec<_>>().join(", ")]
    }
}

impl Fixed {
    /// Subject, HTML and text.
    pub fn render(&self) -> Rendered {
        let about = &self.about;
        let back = back_in(self.back_in);
        let mut verified: Vec<String> =
            self.changes.iter().map(|c| format!("{}: {} → {}", c.check, c.before, c.after)).collect();
        verified.push(format!("stable for {}", took(self.stable)));
        Letter {
            subject: format!("Fixed: {} — back in {back}", about.place()),
            state: State::Ok,
            status: "Fixed and verified".to_owned(),
            title: format!("{} is back after {back}", about.what_where()),
            lead: "You need not do anything. The same check that saw it break is ok again.".to_owned(),
            rows: Letter::rows([
                ("When", about.moment()),
                ("Where", about.whereabouts()),
                ("What broke", self.broke.clone()),
                ("What ran", vec![self.ran.clone()]),
                ("Verified", verified),
                ("Comes back", self.recurs.iter().cloned().collect()),
            ]),
            button: "Read the story",
            link: about.link.clone(),
            small_print: about.small_print.clone(),
        }
        .render()
    }
}

impl NeedsYou {
    /// Subject, HTML and text.
    pub fn render(&self) -> Rendered {
        let about = &self.about;
        let tried =
            if self.tried.is_empty() { vec!["nothing; nothing was touched".to_owned()] } else { self.tried.clone() };
        Letter {
            subject: format!("Needs you: {} — {}", about.place(), self.brief),
            state: if self.is_critical { State::Crit } else { State::Need },
            status: if self.is_critical { "Needs you, critical" } else { "Needs you" }.to_owned(),
            title: format!("{}: {}", about.what_where(), self.brief),
            lead: self.reason.clone(),
            rows: Letter::rows([
                ("Since", about.moment()),
                ("Where", about.whereabouts()),
                ("Now", self.now.clone()),
                ("Tried", tried),
                ("Look first", self.look_first.clone()),
                ("Told next", self.told_next.iter().cloned().collect()),
            ]),
            button: "Open the incident",
            link: about.link.clone(),
            small_print: about.small_print.clone(),
        }
        .render()
    }
}

impl Held {
    /// Subject, HTML and text.
    pub fn render(&self) -> Rendered {
        let about = &self.about;
        let until = self.until_at.map_or_else(
            || "somebody ends it".to_owned(),
            |at| format!("{}, then it is looked at again", about.clock.at_words(at)),
        );
        Letter {
            subject: format!("Held: {} — {}", about.place(), self.held_by),
            state: State::Need,
            status: "Held".to_owned(),
            title: format!("{}: its fix is held", about.what_where()),
            lead: format!("“{}” would have run. It did not, because of {}.", self.would_run, self.held_by),
            rows: Letter::rows([
                ("Since", about.moment()),
                ("Where", about.whereabouts()),
                ("Now", self.now.clone()),
                ("Held by", vec![self.held_by.clone()]),
                ("Reason", self.reason.iter().cloned().collect()),
                ("Until", vec![until]),
                ("Would run", vec![self.would_run.clone()]),
            ]),
            button: "Open the incident",
            link: about.link.clone(),
            small_print: about.small_print.clone(),
        }
        .render()
    }
}
