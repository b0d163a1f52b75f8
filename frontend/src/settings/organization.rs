//! The organization's own name and time zone.

use askama::Template;

use super::Tab;
use crate::{Nav, Shell};

/// `/settings/organization`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/organization.html")]
pub struct OrganizationPage {
    /// The shell.
    pub shell: Shell,
    /// The page.
    pub tab: Tab,
    /// Its name, or what was typed.
    pub name: String,
    /// Its time zone, or what was typed.
    pub zone: String,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}
