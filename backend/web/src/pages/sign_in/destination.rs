//! Where to go after sign-in: a closed list, so that no link leads elsewhere through us.

use std::fmt;

use uuid::Uuid;

/// A page of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `/`, the board
    Board,
    /// `/guardrails`
    Guardrails,
    /// `/guardrails/{client}`
    Client(Uuid),
    /// `/incidents`
    Incidents,
    /// `/incidents/{id}`
    Incident(Uuid),
    /// `/approvals`
    Approvals,
    /// `/changes`
    Changes,
    /// `/clients`
    Clients,
    /// `/clients/{client}`
    ClientPage(Uuid),
    /// `/hosts`
    Hosts,
    /// `/hosts/{id}`
    Host(Uuid),
    /// `/settings`
    Settings,
    /// `/settings/people`
    People,
    /// `/settings/limits`
    Limits,
    /// `/settings/organization`
    Organization,
    /// `/settings/checks`
    Checks,
    /// `/settings/calls`
    Calls,
    /// `/settings/mail`
    Mail,
    /// `/settings/secrets`
    Secrets,
    /// `/platform`, an operator's
    Platform,
    /// `/demo`, where a demo runs
    Demo,
    /// `/demo/mails`
    Mails,
}

impl Destination {
    /// The page of a path, if it is one of ours.
    pub fn parse(path: &str) -> Option<Destination> {
        match path.strip_prefix('/')?.split('/').collect::<Vec<_>>()[..] {
            [""] => Some(Destination::Board),
            ["guardrails"] => Some(Destination::Guardrails),
            ["guardrails", id] => id.parse().ok().map(Destination::Client),
            ["incidents"] => Some(Destination::Incidents),
            ["incidents", id] => id.parse().ok().map(Destination::Incident),
            ["approvals"] => Some(Destination::Approvals),
            ["changes"] => Some(Destination::Changes),
            ["clients"] => Some(Destination::Clients),
            ["clients", id] => id.parse().ok().map(Destination::ClientPage),
            ["hosts"] => Some(Destination::Hosts),
            ["hosts", id] => id.parse().ok().map(Destination::Host),
            ["settings"] => Some(Destination::Settings),
            ["settings", "people"] => Some(Destination::People),
            ["settings", "limits"] => Some(Destination::Limits),
            ["settings", "organization"] => Some(Destination::Organization),
            ["settings", "checks"] => Some(Destination::Checks),
            ["settings", "calls"] => Some(Destination::Calls),
            ["settings", "mail"] => Some(Destination::Mail),
            ["settings", "secrets"] => Some(Destination::Secrets),
            ["platform"] => Some(Destination::Platform),
            ["demo"] => Some(Destination::Demo),
            ["demo", "mails"] => Some(Destination::Mails),
            _ => None,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Board => f.write_str("/"),
            Destination::Guardrails => f.write_str("/guardrails"),
            Destination::Client(id) => write!(f, "/guardrails/{id}"),
            Destination::Incidents => f.write_str("/incidents"),
            Destination::Incident(id) => write!(f, "/incidents/{id}"),
            Destination::Approvals => f.write_str("/approvals"),
            Destination::Changes => f.write_str("/changes"),
            Destination::Clients => f.write_str("/clients"),
            Destination::ClientPage(id) => write!(f, "/clients/{id}"),
            Destination::Hosts => f.write_str("/hosts"),
            Destination::Host(id) => write!(f, "/hosts/{id}"),
            Destination::Settings => f.write_str("/settings"),
            Destination::People => f.write_str("/settings/people"),
            Destination::Limits => f.write_str("/settings/limits"),
            Destination::Organization => f.write_str("/settings/organization"),
            Destination::Checks => f.write_str("/settings/checks"),
            Destination::Calls => f.write_str("/settings/calls"),
            Destination::Mail => f.write_str("/settings/mail"),
            Destination::Secrets => f.write_str("/settings/secrets"),
            Destination::Platform => f.write_str("/platform"),
            Destination::Demo => f.write_str("/demo"),
            Destination::Mails => f.write_str("/demo/mails"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_ours_is_a_destination() {
        for elsewhere in [
            "",
            "//",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/incidents//evil.example",
            "/sign-out",
            "/incidents/x",
            "/hosts?x=1",
        ] {
            assert_eq!(Destination::parse(elsewhere), None, "{elsewhere}");
        }
        let id = Uuid::from_u128(7);
        for ours in [
            Destination::Board,
            Destination::Guardrails,
            Destination::Client(id),
            Destination::Incidents,
            Destination::Incident(id),
            Destination::Approvals,
            Destination::Changes,
            Destination::Hosts,
            Destination::Host(id),
            Destination::Settings,
            Destination::People,
            Destination::Limits,
            Destination::Organization,
            Destination::Checks,
            Destination::Calls,
            Destination::Mail,
            Destination::Secrets,
            Destination::Demo,
            Destination::Mails,
        ] {
            assert_eq!(Destination::parse(&ours.to_string()), Some(ours));
        }
    }
}
