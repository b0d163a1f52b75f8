//! Samples of who is called, of the checks, and of the organization itself.

use super::{id, shell, text};
use crate::Nav;
use crate::settings::{CallRow, CallsPage, CheckUsed, ChecksPage, OrganizationPage, Tab};

/// Several who are called, or one with an address that cannot be used.
pub fn calls_page(is_wrong: bool) -> CallsPage {
    let row = |n, address: &str, member: Option<&str>, sees_some| CallRow {
        id: id(n),
        address: text(address),
        member: member.map(text),
        sees_some,
    };
    let mut rows = vec![row(51, "jun@northwind.example", Some("Jun Tanaka"), false)];
    if !is_wrong {
        rows.push(row(52, "night-desk@northwind.example", None, false));
        rows.push(row(53, "sam@northwind.example", Some("Sam Rivera"), true));
    }
    CallsPage {
        shell: shell(Nav::Settings),
        tab: Tab::Calls,
        rows,
        others: vec![(text("lee@northwind.example"), text("Lee Okafor"))],
        typed: text(if is_wrong { "the night desk" } else { "" }),
        done: (!is_wrong).then_some("The next mail about an incident goes there too."),
        error: is_wrong.then(|| text("That is no e-mail address. It looks like name@example.com.")),
    }
}

/// The organization's name and time zone, the latter one that nobody knows.
pub fn organization_page() -> OrganizationPage {
    OrganizationPage {
        shell: shell(Nav::Settings),
        tab: Tab::Organization,
        name: text("Northwind IT"),
        zone: text("Europe/Atlantis"),
        done: None,
        error: Some(text("“Europe/Atlantis” is no time zone; write one like Europe/Berlin")),
    }
}

/// The checks in use, or none.
pub fn checks_page(is_empty: bool) -> ChecksPage {
    let row = |n, name: &str, kind, target: Option<&str>, selects: &str, is_of_host| CheckUsed {
        id: id(n),
        name: text(name),
        kind,
        target: target.map(text),
        selects: text(selects),
        is_of_host,
        waits: (n == 92).then(|| text("That it is archived waits for a second person")),
    };
    let rows = vec![
        row(91, "Heard of", "heartbeat", None, "every host", false),
        row(92, "Room on the system disk", "disk", Some("/"), "every host", false),
        row(
            93,
            "shop-web on web-01 (Acme Dental)",
            "service",
            Some("shop-web"),
            "client Acme Dental, host web-01",
            true,
        ),
    ];
    ChecksPage {
        shell: shell(Nav::Settings),
        tab: Tab::Checks,
        rows: if is_empty { Vec::new() } else { rows },
        done: is_empty.then_some("Nothing looks at it any more, and its name is free."),
        error: None,
    }
}
