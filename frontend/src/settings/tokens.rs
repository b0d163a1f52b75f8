//! Tokens of the API.

use askama::Template;
use domain::token::{DAYS_MAX, Scopes};
use jiff::Timestamp;
use uuid::Uuid;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// A token.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// Its first characters.
    pub hint: String,
    /// Who made it; none: they are no member any more.
    pub by: Option<String>,
    /// The service account that it is of; none: it is its maker's own.
    pub service: Option<String>,
    /// What the token is called that made it, and with which it ends; none: a person made it.
    pub minted_by: Option<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Networks it may be used from; none: all.
    pub networks: Vec<String>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used last, and from where.
    pub used: Option<(Timestamp, Option<String>)>,
    /// When it was revoked, and by whom.
    pub revoked: Option<(Timestamp, String)>,
    /// Whether it works.
    pub works: bool,
    /// Whether the reader may revoke it.
    pub may_revoke: bool,
}

impl TokenRow {
    /// Whose it is, after what it may.
    fn whose(&self) -> String {
        match (&self.service, &self.by) {
            (Some(service), Some(by)) => format!("of {service}, made by {by}"),
            (Some(service), None) => format!("of {service}, made by somebody who has left"),
            (None, Some(by)) => format!("by {by}"),
            (None, None) => "by somebody who has left, so it may nothing".to_owned(),
        }
    }
}

/// A service account that a token may be made for.
#[derive(Clone, Debug)]
pub struct ServiceChoice {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether it was chosen.
    pub is_chosen: bool,
}

/// A scope that the reader may give.
#[derive(Clone, Debug)]
pub struct ScopeChoice {
    /// Its word.
    pub word: &'static str,
    /// What it lets do.
    pub label: &'static str,
    /// Whether it was chosen.
    pub is_chosen: bool,
}

/// What was typed for a new token.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// The name.
    pub name: String,
    /// The networks.
    pub networks: String,
    /// The days.
    pub days: u16,
}

/// `/settings/tokens`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/tokens.html")]
pub struct TokensPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The tokens: those that work first.
    pub rows: Vec<TokenRow>,
    /// What may be given to a new one.
    pub scopes: Vec<ScopeChoice>,
    /// The service accounts that it may be of.
    pub services: Vec<ServiceChoice>,
    /// What was typed.
    pub typed: Typed,
    /// A token that was just made: shown this once.
    pub made: Option<String>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}

impl TokensPage {
    fn days(&self) -> [(u16, &'static str); 4] {
        [(7, "a week"), (30, "30 days"), (90, "90 days"), (365, "a year")]
    }

    /// After how many days one ends that has a scope of those which end soon, if the reader may give one.
    fn soon(&self) -> Option<u16> {
        self.scopes.iter().map(|scope| Scopes::of([scope.word]).days_max()).min().filter(|days| *days < DAYS_MAX)
    }
}
