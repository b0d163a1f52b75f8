//! The list of clients, and a client's own page.

use super::{DAY, HOUR, MINUTE, before, clock, id, rows, shell, text};
use crate::client::{Archived, CheckLine, ClientPage, Contact, Group, HostLine, Month, SiteRow};
use crate::clients::{ClientRow, ClientsPage, Healed, Typed};
use crate::guardrails::{Ends, Standing};
use crate::hosts::{Tally, Trust};
use crate::{Limit, LimitResult, Link, Nav, Used};

fn client(n: u128, name: &str, sites: u32, hosts: u32, open: (u32, u32, u32), healed: (u32, u32)) -> ClientRow {
    let (critical, warning, needs_you) = open;
    let healed = Healed { healed: healed.0, counted: healed.1 };
    let (silent, stopped) = (0, false);
    let name = text(name);
    ClientRow {
        id: id(n),
        name,
        sites,
        hosts,
        silent,
        critical,
        warning,
        needs_you,
        stopped,
        healed,
        archived_at: None,
    }
}

/// The list with one of each; or the archived ones.
pub fn clients_page(archived: bool) -> ClientsPage {
    let mut all = vec![
        client(52, "Riverside School", 3, 58, (1, 2, 2), (41, 44)),
        client(51, "Tidewater Clinic", 1, 9, (1, 0, 1), (7, 9)),
        client(53, "Pine & Co Law", 1, 31, (0, 1, 0), (12, 12)),
        client(56, "Harbor Logistics", 4, 96, (0, 0, 0), (63, 65)),
        client(54, "Orchard Foods", 12, 160, (0, 0, 0), (88, 94)),
        client(55, "Lumen Studio", 0, 0, (0, 0, 0), (0, 0)),
    ];
    all[3].silent = 2;
    all[4].stopped = true;
    if archived {
        all = vec![ClientRow {
            archived_at: Some(before(40 * DAY)),
            ..client(57, "Café Brandt", 1, 4, (0, 0, 0), (0, 0))
        }];
    }
    ClientsPage {
        shell: shell(Nav::Clients),
        clock: clock(),
        rows: all,
        archived,
        archived_all: 1,
        may_manage: true,
        typed: Typed { name: String::new(), zone: text("Europe/Berlin") },
        wrong: None,
    }
}

/// The list before the first client.
pub fn no_clients_page() -> ClientsPage {
    ClientsPage { rows: Vec::new(), archived_all: 0, ..clients_page(false) }
}

/// The list with a form that was not taken.
pub fn wrong_clients_page() -> ClientsPage {
    let wrong = Some(text("“Mars/North” is no time zone; write one like Europe/Berlin"));
    ClientsPage {
        wrong,
        typed: Typed { name: text("Alder Logistics"), zone: text("Mars/North") },
        ..clients_page(false)
    }
}

pub(super) fn sites() -> Vec<SiteRow> {
    [("Main building", 31), ("Gymnasium", 9), ("Annexe", 0)]
        .into_iter()
        .zip(300..)
        .map(|((name, hosts), n)| SiteRow { id: id(n), name: text(name), hosts })
        .collect()
}

pub(super) fn contacts() -> Vec<Contact> {
    let contact = |n, name: &str, email: &str, phone: Option<&str>, told| Contact {
        id: id(n),
        name: text(name),
        email: text(email),
        phone: phone.map(text),
        told,
    };
    vec![
        contact(310, "Ines Marlow", "it@riverside.example", Some("+49 30 5550 117"), true),
        contact(311, "Caretaker’s office", "office@riverside.example", None, false),
    ]
}

fn host(
    n: u128,
    name: &str,
    site: Option<&str>,
    tags: &[&str],
    link: Link,
    trust: Trust,
    checks: [u32; 4],
) -> HostLine {
    let [ok, warning, critical, no_data] = checks;
    HostLine {
        id: id(n),
        name: text(name),
        site: site.map(text),
        tags: tags.iter().map(|tag| text(tag)).collect(),
        link,
        trust,
        checks: Tally { ok, warning, critical, no_data },
    }
}

