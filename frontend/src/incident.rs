//! The page of one incident: its story.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Clock, HandsOff, HostRef, LimitResult, Link, Nav, Pair, Shell, State,
    incidents::Standing,
    story::{
        Answer, Entry, Event, LineKind, LookResult, MailState, Met, Outcome, PlaybookAside, Reason, Run, RunState,
        StepState, Versioned,
    },
    took,
};

/// The page `/incidents/{id}`.
#[derive(Clone, Debug, Template)]
#[template(path = "incident.html")]
pub struct IncidentPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The incident's id; its forms post to `/incidents/{id}/doubt`.
    pub id: Uuid,
    /// What people call it: "INC-2041". May be empty.
    pub reference: String,
    /// How it stands.
    pub standing: Standing,
    /// What happened, outcome first.
    pub title: String,
    /// The client.
    pub client: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// Short remarks under the title: "nobody was paged", "third time in 31 days".
    pub remarks: Vec<String>,
    /// The story, oldest first.
    pub entries: Vec<Entry>,
    /// The fixes that wait for a yes.
    pub asks: Vec<Ask>,
    /// The host beside it.
    pub host: Option<HostAside>,
    /// The playbook beside it, once one was chosen.
    pub playbook: Option<PlaybookAside>,
    /// Why nothing else happened.
    pub why_nothing_else: Vec<Reason>,
    /// Whether this member may answer a doubt.
    pub may_act: bool,
    /// Who has it, whether it is this member, and since when.
    pub owner: Option<Owner>,
    /// Whether this member may say yes or no to a fix.
    pub may_approve: bool,
}

/// A fix that waits for a yes.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its run.
    pub run_id: Uuid,
    /// The digest of exactly this plan, hex; the answer is bound to it.
    pub plan: String,
    /// The playbook.
    pub playbook: Versioned,
    /// Where it would run: "shop on web-01".
    pub place: String,
    /// What it may do wrong, in words: "risk L, idempotent".
    pub risk: String,
    /// What it would do, a line a step.
    pub steps: Vec<String>,
    /// Its parameters.
    pub with: Vec<Pair>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When no answer becomes a no.
    pub lapses_at: Timestamp,
}

impl Ask {
    /// Seconds left for an answer.
    pub fn left_secs(&self, now: &Timestamp) -> u64 {
        u64::try_from(self.lapses_at.duration_since(*now).as_secs()).unwrap_or(0)
    }

    /// Seconds an answer was asked for.
    pub fn lasts_secs(&self) -> u64 {
        u64::try_from(self.lapses_at.duration_since(self.asked_at).as_secs()).unwrap_or(0).max(1)
    }

    /// The plan's digest as people compare it: "9e07…41da".
    pub fn short_plan(&self) -> String {
        match (self.plan.get(..4), self.plan.len().checked_sub(4).and_then(|at| self.plan.get(at..))) {
            (Some(head), Some(tail)) => format!("{head}…{tail}"),
            _ => self.plan.clone(),
        }
    }
}

/// Who has an incident.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Their name.
    pub name: String,
    /// Whether it is the member who reads.
    pub is_you: bool,
    /// Since when.
    pub at: Timestamp,
}

/// What stands about the host beside the story.
#[derive(Clone, Debug)]
pub struct HostAside {
    /// The host.
    pub host: HostRef,
    /// Its client.
    pub client: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its agent's version.
    pub agent: Option<String>,
    /// Whether it is heard.
    pub link: Link,
    /// Hands off, while it lasts.
    pub hands_off: Option<HandsOff>,
}

/// One of the four stages at the head of the story.
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// Where the story tells of it: the entry's number.
    pub entry: Option<usize>,
    /// The state that colours it, once it says something.
    pub state: Option<State>,
    /// When, how long.
    pub words: String,
}

