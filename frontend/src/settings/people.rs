//! The members of an organization, and who is invited.

use askama::Template;
use domain::access::Role;
use jiff::Timestamp;
use uuid::Uuid;

use super::Tab;
use crate::{Clock, Nav, Shell};

/// A member.
#[derive(Clone, Debug)]
pub struct MemberRow {
    /// The login.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The role.
    pub role: Role,
    /// The clients they may see; none: all.
    pub clients: Option<Vec<String>>,
    /// The clients with whether they may see each, to be changed.
    pub choices: Vec<ClientChoice>,
    /// Whether it is the reader.
    pub is_you: bool,
    /// Whether the reader may change it.
    pub may_change: bool,
}

/// A client that a member may be limited to.
#[derive(Clone, Debug)]
pub struct ClientChoice {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether the member may see it.
    pub is_chosen: bool,
}

/// An invitation that waits.
#[derive(Clone, Debug)]
pub struct Invited {
    /// Its id.
    pub id: Uuid,
    /// Who is asked.
    pub email: String,
    /// As what.
    pub role: Role,
    /// The clients they would see; none: all.
    pub clients: Option<Vec<String>>,
    /// Who asked.
    pub by: String,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// A service account.
#[derive(Clone, Debug)]
pub struct ServiceRow {
    /// Its id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The clients it sees; none: all.
    pub clients: Option<Vec<String>>,
    /// Who made it.
    pub by: String,
}

/// `/settings/people`.
#[derive(Clone, Debug, Template)]
#[template(path = "settings/people.html")]
pub struct PeoplePage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// The page.
    pub tab: Tab,
    /// The members.
    pub members: Vec<MemberRow>,
    /// Who is invited.
    pub invited: Vec<Invited>,
    /// The service accounts.
    pub services: Vec<ServiceRow>,
    /// The clients there are.
    pub clients: Vec<ClientChoice>,
    /// The roles the reader may give.
    pub roles: Vec<Role>,
    /// Whether every member must have a second factor.
    pub requires_second_factor: bool,
    /// Whether the reader may change that.
    pub may_require: bool,
    /// What was just done.
    pub done: Option<&'static str>,
    /// What was wrong with what was typed.
    pub error: Option<String>,
}

impl PeoplePage {
    /// "3 people".
    fn headline(&self) -> String {
        match self.members.len() {
            1 => "1 person".to_owned(),
            n => format!("{n} people"),
        }
    }

    /// Which clients somebody sees, in a few words.
    fn seen(clients: &Option<Vec<String>>) -> String {
        match clients {
            None => "all clients".to_owned(),
            Some(names) if names.is_empty() => "no client".to_owned(),
            Some(names) if names.len() <= 3 => names.join(", "),
            Some(names) => format!("{}, {} and {} more", names[0], names[1], names.len() - 2),
        }
    }
}