/// A client's own page with all that may stand on it.
pub fn client_page() -> ClientPage {
    let linked = || Link::Linked { since_at: before(3 * DAY) };
    let limit = |label: &str, used, of, because: &str| Limit {
        label: text(label),
        used: Some(Used { used, of, unit: String::new() }),
        state: None,
        because: text(because),
        frees_at: (used > 0).then(|| before(-4 * MINUTE)),
        result: if used >= of { LimitResult::Held } else { LimitResult::Allowed },
    };
    let check = |name: &str, what: &str, hosts, [ok, warning, critical, no_data]: [u32; 4]| CheckLine {
        name: text(name),
        what: text(what),
        hosts,
        tally: Tally { ok, warning, critical, no_data },
    };
    ClientPage {
        shell: shell(Nav::Clients),
        clock: clock(),
        id: id(52),
        name: text("Riverside School"),
        zone: text("Europe/Berlin"),
        local: Some(text("07:02")),
        since: before(412 * DAY),
        archived: None,
        stopped: false,
        sites: sites(),
        contacts: contacts(),
        hosts: vec![
            host(
                1,
                "moodle-01",
                Some("Main building"),
                &["role=web", "env=prod"],
                linked(),
                Trust::Trusted,
                [7, 1, 1, 0],
            ),
            host(
                2,
                "nas-01",
                Some("Gymnasium"),
                &[],
                Link::Silent { since_at: before(21 * MINUTE) },
                Trust::Trusted,
                [0, 0, 0, 4],
            ),
            host(
                3,
                "lab-17",
                None,
                &["role=lab"],
                linked(),
                Trust::NotYet { reason: text("It came by a counted token.") },
                [3, 0, 0, 0],
            ),
            host(4, "files-01", Some("Main building"), &["role=files"], linked(), Trust::Trusted, [9, 0, 0, 0]),
        ],
        planned: 2,
        checks: vec![
            check("heartbeat", "the host itself", 4, [3, 0, 0, 1]),
            check("disk of files", "disk /srv", 2, [1, 1, 0, 0]),
            check("moodle answers", "http https://moodle.riverside.example/", 1, [0, 0, 1, 0]),
        ],
        limits: vec![
            limit("Client, 10\u{a0}min", 3, 6, "a tenth of 58 hosts"),
            limit("Client, at once", 1, 3, ""),
            limit("Undos, 10\u{a0}min", 0, 2, ""),
            limit("Client, went badly, 1\u{a0}day", 2, 2, "2 went badly; a person looks first"),
        ],
        refused: super::guardrails::refused(),
        maintenance: super::guardrails::planned(),
        groups: groups(false),
        standing: vec![Standing {
            kind: "Breaker",
            place: text("“Start a failed service again” at Riverside School"),
            words: text("Fixes went badly"),
            since: Some(before(HOUR)),
            until: None,
            ends: Ends::NotByYou,
        }],
        incidents: rows().into_iter().filter(|row| row.client == "Riverside School").collect(),
        month: Month { opened: 52, fixed: 42, recovered: 6, called: 3, open: 1 },
        healed: Healed { healed: 41, counted: 44 },
        may_manage: true,
        may_enrol: true,
        may_act: true,
    }
}

/// Two groups, one of which is being fixed and is to become smaller, and, with `all`, one that was taken back.
pub fn groups(all: bool) -> Vec<Group> {
    let group = |n, name: &str, tags: &[&str], targets: &[&str], hosts| Group {
        id: id(n),
        name: text(name),
        tags: tags.iter().map(|tag| text(tag)).collect(),
        targets: targets.iter().map(|target| text(target)).collect(),
        holds: true,
        hosts,
        at_once: Some(1),
        fixing: Vec::new(),
        waits: None,
    };
    let mut groups = vec![
        Group {
            fixing: vec![(id(1), text("moodle-01"))],
            waits: Some(text("“pool: moodle; fixes of moodle-web” waits for a second person")),
            ..group(610, "Moodle front ends", &["pool=moodle", "env=prod"], &[], 3)
        },
        Group { at_once: Some(2), ..group(611, "Lab machines", &["role=lab"], &["print-spooler", "proxy"], 40) },
    ];
    if all {
        groups.push(Group { holds: false, at_once: None, ..group(612, "Old mail pair", &["role=mail"], &[], 0) });
    }
    groups
}

/// The page of a client that was just added.
pub fn new_client_page() -> ClientPage {
    ClientPage {
        sites: Vec::new(),
        contacts: Vec::new(),
        hosts: Vec::new(),
        groups: Vec::new(),
        planned: 0,
        checks: Vec::new(),
        refused: Vec::new(),
        standing: Vec::new(),
        maintenance: Vec::new(),
        incidents: Vec::new(),
        month: Month::default(),
        healed: Healed::default(),
        since: before(4 * MINUTE),
        name: text("Lumen Studio"),
        ..client_page()
    }
}

/// The page of an archived client, read by somebody who changes nothing.
pub fn archived_client_page() -> ClientPage {
    ClientPage {
        archived: Some(Archived { by: Some(text("J. Tanaka")), at: before(40 * DAY) }),
        stopped: true,
        may_manage: false,
        may_enrol: false,
        may_act: false,
        groups: Vec::new(),
        standing: Vec::new(),
        maintenance: Vec::new(),
        incidents: Vec::new(),
        month: Month::default(),
        healed: Healed::default(),
        name: text("Café Brandt"),
        ..client_page()
    }
}
