//! Small parts that several pages share: state with its word, verdicts, readings, limits with their meters.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use uuid::Uuid;

/// The five states there are; each has its own shape, colour, and always a word beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Well, or fixed.
    Ok,
    /// Being healed right now.
    Heal,
    /// Needs a person.
    Need,
    /// Critical.
    Crit,
    /// Nothing happens here.
    Idle,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Ok => "ok",
            State::Heal => "heal",
            State::Need => "need",
            State::Crit => "crit",
            State::Idle => "idle",
        })
    }
}

/// What a check's thresholds say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within its limits.
    Ok,
    /// Past its first limit.
    Warning,
    /// Past its second limit.
    Critical,
    /// It could not be looked at; never read as healthy.
    NoData,
}

impl Verdict {
    /// The state that shows it.
    pub fn state(&self) -> State {
        match self {
            Verdict::Ok => State::Ok,
            Verdict::Warning => State::Need,
            Verdict::Critical => State::Crit,
            Verdict::NoData => State::Idle,
        }
    }

    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Critical => "critical",
            Verdict::NoData => "no data",
        }
    }
}

/// What a check read, with its verdict: "refused", "200 in 41 ms".
#[derive(Clone, Debug)]
pub struct Reading {
    /// What the thresholds said.
    pub verdict: Verdict,
    /// What was read, in words.
    pub words: String,
}

/// A label and what belongs to it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The label.
    pub label: String,
    /// The value.
    pub value: String,
}

/// A host as a link.
#[derive(Clone, Debug)]
pub struct HostRef {
    /// Its id, for the link.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// Whether the agent is heard.
#[derive(Clone, Debug)]
pub enum Link {
    /// Linked.
    Linked {
        /// When the link began.
        since_at: Timestamp,
    },
    /// Silent since then.
    Silent {
        /// The last word from it.
        since_at: Timestamp,
    },
    /// Enrolled, never heard.
    NeverHeard,
}

impl Link {
    /// The state that shows it.
    pub fn state(&self) -> State {
        match self {
            Link::Linked { .. } => State::Ok,
            Link::Silent { .. } => State::Need,
            Link::NeverHeard => State::Idle,
        }
    }
}

/// No actions until then; messages go on.
#[derive(Clone, Debug)]
pub struct HandsOff {
    /// Who asked for it.
    pub by: String,
    /// When it ends by itself.
    pub until_at: Timestamp,
    /// Why, if they said so.
    pub reason: Option<String>,
}

/// What one limit said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitResult {
    /// There was room.
    Allowed,
    /// This limit held the run.
    Held,
    /// Not looked at, because something before it decided.
    NotEvaluated,
}

impl LimitResult {
    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            LimitResult::Allowed => "allowed",
            LimitResult::Held => "held",
            LimitResult::NotEvaluated => "not evaluated",
        }
    }
}

/// How much of a limit is used.
#[derive(Clone, Debug)]
pub struct Used {
    /// Taken.
    pub used: u32,
    /// Of so many.
    pub of: u32,
    /// What is counted or over which time, after the numbers: "a day", "bad". May be empty.
    pub unit: String,
}

/// One guardrail with its numbers.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name: "Client, 10 min".
    pub label: String,
    /// Its numbers, if it has any (an interlock has none).
    pub used: Option<Used>,
    /// In place of numbers: "none declared".
    pub state: Option<String>,
    /// What used it, or why it is that number.
    pub because: String,
    /// When there is room again.
    pub frees_at: Option<Timestamp>,
    /// What it said.
    pub result: LimitResult,
}

impl Limit {
    /// Its meter, when it has numbers.
    pub fn meter(&self) -> Option<Meter> {
        let used = self.used.as_ref()?;
        Some(Meter { used: used.used, of: used.of, state: (self.result == LimitResult::Held).then_some(State::Need) })
    }
}

/// A small meter: one segment for each unit up to ten, then in proportion. Decoration; the numbers stand beside it.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Taken.
    pub used: u32,
    /// Of so many.
    pub of: u32,
    /// A state, if it should be seen.
    pub state: Option<State>,
}

impl Meter {
    /// Segments lit and segments in all: at least one is lit as soon as one unit is used, all only when full.
    pub fn segments(&self) -> (u32, u32) {
        let of = self.of.max(1);
        let used = self.used.min(of);
        if of <= 10 {
            return (used, of);
        }
        let lit = used.saturating_mul(10).div_ceil(of);
        (if used < of { lit.min(9) } else { 10 }, 10)
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lit, all) = self.segments();
        match self.state {
            Some(state) => write!(f, r#"<span class="meter" data-state="{state}" aria-hidden="true">"#)?,
            None => f.write_str(r#"<span class="meter" aria-hidden="true">"#)?,
        }
        for segment in 0..all {
            f.write_str(if segment < lit { r#"<i class="on"></i>"# } else { "<i></i>" })?;
        }
        f.write_str("</span>")
    }
}
impl HtmlSafe for Meter {}

/// Small numbers as words, as a person writes them at the head of a page.
pub fn count_word(n: usize) -> String {
    const WORDS: [&str; 11] = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"];
    WORDS.get(n).map_or_else(|| n.to_string(), |word| (*word).to_owned())
}
