//! Who may do what.

/// A member's role, from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but ownership.
    Admin,
    /// Works incidents: hands off, release, answers.
    Technician,
    /// Reads.
    Viewer,
    /// Reads one or a few clients.
    ClientViewer,
}

/// Something a member may or may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Read incidents and hosts.
    Read,
    /// Hands off, release, answer a run in doubt.
    WorkIncidents,
    /// Say yes or no to a fix that asks first.
    Approve,
    /// Stop all actions of a client or of the organization.
    StopActions,
    /// Let act again what was stopped, close a breaker, end an interlock.
    LetAct,
    /// Say that a quarantined host is the same machine.
    TrustHost,
    /// See and answer changes that wait for a second person.
    ConfirmChanges,
}

impl Role {
    /// All roles with their stored words.
    pub const ALL: [(Role, &'static str); 5] = [
        (Role::Owner, "owner"),
        (Role::Admin, "admin"),
        (Role::Technician, "technician"),
        (Role::Viewer, "viewer"),
        (Role::ClientViewer, "client_viewer"),
    ];

    /// The role of a stored word.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.iter().find(|(_, w)| *w == word).map(|(r, _)| *r)
    }

    /// The stored word.
    pub fn word(self) -> &'static str {
        Role::ALL.iter().find(|(r, _)| *r == self).map_or("viewer", |(_, w)| w)
    }

    /// The permission table; what is not listed is denied.
    pub fn may(self, act: Act) -> bool {
        use Act::*;
        use Role::*;
        matches!(
            (self, act),
            (_, Read)
                | (Owner | Admin | Technician, WorkIncidents | Approve | StopActions)
                | (Owner | Admin, TrustHost | ConfirmChanges | LetAct)
        )
    }
}