impl IncidentPage {
    fn is_yours(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.is_you)
    }

    /// The instant at which the story began.
    pub fn start(&self) -> &Timestamp {
        let detected = self.entries.iter().find(|entry| matches!(entry.event, Event::Detected(_)));
        detected.or(self.entries.first()).map_or(&self.opened_at, |entry| &entry.at)
    }

    /// Seconds until the page is read again by itself: often while something happens, else now and then.
    pub fn refresh(&self) -> u32 {
        if self.standing == Standing::Healing { 1 } else { 4 }
    }

    /// The runs that wait for a person's answer.
    pub fn doubts(&self) -> Vec<&Run> {
        let in_doubt = |entry: &Entry| match &entry.event {
            Event::Run(run) if matches!(run.state, RunState::InDoubt { answered: None, .. }) => Some(run.id),
            _ => None,
        };
        self.entries
            .iter()
            .filter(|entry| in_doubt(entry).is_some())
            .filter_map(|entry| if let Event::Run(run) = &entry.event { Some(run) } else { None })
            .collect()
    }

    /// The four stages with their times; the last word on each is the newest.
    pub fn stages(&self) -> [Stage; 4] {
        let find =
            |wanted: fn(&Event) -> bool| self.entries.iter().enumerate().rfind(|(_, entry)| wanted(&entry.event));
        let first =
            |wanted: fn(&Event) -> bool| self.entries.iter().enumerate().find(|(_, entry)| wanted(&entry.event));
        [
            self.stage("Detect", first(|event| matches!(event, Event::Detected(_)))),
            self.stage("Classify", first(|event| matches!(event, Event::Classified(_)))),
            self.stage("Remediate", find(|event| matches!(event, Event::Run(_) | Event::Admission(_)))),
            self.stage("Verify", find(|event| matches!(event, Event::Verification(_) | Event::Recovered(_)))),
        ]
    }

    /// No mapping knew what to do, and nobody did anything since.
    fn has_no_known_fix(&self) -> bool {
        let unmatched = |entry: &Entry| matches!(&entry.event, Event::Classified(it) if it.matched.is_none());
        let acted = |entry: &Entry| matches!(entry.event, Event::Admission(_) | Event::Run(_) | Event::Recovered(_));
        self.entries.iter().any(unmatched) && !self.entries.iter().any(acted)
    }

    fn stage(&self, name: &'static str, found: Option<(usize, &Entry)>) -> Stage {
        let Some((index, entry)) = found else {
            let words = match (self.has_no_known_fix(), self.standing.is_open()) {
                (true, _) => "no known fix",
                (false, true) => "not yet",
                (false, false) => "not needed",
            };
            return Stage { name, entry: None, state: None, words: words.to_owned() };
        };
        let when = self.since_start(entry.at);
        let (state, words) = match &entry.event {
            Event::Classified(classified) if classified.matched.is_none() => {
                (Some(State::Need), format!("{when}, no known fix"))
            }
            Event::Admission(admission) => match admission.answer {
                Answer::Allowed => (Some(State::Heal), format!("{when}, allowed")),
                Answer::Held { .. } => (Some(State::Need), "held".to_owned()),
                Answer::WouldRun => (None, "would have run".to_owned()),
                Answer::NeedsApproval => (Some(State::Need), "waits for a yes".to_owned()),
                Answer::Refused => (Some(State::Need), "not allowed".to_owned()),
            },
            Event::Run(run) => match (&run.state, run.took) {
                (RunState::Done, _) if run.undo => (Some(State::Idle), format!("{when}, taken back")),
                (RunState::Done, Some(d)) => (None, format!("{when}, took {}", took(d))),
                (RunState::Waiting | RunState::Running, _) if run.undo => {
                    (Some(State::Heal), format!("{when}, taking it back"))
                }
                (RunState::Waiting | RunState::Running, _) => (Some(State::Heal), format!("{when}, running")),
                (RunState::Done, None) => (None, when),
                (other, _) => (Some(other.state()), run.title().to_lowercase()),
            },
            Event::Verification(verification) => {
                let words = match verification.outcome {
                    Outcome::Fixed => format!("{when}, stable {}", took(verification.stable)),
                    Outcome::Looking { .. } => format!("{when}, looking"),
                    Outcome::NotFixed => format!("{when}, not fixed"),
                    Outcome::CannotTell => format!("{when}, cannot tell"),
                    Outcome::MadeWorse => format!("{when}, made worse"),
                    Outcome::Undone => format!("{when}, undone"),
                    Outcome::UndoFailed => format!("{when}, undo failed"),
                };
                (Some(verification.outcome.state()), words)
            }
            Event::Recovered(_) => (Some(State::Ok), format!("{when}, ok by itself")),
            _ => (None, when),
        };
        Stage { name, entry: Some(index), state, words }
    }

    fn since_start(&self, at: Timestamp) -> String {
        let span = at.duration_since(*self.start());
        if span.is_positive() && span.as_secs() < 60 {
            format!("+{}", took(span.unsigned_abs()))
        } else {
            at.to_zoned(self.clock.zone.clone()).strftime("%H:%M:%S").to_string()
        }
    }
}

/// The width of the times beside the lines of a run's output.
const GUTTER: usize = 8;

/// A line of output without a time.
pub const NO_GUTTER: &str = "        ";

/// The time beside a line of output, since the run began: "+ 48 ms", padded to one width.
pub fn gutter(after: &std::time::Duration) -> String {
    let words = took(*after);
    format!("+{words:>width$}", width = GUTTER - 1)
}
