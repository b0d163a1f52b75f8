//! Changing a host: where it stands, and its tags.

use askama::Template;
use uuid::Uuid;

use crate::{Clock, Nav, Shell};

/// The page `/hosts/{id}/edit`.
#[derive(Clone, Debug, Template)]
#[template(path = "host-edit.html")]
pub struct HostEditPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its client.
    pub client: (Uuid, String),
    /// The client's places.
    pub sites: Vec<(Uuid, String)>,
    /// Where it stands.
    pub site: Option<Uuid>,
    /// Its tags, one a line.
    pub tags: String,
    /// The service groups that it is in: tags that take it out of one wait for a second person.
    pub groups: Vec<String>,
    /// What waits for its tags.
    pub waits: Option<String>,
    /// Whether the reader sees what waits for a second person.
    pub sees_changes: bool,
    /// Why what was typed was not taken.
    pub wrong: Option<String>,
}

impl HostEditPage {
    fn stands_at(&self, site: &Uuid) -> bool {
        self.site.as_ref() == Some(site)
    }
}
