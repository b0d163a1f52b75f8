//! Sample data: one of each page in the states that matter. For tests and the development route only.

mod approvals;
mod audit;
mod board;
mod calls;
mod changes;
mod client_edit;
mod clients;
mod demo;
mod enrolment;
mod guardrails;
mod host;
mod incident;
mod platform;
mod settings;
mod undone;

use std::time::Duration;

use domain::access::Role;
use jiff::{
    SignedDuration, Timestamp,
    tz::{TimeZone, offset},
};
use uuid::Uuid;

pub use approvals::approvals_page;
pub use audit::{api_page, audit_misread, audit_page, tokens_none, tokens_page};
pub use board::{board_page, empty_board};
pub use calls::{calls_page, checks_page, organization_page};
pub use changes::changes_page;
pub use client_edit::{
    deleting_edit_page, edit_page, host_edit_page, import_page, waiting_edit_page, wrong_edit_page,
    wrong_group_edit_page,
};
pub use clients::{
    archived_client_page, client_page, clients_page, new_client_page, no_clients_page, wrong_clients_page,
};
pub use demo::{demo_page, mail_page, mails_page};
pub use enrolment::{enrolment_page, enrolment_page_without};
pub use guardrails::{guardrails_of_client, guardrails_page};
pub use host::{host_page, hosts_page};
pub use incident::{asks_first, fixed, held_then_fixed, in_doubt, unmapped, watching_only};
pub use platform::{platform_in_a_storm, platform_page, platform_second};
pub use settings::{
    codes_page, confirm_page, data_page, invitation_page, limits_page, people_page, prove_page, relay_page,
    second_factor_page, second_on, secrets_page, secrets_wrong, sign_on_page, sign_up_page, support_page, usage_page,
    you_page, you_page_by_sign_on, you_page_without,
};
pub use undone::{made_worse, undone};

use crate::{
    Clock, HostRef, Nav, Shell,
    incident_filter::{Filter, Wanted},
    incidents::{Found, IncidentRow, IncidentsPage, Standing},
    settings::{Sees, Tab},
};

/// The samples' clock: 24 November 2026, 07:02:11 in Berlin.
pub fn clock() -> Clock {
    Clock { now: "2026-11-24T06:02:11Z".parse().unwrap_or(Timestamp::UNIX_EPOCH), zone: TimeZone::fixed(offset(1)) }
}

/// So many milliseconds before the samples' now; negative ones lie ahead.
pub fn before(millis: i64) -> Timestamp {
    clock().now.saturating_sub(SignedDuration::from_millis(millis)).unwrap_or(Timestamp::UNIX_EPOCH)
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn text(words: &str) -> String {
    words.to_owned()
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0193_5b00_0000_7000_8000_0000_0000_0000 + n)
}

fn web_01() -> HostRef {
    HostRef { id: id(1), name: text("web-01") }
}

/// A shell at one place of the navigation.
pub fn shell(current: Nav) -> Shell {
    Shell {
        organization: text("Northwind IT"),
        member: text("Sam Rivera"),
        role: text("Technician"),
        csrf: text("sample-token"),
        current,
        needs_you: 2,
        to_confirm: 1,
        to_approve: 1,
        frozen: false,
        settings: Tab::of(Role::Admin, Sees::All),
        demo: false,
    }
}

#[allow(clippy::too_many_arguments, reason = "a sample is a line of a table")]
fn row(
    n: u128,
    standing: Standing,
    title: &str,
    client: &str,
    host: &str,
    opened: i64,
    closed: Option<i64>,
    why: &str,
) -> IncidentRow {
    IncidentRow {
        id: id(n),
        standing,
        title: text(title),
        client: text(client),
        host: (!host.is_empty()).then(|| HostRef { id: id(n + 100), name: text(host) }),
        opened_at: before(opened),
        closed_at: closed.map(before),
        why: text(why),
        owner: (n == 12).then(|| text("J. Tanaka")),
    }
}

