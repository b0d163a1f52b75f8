//! Changing a client: its name and time zone, its sites and contacts, archiving and deleting it.

use askama::Template;
use uuid::Uuid;

use crate::client::{Contact, Group, SiteRow};
use crate::clients::Typed;
use crate::guardrails::Reach;
use crate::settings::Deleting;
use crate::{Clock, Nav, Shell};

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Name and time zone.
    Details,
    /// Sites.
    Sites,
    /// Contacts.
    Contacts,
    /// Service groups.
    Groups,
    /// Restoring it.
    Restore,
    /// Deleting it.
    Deletion,
}

/// A contact as somebody typed it.
#[derive(Clone, Debug, Default)]
pub struct TypedContact {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their number.
    pub phone: String,
    /// Whether they are told.
    pub told: bool,
}

/// A service group as somebody typed it.
#[derive(Clone, Debug, Default)]
pub struct TypedGroup {
    /// Its name.
    pub name: String,
    /// `key=value`, one a line.
    pub tags: String,
    /// Services, one a line.
    pub targets: String,
}

/// The page `/clients/{id}/edit`.
#[derive(Clone, Debug, Template)]
#[template(path = "client-edit.html")]
pub struct EditPage {
    /// The shell.
    pub shell: Shell,
    /// The page's clock.
    pub clock: Clock,
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What stands in the form of its name and time zone.
    pub typed: Typed,
    /// Its places.
    pub sites: Vec<SiteRow>,
    /// What is typed for a new one.
    pub new_site: String,
    /// Its people.
    pub contacts: Vec<Contact>,
    /// What is typed for a new one.
    pub new_contact: TypedContact,
    /// Its service groups.
    pub groups: Vec<Group>,
    /// What is typed for one of them that was not taken, or for a new one.
    pub typed_group: (Option<Uuid>, TypedGroup),
    /// Whether the reader sees what waits for a second person.
    pub sees_changes: bool,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether the reader may delete it, once it is.
    pub may_delete: bool,
    /// Its deletion, while it waits.
    pub deleting: Option<Deleting>,
    /// What archiving it would reach.
    pub reach: Reach,
    /// What was not taken, and why.
    pub wrong: Option<(Part, String)>,
}

impl EditPage {
    fn wrong_in(&self, part: Part) -> Option<&str> {
        self.wrong.as_ref().filter(|(wrong, _)| *wrong == part).map(|(_, why)| why.as_str())
    }

    fn new_group(&self) -> TypedGroup {
        if self.typed_group.0.is_none() { self.typed_group.1.clone() } else { TypedGroup::default() }
    }

    fn is_typed(&self, group: &Group) -> bool {
        self.typed_group.0 == Some(group.id)
    }

    /// What stands in a group's form.
    fn typed_for(&self, group: &Group) -> TypedGroup {
        if self.is_typed(group) {
            return self.typed_group.1.clone();
        }
        TypedGroup { name: group.name.clone(), tags: group.tags.join("\n"), targets: group.targets.join(", ") }
    }

    fn hosts(&self) -> String {
        match self.reach.hosts {
            0 => "It has no host.".to_owned(),
            1 => "Nothing acts on its one host from then on.".to_owned(),
            n => format!("Nothing acts on its {n} hosts from then on."),
        }
    }

    fn would(&self) -> String {
        let waiting = match self.reach.waiting {
            0 => "No fix waits there now".to_owned(),
            1 => "1 fix that waits is held".to_owned(),
            n => format!("{n} fixes that wait are held"),
        };
        let running = match self.reach.running {
            0 => "none is running".to_owned(),
            1 => "1 that runs finishes its step and begins no other".to_owned(),
            n => format!("{n} that run finish their step and begin no other"),
        };
        format!("{waiting}; {running}.")
    }
}
