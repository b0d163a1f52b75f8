//! The board on a night with everything, and before anything.

use super::{DAY, HOUR, MINUTE, before, clock, id, shell, text};
use crate::board::{BoardPage, ClientRow, Fixed, Need, Silent, Told, Unrun, Watch};
use crate::guardrails::{Ends, Standing};
use crate::trend::{ClosedGap, Day, Trend};
use crate::{HostRef, Nav, Verdict};

fn needs() -> Vec<Need> {
    let need = |n, host: &str, title: &str, client: &str, verdict, since, reason: &str, asks, told| Need {
        incident: id(n),
        title: text(title),
        verdict,
        client: text(client),
        host: Some(text(host)),
        since: before(since),
        reason: text(reason),
        asks,
        told,
        owner: (n == 12).then(|| (text("J. Tanaka"), before(90 * MINUTE))),
    };
    let desk = || text("night@northwind.example");
    vec![
        need(
            11,
            "ehr-db-01",
            "database log fills the disk",
            "Tidewater Clinic",
            Verdict::Critical,
            41 * MINUTE,
            "no known fix",
            false,
            Told::At(desk(), before(40 * MINUTE)),
        ),
        need(
            12,
            "moodle-01",
            "certificate renewed, old one still served",
            "Riverside School",
            Verdict::Warning,
            HOUR + 50 * MINUTE,
            "not fixed, undone",
            false,
            Told::Failed(desk()),
        ),
        need(
            13,
            "web-01",
            "shop-web stopped",
            "Acme Dental",
            Verdict::Warning,
            16 * MINUTE,
            "its mapping asks first",
            true,
            Told::OnItsWay(desk()),
        ),
    ]
}

/// The board with all that may stand on it.
pub fn board_page() -> BoardPage {
    let unrun = |n, playbook: &str, host: &str, client: &str, reason: &str, lapsed, at, until: Option<i64>| Unrun {
        incident: id(n),
        playbook: text(playbook),
        host: text(host),
        client: text(client),
        reason: text(reason),
        lapsed,
        at: before(at),
        until: until.map(before),
    };
    let standing = |kind, place: &str, words: &str, since, until: Option<i64>| Standing {
        kind,
        place: text(place),
        words: text(words),
        since: Some(before(since)),
        until: until.map(before),
        ends: Ends::NotByYou,
    };
    let fixed = |n, title: &str, client: &str, host: &str, at, lasted, relapsed| Fixed {
        incident: id(n),
        title: text(title),
        client: text(client),
        host: text(host),
        at: before(at),
        bad_since: before(at + lasted),
        relapsed,
    };
    let client = |n, name: &str, hosts, needs_you, critical, warning, fixed| ClientRow {
        id: id(n),
        name: text(name),
        hosts,
        critical,
        warning,
        needs_you,
        fixed,
    };
    let silent = |n, name: &str, since| Silent { host: HostRef { id: id(n), name: text(name) }, since: before(since) };
    BoardPage {
        shell: shell(Nav::Board),
        clock: clock(),
        needs: needs(),
        standing: vec![
            standing("Breaker", "“Restart a container” at Harbor Logistics", "Fixes went badly", 3 * HOUR, None),
            standing(
                "Hands off",
                "render-04 at Lumen Studio",
                "J. Tanaka: disks are swapped",
                HOUR,
                Some(-88 * MINUTE),
            ),
        ],
        unrun: vec![
            unrun(
                21,
                "Clean old logs",
                "files-02",
                "Orchard Foods",
                "client, 10 min: 8 of 8 used",
                false,
                4 * MINUTE,
                Some(-6 * MINUTE),
            ),
            unrun(22, "Reboot", "app-02", "Kestrel Engineering", "nobody answered", true, 3 * HOUR + 22 * MINUTE, None),
        ],
        watch: Watch {
            linked: 434,
            silent: 2,
            never: 1,
            gaps: vec![silent(31, "nas-01", 21 * MINUTE), silent(32, "edge-07", 6 * MINUTE)],
            mailed_at: Some(before(26 * MINUTE)),
            mails_failed: 1,
            mails_queued: 1,
            closed: vec![ClosedGap {
                host: HostRef { id: id(33), name: text("render-04") },
                from: before(5 * HOUR),
                to: before(5 * HOUR - 11 * MINUTE),
            }],
        },
        fixed: vec![
            fixed(41, "Backup service stopped", "Kestrel Engineering", "bkp-01", 3 * HOUR, 12_000, true),
            fixed(42, "nginx stopped", "Acme Dental", "web-03", 4 * HOUR, 400, false),
            fixed(43, "/var almost full", "Riverside School", "files-01", 15 * HOUR, 62_000, false),
        ],
        fixed_all: 31,
        clients: vec![
            client(51, "Tidewater Clinic", 9, 1, 1, 0, 0),
            client(52, "Riverside School", 58, 1, 0, 2, 6),
            client(53, "Pine & Co Law", 31, 0, 0, 1, 2),
            client(54, "Orchard Foods", 160, 0, 0, 0, 8),
            client(55, "Lumen Studio", 0, 0, 0, 0, 0),
        ],
        trend: trend(),
    }
}

/// A board on which nothing stands: of an organization without hosts, or with agents that are all silent.
pub fn empty_board(silent: u32) -> BoardPage {
    let none = Watch {
        linked: 0,
        silent,
        never: 0,
        gaps: Vec::new(),
        mailed_at: None,
        mails_failed: 0,
        mails_queued: 0,
        closed: Vec::new(),
    };
    let gap =
        |n: u32| Silent { host: HostRef { id: id(60 + u128::from(n)), name: format!("host-{n}") }, since: before(DAY) };
    BoardPage {
        needs: Vec::new(),
        unrun: Vec::new(),
        standing: Vec::new(),
        watch: Watch { gaps: (0..silent).map(gap).collect(), ..none },
        fixed: Vec::new(),
        fixed_all: 0,
        clients: Vec::new(),
        trend: Trend::default(),
        ..board_page()
    }
}

fn trend() -> Trend {
    let today = jiff::civil::date(2026, 11, 24);
    let back = |n: u32| today.checked_sub(jiff::Span::new().days(n)).unwrap_or(today);
    let day = |n: u32| Day {
        date: back(n),
        healed: (n * 7 + 11) % 13,
        called: u32::from(n % 4 == 1) + u32::from(n % 11 == 3),
        pages_sent: u32::from(n % 4 == 1),
        pages_avoided: (n * 5 + 3) % 8,
    };
    let days: Vec<Day> = (0..26).map(day).collect();
    Trend::of(&days, today, 30)
}