fn rows() -> Vec<IncidentRow> {
    vec![
        row(
            11,
            Standing::NeedsYou,
            "Database log fills the disk, 3 h left",
            "Tidewater Clinic",
            "ehr-db-01",
            41 * MINUTE,
            None,
            "no known fix: never deletes a database log by itself",
        ),
        row(
            12,
            Standing::NeedsYou,
            "Certificate renewed, old one still served",
            "Riverside School",
            "moodle-01",
            110 * MINUTE,
            None,
            "a restart did not fix it; the old one is back in place",
        ),
        row(
            13,
            Standing::Held,
            "shop-web stopped",
            "Acme Dental",
            "web-01",
            9 * MINUTE,
            None,
            "hands off by J. Tanaka until 08:30; would have restarted it",
        ),
        row(
            14,
            Standing::Healing,
            "api does not answer",
            "Orchard Foods",
            "app-02",
            3_400,
            None,
            "restarting it, step 1 of 2",
        ),
        row(
            15,
            Standing::WatchingOnly,
            "Swap is in use",
            "Kestrel Engineering",
            "build-07",
            3 * HOUR,
            None,
            "mapping on watch only; would have restarted the build service",
        ),
        row(
            16,
            Standing::Fixed,
            "nginx stopped, back in 0.4 s",
            "Acme Dental",
            "web-03",
            3 * HOUR + 50 * MINUTE,
            Some(3 * HOUR + 50 * MINUTE - 402),
            "“Restart a failed service” v4, verified by the same check",
        ),
        row(
            17,
            Standing::Fixed,
            "/var almost full, 11 GB free again",
            "Riverside School",
            "files-01",
            4 * HOUR + 15 * MINUTE,
            Some(4 * HOUR + 15 * MINUTE - 9_000),
            "old logs cleaned, verified by the same check",
        ),
        row(
            18,
            Standing::RecoveredByItself,
            "DNS did not answer",
            "Harbor Logistics",
            "edge-07",
            6 * HOUR,
            Some(6 * HOUR - 6 * MINUTE),
            "ok again before anything ran",
        ),
        row(
            19,
            Standing::Closed,
            "Backup missing",
            "Pine & Co Law",
            "bkp-01",
            2 * DAY,
            Some(DAY),
            "closed by Sam Rivera: the client moved it",
        ),
    ]
}

/// A list with one of each.
pub fn incidents_page() -> IncidentsPage {
    IncidentsPage {
        shell: shell(Nav::Incidents),
        clock: clock(),
        rows: rows(),
        hosts: 437,
        filter: Filter::default(),
        clients: ["Acme Dental", "Pine & Co Law", "Tidewater Clinic"]
            .map(|name| (id(200 + name.len() as u128), text(name)))
            .to_vec(),
        kinds: ["disk", "heartbeat", "http", "service"].map(text).to_vec(),
        found: Found::Many,
        is_later: false,
        older: Some(text("closed.1764000000000000.01935b00")),
        wrong: None,
        may_act: true,
    }
}

/// A list that is filtered; what it finds, or nothing.
pub fn filtered_incidents_page(finds: bool) -> IncidentsPage {
    let page = incidents_page();
    let day = |n| jiff::civil::date(2026, 11, n);
    let rows: Vec<_> = page.rows.into_iter().filter(|row| finds && row.standing == Standing::NeedsYou).collect();
    IncidentsPage {
        found: Found::Exactly(rows.len() as u32),
        rows,
        filter: Filter {
            wanted: Some(Wanted::Standing(Standing::NeedsYou)),
            client: page.clients.last().cloned(),
            host: Some(text("db")),
            kind: Some(text("disk")),
            from: Some(day(1)),
            to: Some(day(24)),
        },
        older: None,
        ..page
    }
}

/// A list whose address could not be read.
pub fn misread_incidents_page() -> IncidentsPage {
    let wrong = Some(text("“from” is a day, written like 2026-11-24"));
    IncidentsPage { rows: Vec::new(), found: Found::Exactly(0), older: None, wrong, ..incidents_page() }
}

/// A list with nothing in it.
pub fn no_incidents_page(hosts: u32) -> IncidentsPage {
    IncidentsPage {
        shell: Shell { needs_you: 0, to_approve: 0, ..shell(Nav::Incidents) },
        rows: Vec::new(),
        hosts,
        found: Found::Exactly(0),
        older: None,
        ..incidents_page()
    }
}
