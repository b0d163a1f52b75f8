use super::{DAY, HOUR, MINUTE, before, clock, id, shell, text};
use crate::guardrails::{About, ClientRow, Ends, GuardrailsPage, Planned, Reach, Refused, Standing, Stopped};
use crate::{Limit, LimitResult, Nav, Used};

fn limit(label: &str, used: u32, of: u32, because: &str) -> Limit {
    Limit {
        label: text(label),
        used: Some(Used { used, of, unit: String::new() }),
        state: None,
        because: text(because),
        frees_at: (used > 0).then(|| before(-4 * MINUTE)),
        result: if used >= of { LimitResult::Held } else { LimitResult::Allowed },
    }
}

pub(super) fn refused() -> Vec<Refused> {
    vec![Refused { mapping: text("Reboot what hangs"), playbook: text("Reboot"), refusing: 41, hosts: 58 }]
}

/// The organization's page, with all that may stand against fixes.
pub fn guardrails_page() -> GuardrailsPage {
    let standing = |kind, place: &str, words: &str, since, until: Option<i64>, ends| Standing {
        kind,
        place: text(place),
        words: text(words),
        since: Some(before(since)),
        until: until.map(before),
        ends,
    };
    let client = |n, name: &str, hosts, held, stopped| ClientRow { id: id(n), name: text(name), hosts, held, stopped };
    GuardrailsPage {
        shell: shell(Nav::Guardrails),
        clock: clock(),
        about: About::Organization,
        stopped: None,
        stopped_above: false,
        may_stop: true,
        may_let: true,
        reach: Reach { hosts: 214, waiting: 3, running: 1 },
        standing: vec![
            standing(
                "Stopped",
                "Café Brandt",
                "J. Tanaka: the till is moved",
                2 * HOUR,
                None,
                Ends::At(format!("/guardrails/{}", id(3))),
            ),
            standing(
                "Hands off",
                "web-03 at Alder Logistics",
                "Sam Rivera: a disk is replaced",
                HOUR,
                Some(-3 * HOUR),
                Ends::At(format!("/hosts/{}", id(2))),
            ),
            standing(
                "Interlock",
                "Alder Logistics",
                "backup: nightly backup",
                20 * MINUTE,
                Some(-2 * HOUR),
                Ends::Release(id(9)),
            ),
            standing(
                "Breaker",
                "“Start a failed service again” at Dock & Co",
                "Fixes went badly",
                35 * MINUTE,
                None,
                Ends::Close(text("client_playbook_version:sample")),
            ),
        ],
        maintenance: planned(),
        limits: vec![limit("Organization, 10 min", 3, 10, "rule for 214 hosts in the organization")],
        clients: vec![
            client(1, "Alder Logistics", 48, 2, false),
            client(3, "Café Brandt", 2, 0, true),
            client(4, "Dock & Co", 164, 0, false),
        ],
        refused: refused(),
        hands_off: false,
    }
}

/// One that holds, one that comes, one that is over and one that was taken back.
pub fn planned() -> Vec<Planned> {
    let plan = |name: &str, place: &str, times: &str, active, span| Planned {
        name: text(name),
        place: text(place),
        times: text(times),
        active,
        span,
    };
    let (zone, now) = ("Europe/Berlin", (before(HOUR), before(-2 * HOUR)));
    let next = (before(-3 * DAY), before(-3 * DAY - 6 * HOUR));
    vec![
        plan("Morning updates", "the organization", "mon-fri 05:30-08:30, UTC", true, Some(now)),
        plan("Patch night", "Alder Logistics", &format!("sat 22:00-04:00, {zone}"), true, Some(next)),
        plan(
            "Racks are moved",
            "web-03 at Alder Logistics",
            &format!("2026-01-02 20:00 to 2026-01-03 04:00, {zone}"),
            true,
            None,
        ),
        plan("Old backup", "Dock & Co", "daily 01:00-02:00, UTC", false, Some(next)),
    ]
}

/// A client's page: acting, or stopped, as one sees it who may not let it act again.
pub fn guardrails_of_client(stopped: bool) -> GuardrailsPage {
    let why = Some(text("restarts make it worse"));
    GuardrailsPage {
        about: About::Client { id: id(1), name: text("Alder Logistics") },
        stopped: stopped.then(|| Stopped { by: Some(text("Sam Rivera")), why, at: Some(before(12 * MINUTE)) }),
        may_let: !stopped,
        reach: Reach { hosts: 48, waiting: 1, running: 0 },
        standing: Vec::new(),
        maintenance: Vec::new(),
        limits: vec![
            limit("Client, 10 min", 3, 3, "rule for 48 hosts at the client"),
            limit("Undos, 10 min", 0, 3, "rule for 48 hosts at the client"),
            limit("Client, not verified yet", 1, 2, "rule for 48 hosts at the client"),
            limit("Client, went badly, 1\u{a0}day", 0, 2, "rule for 48 hosts at the client"),
        ],
        clients: Vec::new(),
        ..guardrails_page()
    }
}
