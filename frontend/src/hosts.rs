//! The list of hosts.

use askama::Template;
use jiff::Timestamp;
use uuid::Uuid;

use crate::incident_filter::address;
use crate::{Clock, Link, Nav, Shell};

/// Whether a host is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Yes.
    Trusted,
    /// It came by a token for many hosts, and nobody has accepted it yet.
    Newcomer,
    /// Not trusted yet: nothing is sent to it.
    NotYet {
        /// Why: "its journal is older than what we know", "enrolled by a counted token".
        reason: String,
    },
}

/// A host that came by a token for many and waits for a person.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Its id.
    pub id: Uuid,
    /// What it calls itself.
    pub name: String,
    /// Its client.
    pub client: String,
    /// Since when.
    pub since: Timestamp,
    /// Its agent: "0.1.0, low-risk".
    pub agent: Option<String>,
}

/// How many checks of a host stand how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Ok.
    pub ok: u32,
    /// Warning.
    pub warning: u32,
    /// Critical.
    pub critical: u32,
    /// Without data.
    pub no_data: u32,
}

impl Tally {
    /// How many there are.
    pub fn total(&self) -> u32 {
        self.ok + self.warning + self.critical + self.no_data
    }

    /// True when every one of them is ok, and there is one.
    pub fn all_ok(&self) -> bool {
        self.ok > 0 && self.ok == self.total()
    }
}

/// One host in the list.
#[derive(Clone, Debug)]
pub struct HostRow {
    /// Its id, for the link.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its client.
    pub client: String,
    /// Whether it is heard.
    pub link: Link,
    /// Whether it is trusted.
    pub trust: Trust,
    /// Its checks.
    pub checks: Tally,
    /// Its agent's version, and the profile of its own limits: "0.1.0, low-risk".
    pub agent: Option<String>,
    /// Until when hands are off.
    pub hands_off_until_at: Option<Timestamp>,
}

/// Which hosts the list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFilter {
    /// Of this client.
    pub client: Option<Uuid>,
    /// What their names contain.
    pub name: Option<String>,
}

impl HostFilter {
    /// Whether it leaves nothing out.
    pub fn is_empty(&self) -> bool {
        *self == HostFilter::default()
    }

    /// Whether it is this client's list.
    pub fn is_of(&self, client: &Uuid) -> bool {
        self.client.as_ref() == Some(client)
    }

    /// Where the list is that it shows, from the host after `after`.
    pub fn address(&self, after: Option<&Uuid>) -> String {
        let said = [
            ("client", self.client.map(|id| id.to_string())),
            ("name", self.name.clone()),
            ("after", after.map(Uuid::to_string)),
        ];
        address("/hosts", &said)
    }
}

/// The page `/hosts`.
#[derive(Clone, Debug, Template)]
#[template(path = "hosts.html")]
pub struct HostsPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// A page of the hosts.
    pub rows: Vec<HostRow>,
    /// How many there are in all.
    pub all: u32,
    /// How many of them are not heard.
    pub silent: u32,
    /// Which of them are listed.
    pub filter: HostFilter,
    /// The clients to choose from.
    pub clients: Vec<(Uuid, String)>,
    /// After which host the next page begins; none: this is the last.
    pub next: Option<Uuid>,
    /// Whether this page is not the first.
    pub is_later: bool,
    /// Those that wait for a person, the oldest first.
    pub newcomers: Vec<Newcomer>,
    /// Whether the member may accept them.
    pub may_trust: bool,
    /// Whether the member may enrol hosts.
    pub may_enrol: bool,
    /// The command that enrols a host, for the empty page.
    pub enrol_command: Option<String>,
}

impl HostsPage {
    /// "12 hosts, 1 silent".
    pub fn headline(&self) -> String {
        let count = self.all;
        let noun = if count == 1 { "host" } else { "hosts" };
        match self.silent {
            0 => format!("{count} {noun}, all heard"),
            n => format!("{count} {noun}, {n} silent"),
        }
    }
}
