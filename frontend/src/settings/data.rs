//! Everything that is the organization's: taking it along, and deleting it.

use askama::Template;
use jiff::Timestamp;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// A deletion that waits.
#[derive(Clone, Debug)]
pub struct Deleting {
    /// Who asked for it.
    pub by: String,
    /// When.
    pub asked_at: Timestamp,
    /// When it begins.
    pub due_at: Timestamp,
    /// Runs that are not finished: it waits for them too.
    pub unfinished: u32,
}

impl Deleting {
    /// "1 fix that runs or is in doubt".
    pub fn waits(&self) -> String {
        match self.unfinished {
            1 => "1 fix that runs or is in doubt".to_owned(),
            n => format!("{n} fixes that run or are in doubt"),
        }
    }
}

/// `/settings/data`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/data.html")]
pub struct DataPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// Tables that the file has not, and why.
    pub left_out: Vec<(&'static str, &'static str)>,
    /// The organization's deletion, while it waits.
    pub deleting: Option<Deleting>,
    /// What was wrong.
    pub error: Option<String>,
}
