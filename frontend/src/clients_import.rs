//! Importing clients, sites and contacts: a table is pasted, what each line would add is shown, then it is written.

use askama::Template;

use crate::{Clock, Nav, Shell, State};

/// What comes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It adds this: "the client, in Europe/Berlin".
    Adds(Vec<String>),
    /// Everything it says is there already.
    Nothing,
    /// It cannot be taken, for this reason.
    Wrong(String),
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number in the file.
    pub number: u64,
    /// The client it is about, or what it says where that is not known.
    pub about: String,
    /// What comes of it.
    pub outcome: Outcome,
}

impl Line {
    /// The state that shows it.
    pub fn state(&self) -> State {
        match self.outcome {
            Outcome::Adds(_) => State::Ok,
            Outcome::Nothing => State::Idle,
            Outcome::Wrong(_) => State::Crit,
        }
    }

    /// Its words.
    pub fn words(&self) -> String {
        match &self.outcome {
            Outcome::Adds(things) => format!("adds {}", things.join(", ")),
            Outcome::Nothing => "all of it is there already".to_owned(),
            Outcome::Wrong(why) => why.clone(),
        }
    }
}

/// The page `/clients/import`.
#[derive(Clone, Debug, Template)]
#[template(path = "clients-import.html")]
pub struct ImportPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The organization's time zone, for clients that say none.
    pub zone: String,
    /// The columns there are.
    pub columns: &'static [&'static str],
    /// The table as it was typed.
    pub text: String,
    /// What comes of each line; none before it was looked at.
    pub lines: Option<Vec<Line>>,
    /// What was looked at, so that nothing else is written.
    pub seen: String,
    /// Why nothing can be made of it.
    pub wrong: Option<String>,
}

impl ImportPage {
    fn wrong_lines(&self) -> usize {
        self.lines.iter().flatten().filter(|line| matches!(line.outcome, Outcome::Wrong(_))).count()
    }

    fn adding(&self) -> usize {
        self.lines.iter().flatten().filter(|line| matches!(line.outcome, Outcome::Adds(_))).count()
    }

    fn may_write(&self) -> bool {
        self.wrong_lines() == 0 && self.adding() > 0
    }

    fn verdict(&self) -> (State, String) {
        let lines = |n: usize| if n == 1 { "one line".to_owned() } else { format!("{n} lines") };
        match (self.wrong_lines(), self.adding()) {
            (0, 0) => (State::Idle, "nothing to add: all of it is there already".to_owned()),
            (0, n) => (State::Ok, format!("{} would be written, in one step", lines(n))),
            (n, _) => (State::Crit, format!("{} cannot be taken: nothing is written until all can", lines(n))),
        }
    }
}
