//! Changing a client, and importing many.

use super::clients::{contacts, groups, sites};
use super::{DAY, MINUTE, before, clock, id, shell, text};
use crate::Nav;
use crate::client_edit::{EditPage, Part, TypedContact, TypedGroup};
use crate::clients::Typed;
use crate::clients_import::{ImportPage, Line, Outcome};
use crate::guardrails::Reach;
use crate::host_edit::HostEditPage;
use crate::settings::Deleting;

/// The page that changes a client.
pub fn edit_page(archived: bool) -> EditPage {
    EditPage {
        shell: shell(Nav::Clients),
        clock: clock(),
        id: id(52),
        name: text("Riverside School"),
        typed: Typed { name: text("Riverside School"), zone: text("Europe/Berlin") },
        sites: sites(),
        new_site: String::new(),
        contacts: contacts(),
        new_contact: TypedContact { told: true, ..TypedContact::default() },
        groups: groups(true),
        typed_group: (None, TypedGroup::default()),
        sees_changes: true,
        archived,
        may_delete: true,
        deleting: None,
        reach: Reach { hosts: 58, waiting: 2, running: 1 },
        wrong: None,
    }
}

/// The same with a site that was not taken.
pub fn wrong_edit_page() -> EditPage {
    let wrong = Some((Part::Sites, text("there is a site “Annexe” already")));
    EditPage { wrong, new_site: text("annexe"), ..edit_page(false) }
}

/// The same with a group that was not taken, and that is being changed.
pub fn wrong_group_edit_page() -> EditPage {
    let wrong = Some((Part::Groups, text("this lets members be fixed at once: say why, for the second person")));
    let typed = TypedGroup { name: String::new(), tags: text("pool=moodle"), targets: String::new() };
    EditPage { wrong, typed_group: (Some(id(610)), typed), ..edit_page(false) }
}

/// An archived one that is being deleted.
pub fn deleting_edit_page() -> EditPage {
    let deleting =
        Deleting { by: text("Jun Tanaka"), asked_at: before(4 * MINUTE), due_at: before(4 * MINUTE), unfinished: 2 };
    EditPage { deleting: Some(deleting), ..edit_page(true) }
}

/// The same, asked for by a token: it waits.
pub fn waiting_edit_page() -> EditPage {
    let by = text("An API token of Jun Tanaka");
    let deleting = Deleting { by, asked_at: before(DAY), due_at: before(-6 * DAY), unfinished: 1 };
    EditPage { deleting: Some(deleting), ..edit_page(true) }
}

/// The import before a table was pasted, and with what comes of each line.
pub fn import_page(looked_at: bool, sound: bool) -> ImportPage {
    let line = |number, about: &str, outcome| Line { number, about: text(about), outcome };
    let adds = |things: &[&str]| Outcome::Adds(things.iter().map(|thing| text(thing)).collect());
    let mut lines = vec![
        line(
            2,
            "Alder Logistics",
            adds(&["the client, in Europe/Vienna", "the site Depot", "the contact R. Okafor (ops@alder.example)"]),
        ),
        line(3, "Alder Logistics", adds(&["the site Quay 4"])),
        line(4, "Riverside School", Outcome::Nothing),
    ];
    if !sound {
        lines.push(line(
            5,
            "Café Brandt · Mars/North",
            Outcome::Wrong(text("“Mars/North” is no time zone; write one like Europe/Berlin")),
        ));
    }
    let table = "client,time_zone,site,contact,email\nAlder Logistics,Europe/Vienna,Depot,R. Okafor,ops@alder.example\nAlder Logistics,,Quay 4,,\nRiverside School,,,,\n";
    ImportPage {
        shell: shell(Nav::Clients),
        clock: clock(),
        zone: text("Europe/Berlin"),
        columns: &["client", "time_zone", "site", "contact", "email", "phone"],
        text: if looked_at { text(table) } else { String::new() },
        lines: looked_at.then_some(lines),
        seen: text("sample"),
        wrong: None,
    }
}

/// The page that changes a host's site and tags.
pub fn host_edit_page(wrong: bool) -> HostEditPage {
    HostEditPage {
        shell: shell(Nav::Hosts),
        clock: clock(),
        id: id(1),
        name: text("moodle-01"),
        client: (id(52), text("Riverside School")),
        sites: sites().into_iter().map(|site| (site.id, site.name)).collect(),
        site: Some(id(300)),
        tags: if wrong { text("role=web\nprod") } else { text("env=prod\nrole=web") },
        groups: vec![text("Moodle front ends")],
        waits: (!wrong).then(|| text("“env: prod” waits for a second person")),
        sees_changes: true,
        wrong: wrong.then(|| text("“prod” is no tag; write key=value")),
    }
}
