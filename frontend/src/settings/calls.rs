//! Who is called about every incident.

use askama::Template;
use uuid::Uuid;

use super::Tab;
use crate::{Nav, Shell};

/// An address that is called.
#[derive(Clone, Debug)]
pub struct CallRow {
    /// Its id.
    pub id: Uuid,
    /// The address.
    pub address: String,
    /// The member who has it, if one does.
    pub member: Option<String>,
    /// Whether that member sees some clients only.
    pub sees_some: bool,
}

/// `/settings/calls`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/calls.html")]
pub struct CallsPage {
    /// The shell.
    pub shell: Shell,
    /// The page.
    pub tab: Tab,
    /// Who is called, by address.
    pub rows: Vec<CallRow>,
    /// The members who see all clients and are not called: address and name.
    pub others: Vec<(String, String)>,
    /// What was typed.
    pub typed: String,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}
