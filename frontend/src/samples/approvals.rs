//! The page of what waits for a yes.

use super::{HOUR, MINUTE, before, clock, id, shell, text, web_01};
use crate::{
    HostRef, Nav, Pair, Shell, Verdict,
    approvals::{ApprovalsPage, Waiting},
    incident::Ask,
    story::Versioned,
};

fn v(title: &str, version: u32) -> Versioned {
    Versioned { title: text(title), version }
}

fn waiting() -> Vec<Waiting> {
    let ask = |n: u128, title: &str, place: &str, risk: &str, asked: i64, lapses: i64| Ask {
        run_id: id(n),
        plan: text("9e07c1f5a2b3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b41da"),
        playbook: v(title, 4),
        place: text(place),
        risk: text(risk),
        steps: vec![
            text("Stop what is left of it: {service.stop}"),
            text("Start it again: {service.start}"),
            text("Forget what is stale: /bin/sh reads\nfind /var/cache/shop -type f -mmin +\"$MW_MINUTES\" -delete"),
        ],
        with: vec![Pair { label: text("service"), value: text("shop-web") }],
        asked_at: before(asked),
        lapses_at: before(-lapses),
    };
    vec![
        Waiting {
            ask: ask(
                301,
                "Restart a failed service",
                "shop-web on web-01",
                "risk L, idempotent",
                16 * MINUTE,
                14 * MINUTE,
            ),
            incident: id(13),
            title: text("shop-web stopped"),
            verdict: Verdict::Critical,
            client: text("Acme Dental"),
            host: web_01(),
            check: text("Shop answers (shop-web)"),
            bad_since: before(17 * MINUTE),
            mapping: v("Shop is started again", 2),
        },
        Waiting {
            ask: ask(302, "Clean old logs", "/var on files-01", "risk M, repeatable", HOUR, 3 * HOUR),
            incident: id(17),
            title: text("/var almost full"),
            verdict: Verdict::Warning,
            client: text("Riverside School"),
            host: HostRef { id: id(117), name: text("files-01") },
            check: text("Room on /var (/var)"),
            bad_since: before(HOUR + 5 * MINUTE),
            mapping: v("Old logs are cleaned", 1),
        },
    ]
}

/// The page with the first `count` of them.
pub fn approvals_page(count: usize, may_approve: bool) -> ApprovalsPage {
    let waiting: Vec<Waiting> = waiting().into_iter().take(count).collect();
    let to_approve = u32::try_from(waiting.len()).unwrap_or(0);
    ApprovalsPage { shell: Shell { to_approve, ..shell(Nav::Approvals) }, clock: clock(), waiting, may_approve }
}
