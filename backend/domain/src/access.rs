//! Who may do what: the one permission table. What it does not list is denied.
//!
//! A role says what a member may do, never to whose rows: those of other clients are kept from a limited member by
//! the scope and by the database's policy.

/// A member's role, from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but ownership.
    Admin,
    /// Works incidents: hands off, release, answers.
    Technician,
    /// Reads.
    Viewer,
    /// A client's own person: reads that client.
    ClientViewer,
    /// The platform's staff, while an owner lets them: reads. No member has it.
    Support,
}

/// Something a member may or may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Read incidents, hosts, clients and limits.
    Read,
    /// Hands off, release, take an incident, answer a run in doubt.
    WorkIncidents,
    /// Say yes or no to a fix that asks first.
    Approve,
    /// Stop all actions of a client or of the organization.
    StopActions,
    /// Let act again what was stopped, close a breaker, end an interlock.
    LetAct,
    /// Say that a quarantined or new host is to be trusted, and retire hosts.
    TrustHost,
    /// See and answer changes that wait for a second person.
    ConfirmChanges,
    /// Make enrolment tokens.
    EnrolHosts,
    /// Make API tokens, which never may more than their maker.
    MakeTokens,
    /// Add, change and archive clients, sites, contacts and service groups.
    ManageClients,
    /// Invite, change and remove members that own nothing.
    ManagePeople,
    /// Read and export the audit.
    ReadAudit,
    /// Change what holds for the whole organization: sign-in rules, secrets, limits.
    ManageOrganization,
    /// Make and unmake owners, export everything, give the platform's staff access, delete the organization.
    OwnOrganization,
}

/// The permission table: who may do each act. What is not listed is denied.
pub const TABLE: [(Act, &[Role]); 14] = {
    use Act::*;
    use Role::*;
    [
        (Read, &[Owner, Admin, Technician, Viewer, ClientViewer, Support]),
        (WorkIncidents, &[Owner, Admin, Technician]),
        (Approve, &[Owner, Admin, Technician]),
        (StopActions, &[Owner, Admin, Technician]),
        (LetAct, &[Owner, Admin]),
        (TrustHost, &[Owner, Admin]),
        (ConfirmChanges, &[Owner, Admin]),
        (EnrolHosts, &[Owner, Admin, Technician]),
        (MakeTokens, &[Owner, Admin, Technician]),
        (ManageClients, &[Owner, Admin]),
        (ManagePeople, &[Owner, Admin]),
        (ReadAudit, &[Owner, Admin]),
        (ManageOrganization, &[Owner, Admin]),
        (OwnOrganization, &[Owner]),
    ]
};

impl Role {
    /// All roles that members have, with their stored words.
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

    /// As people read it: "Client viewer".
    pub fn label(self) -> &'static str {
        match self {
            Role::Owner => "Owner",
            Role::Admin => "Admin",
            Role::Technician => "Technician",
            Role::Viewer => "Viewer",
            Role::ClientViewer => "Client viewer",
            Role::Support => "Support",
        }
    }

    /// Whether the permission table allows it.
    pub fn may(self, act: Act) -> bool {
        TABLE.iter().any(|(a, roles)| *a == act && roles.contains(&self))
    }

    /// What it is to give this role to somebody, or to change or remove a member who has it: owners are made and unmade by
    /// owners alone.
    pub fn managing(self) -> Act {
        if self == Role::Owner { Act::OwnOrganization } else { Act::ManagePeople }
    }

    /// Whether a member of this role may give `role` to somebody, or change or remove a member who has it.
    pub fn may_manage(self, role: Role) -> bool {
        self.may(role.managing())
    }

    /// Whether the role only makes sense for some clients: a client's own person sees that client.
    pub fn needs_clients(self) -> bool {
        self == Role::ClientViewer
    }
}

impl Act {
    /// What it allows, as the documentation's matrix says it.
    pub fn label(self) -> &'static str {
        match self {
            Act::Read => "Read incidents, hosts, clients and limits",
            Act::WorkIncidents => "Work incidents: take one, hands off, release, answer a run in doubt",
            Act::Approve => "Say yes or no to a fix that asks first",
            Act::StopActions => "Stop all actions of a client or of the organization",
            Act::LetAct => "Let act again, close a breaker, end an interlock",
            Act::TrustHost => "Say that a quarantined or new host is to be trusted, and retire hosts",
            Act::ConfirmChanges => "See and answer changes that wait for a second person",
            Act::EnrolHosts => "Make enrolment tokens",
            Act::MakeTokens => "Make API tokens, which never may more than their maker",
            Act::ManageClients => "Add, change and archive clients, sites, contacts and service groups",
            Act::ManagePeople => "Invite, change and remove members who are not owners",
            Act::ReadAudit => "Read and export the audit",
            Act::ManageOrganization => "Set the organization's sign-in rules, secrets and limits",
            Act::OwnOrganization => {
                "Make owners, export everything, give the platform's staff access, delete the organization"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_stands_in_the_table_once_and_an_owner_may_all() {
        for (at, (act, roles)) in TABLE.iter().enumerate() {
            assert_eq!(TABLE.iter().position(|(a, _)| a == act), Some(at), "{act:?} stands there twice");
            assert!(roles.contains(&Role::Owner) && Role::Owner.may(*act), "{act:?}");
        }
    }

    #[test]
    fn who_may_less_never_may_more() {
        for pair in Role::ALL.windows(2) {
            for (act, _) in TABLE {
                assert!(
                    pair[0].0.may(act) || !pair[1].0.may(act),
                    "{act:?}: {:?} may more than {:?}",
                    pair[1],
                    pair[0]
                );
            }
        }
    }

    #[test]
    fn support_reads_and_nobody_is_made_it() {
        for (act, _) in TABLE {
            assert_eq!(Role::Support.may(act), act == Act::Read, "{act:?}");
        }
        assert_eq!(Role::parse("support"), None);
        assert!(Role::ALL.iter().all(|(role, _)| *role != Role::Support && !Role::Support.may_manage(*role)));
    }

    #[test]
    fn only_owners_make_and_unmake_owners() {
        let makers =
            |role| Role::ALL.iter().filter(|(by, _)| by.may_manage(role)).map(|(by, _)| *by).collect::<Vec<_>>();
        assert_eq!(makers(Role::Owner), [Role::Owner]);
        assert_eq!(makers(Role::Admin), [Role::Owner, Role::Admin]);
        assert_eq!(makers(Role::ClientViewer), [Role::Owner, Role::Admin]);
    }

    #[test]
    fn the_documentation_shows_this_table() {
        let mut matrix = String::from("| |");
        for (role, _) in Role::ALL {
            matrix += &format!(" {} |", role.label());
        }
        matrix += "\n|---|";
        matrix += &":-:|".repeat(Role::ALL.len());
        for (act, _) in TABLE {
            matrix += &format!("\n| {} |", act.label());
            for (role, _) in Role::ALL {
                matrix += if role.may(act) { " yes |" } else { " – |" };
            }
        }
        let docs = include_str!("../../../docs/access.md");
        assert!(docs.contains(&matrix), "docs/access.md is to hold this matrix:\n{matrix}");
    }
}
