//! The organization's own mail relay.

use askama::Template;
use domain::relay::Tls;
use jiff::Timestamp;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// That it is set.
#[derive(Clone, Debug)]
pub struct RelaySet {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Since when it takes no mails, and what it said last.
    pub refused: Option<(Timestamp, String)>,
}

/// What is typed, or set.
#[derive(Clone, Debug, Default)]
pub struct RelayTyped {
    /// The relay.
    pub host: String,
    /// Its port.
    pub port: String,
    /// How it is spoken to, the word.
    pub tls: String,
    /// Where mails come from.
    pub sender: String,
    /// Who signs in; empty: nobody.
    pub user: String,
    /// The name of the secret.
    pub secret: String,
}

/// `/settings/mail`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/mail.html")]
pub struct MailPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// That a relay is set.
    pub set: Option<RelaySet>,
    /// What is typed, or set.
    pub typed: RelayTyped,
    /// The names of the secrets that can be its password.
    pub passwords: Vec<String>,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}

impl MailPage {
    fn ways(&self) -> [(Tls, &'static str); 2] {
        Tls::ALL
    }
}
