//! The organization's secrets: what is known of each, and never what it says.

use askama::Template;
use domain::secret::Kind;
use jiff::Timestamp;
use uuid::Uuid;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// A secret.
#[derive(Clone, Debug)]
pub struct SecretRow {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How often it was set.
    pub version: i32,
    /// When this version was set.
    pub set_at: Timestamp,
    /// By whom.
    pub set_by: String,
    /// When this version was last used.
    pub used_at: Option<Timestamp>,
    /// What refers to it: "check “shop”".
    pub uses: Vec<String>,
}

/// What was typed beside the value, which is never sent back.
#[derive(Clone, Debug, Default)]
pub struct SecretTyped {
    /// The name.
    pub name: String,
    /// The kind's word.
    pub kind: String,
}

/// `/settings/secrets`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/secrets.html")]
pub struct SecretsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The secrets, by name.
    pub rows: Vec<SecretRow>,
    /// The version of the sealing key and since when, once there is one.
    pub sealing: Option<(i32, Timestamp)>,
    /// What was typed.
    pub typed: SecretTyped,
    /// What was just done.
    pub done: Option<String>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}

impl SecretsPage {
    fn kinds(&self) -> [(Kind, &'static str); 3] {
        Kind::ALL
    }
}
