//! The organization's own provider of sign-on.

use askama::Template;
use jiff::Timestamp;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// That it is set.
#[derive(Clone, Debug)]
pub struct SignOnSet {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// `/settings/sign-on`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/sign-on.html")]
pub struct SignOnSettingsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The provider.
    pub issuer: String,
    /// What it knows us by.
    pub client_id: String,
    /// The domains whose addresses count.
    pub domains: String,
    /// Whether everybody but owners must come by it.
    pub is_required: bool,
    /// Where it leads back to.
    pub way_back: String,
    /// Where members begin.
    pub link: String,
    /// What waits for another owner.
    pub waits: Option<String>,
    /// That it is set.
    pub set: Option<SignOnSet>,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}
