//! Sample stories.

use jiff::Timestamp;

use super::{DAY, HOUR, MINUTE, before, clock, id, ms, shell, text, web_01};
use crate::{
    HandsOff, Limit, LimitResult, Link, Nav, Pair, Reading, Used, Verdict,
    incident::{Ask, HostAside, IncidentPage},
    incidents::Standing,
    story::*,
};

pub(super) const DIGEST: &str = "b41f6d0c4c1b7f9a2e5d8c3b6a9f0e1d2c3b4a5968778695a4b3c2d1e0f9c02a";

pub(super) fn v(title: &str, version: u32) -> Versioned {
    Versioned { title: text(title), version }
}

pub(super) fn reading(verdict: Verdict, words: &str) -> Reading {
    Reading { verdict, words: text(words) }
}

fn evidence(name: &str, value: Option<&str>, is_bad: bool) -> Evidence {
    Evidence { name: text(name), value: value.map(text), is_bad, at: None }
}

fn limit(label: &str, used: Option<(u32, u32, &str)>, because: &str, result: LimitResult) -> Limit {
    Limit {
        label: text(label),
        used: used.map(|(used, of, unit)| Used { used, of, unit: text(unit) }),
        state: used.is_none().then(|| text("none declared")),
        because: text(because),
        frees_at: None,
        result,
    }
}

pub(super) fn limits() -> Vec<Limit> {
    vec![
        limit("This fix on this host", Some((0, 3, "a day")), "last 9 days ago, rests 10 min", LimitResult::Allowed),
        limit("Host, at once", Some((0, 1, "")), "nothing else ran on web-01", LimitResult::Allowed),
        Limit {
            frees_at: Some(before(3 * HOUR + 43 * MINUTE)),
            ..limit("Client, 10 min", Some((1, 2, "")), "db-02", LimitResult::Allowed)
        },
        limit("Organization, 10 min", Some((3, 10, "")), "three clients", LimitResult::Allowed),
        limit("Breaker", Some((0, 5, "bad")), "opens at 2", LimitResult::Allowed),
        limit("Work in progress", None, "no deployment, no migration", LimitResult::Allowed),
    ]
}

fn held_limits(until: Timestamp) -> Vec<Limit> {
    let hands = Limit {
        state: Some(text("J. Tanaka")),
        frees_at: Some(until),
        ..limit("Hands off", None, "“replacing a disk”", LimitResult::Held)
    };
    let mut all = vec![hands];
    all.extend(limits().into_iter().map(|l| Limit { result: LimitResult::NotEvaluated, ..l }));
    all
}

pub(super) fn detected() -> Event {
    Event::Detected(Detected {
        check: text("shop-web answers"),
        verdict: Verdict::Critical,
        saw: text("The process ended by signal 9; port 8080 refused in the same second."),
        before: Some(text("ok for 9 days, 200 in 41 ms")),
        rule: Some(text("critical when answers is no; ok when answers is yes")),
        bad_since_at: None,
        hold: Some(ms(2_000)),
        grace: Some(text("none left: the host has been up for 16 days")),
        evidence: vec![
            evidence("Process", Some("ended by signal 9"), true),
            evidence("Port 8080", Some("connection refused, twice"), true),
            evidence("Stop command", None, false),
        ],
    })
}

pub(super) fn classified() -> Event {
    let c = |words: &str, met| Condition { words: text(words), met };
    Event::Classified(Classified {
        matched: Some(v("Service stopped", 7)),
        sentence: Some(text("Two signals, one alert, one incident.")),
        looked_at: vec![
            MappingLook {
                mapping: v("Service hung", 3),
                conditions: vec![c("check answers = no", Met::Yes), c("the process is alive", Met::No)],
                result: LookResult::NearestMiss,
            },
            MappingLook {
                mapping: v("Service stopped", 7),
                conditions: vec![
                    c("service = shop-web", Met::Yes),
                    c("tag role=web", Met::Yes),
                    c("not stopped by a person", Met::Yes),
                ],
                result: LookResult::Matched,
            },
            MappingLook {
                mapping: v("Disk full", 2),
                conditions: vec![c("kind = disk", Met::No), c("free < 10 %", Met::NotLooked)],
                result: LookResult::NoMatch,
            },
        ],
        facts: vec![
            evidence("package manager", Some("not running"), false),
            evidence("interactive session", None, false),
        ],
    })
}

pub(super) fn run(state: RunState, attempt: u32) -> Run {
    let line = |after, kind, words: &str| OutputLine { after, kind, text: text(words) };
    Run {
        id: id(900 + u128::from(attempt)),
        undo: false,
        rung: 1,
        attempt,
        playbook: v("Restart a failed service", 4),
        digest: text(DIGEST),
        signed_by: Some(text("Northwind signing key 2")),
        took: Some(ms(245)),
        state,
        steps: vec![
            Step {
                title: text("Test the configuration"),
                command: Some(text("/usr/local/bin/shop-web --check-config")),
                state: StepState::Done,
                took: Some(ms(31)),
                exit_code: Some(0),
            },
            Step {
                title: text("Restart the service"),
                command: Some(text("supervisorctl restart shop-web")),
                state: StepState::Done,
                took: Some(ms(214)),
                exit_code: Some(0),
            },
        ],
        output: vec![
            line(Some(ms(48)), LineKind::Command, "shop-web --check-config"),
            line(None, LineKind::Text, "configuration /etc/shop-web.toml is fine"),
            line(Some(ms(79)), LineKind::Command, "supervisorctl restart shop-web"),
            line(Some(ms(293)), LineKind::Remark, "exit 0 after 214 ms"),
        ],
        output_cut: false,
    }
}

pub(super) fn verification(outcome: Outcome) -> Verification {
    let after = |words| (!matches!(outcome, Outcome::Looking { .. })).then(|| reading(Verdict::Ok, words));
    Verification {
        outcome,
        sentence: None,
        compared: vec![
            Compared {
                check: text("shop-web answers"),
                before: reading(Verdict::Critical, "refused"),
                after: after("200 in 41 ms"),
            },
            Compared {
                check: text("shop-web runs"),
                before: reading(Verdict::Critical, "not running"),
                after: after("running"),
            },
            Compared {
                check: text("7 others on web-01"),
                before: reading(Verdict::Ok, "all ok"),
                after: after("all ok"),
            },
        ],
        settle: ms(2_000),
        stable: ms(120_000),
    }
}

/// What a host says of itself when a person is called; none: it did not answer.
fn looked(n: u128, asked_at: Timestamp, found: Option<&[(&str, &[&str])]>) -> Event {
    let until_at = asked_at.saturating_add(jiff::SignedDuration::from_mins(10)).unwrap_or(asked_at);
    let found = found.map(|sections| {
        let section = |(title, lines): &(&str, &[&str])| LookedAt {
            title: text(title),
            lines: lines.iter().map(|line| text(line)).collect(),
        };
        sections.iter().map(section).collect()
    });
    Event::Diagnostics(Diagnostics { id: id(n), host: text("web-01"), asked_at, until_at, found })
}

pub(super) fn mail(subject: &str) -> Event {
    Event::Mail(Mail { to: vec![text("S. Rivera, night desk")], subject: text(subject), state: MailState::Sent })
}

pub(super) fn page(
    n: u128,
    standing: Standing,
    title: &str,
    opened: Timestamp,
    events: Vec<(i64, Event)>,
) -> IncidentPage {
    let at = |millis: i64| opened.saturating_add(jiff::SignedDuration::from_millis(millis)).unwrap_or(opened);
    IncidentPage {
        shell: shell(Nav::Incidents),
        clock: clock(),
        id: id(n),
        reference: format!("INC-{}", 2_030 + n),
        standing,
        title: text(title),
        client: text("Acme Dental"),
        opened_at: opened,
        closed_at: None,
        remarks: Vec::new(),
        entries: events.into_iter().map(|(millis, event)| Entry { at: at(millis), event }).collect(),
        asks: Vec::new(),
        host: Some(HostAside {
            host: web_01(),
            client: text("Acme Dental"),
            tags: vec![text("role=web"), text("env=prod")],
            agent: Some(text("0.1.0")),
            link: Link::Linked { since_at: before(3 * HOUR) },
            hands_off: None,
        }),
        playbook: Some(PlaybookAside {
            playbook: v("Restart a failed service", 4),
            digest: text(DIGEST),
            signed_by: Some(text("Northwind signing key 2")),
            facts: vec![
                Pair { label: text("Effect"), value: text("restarts one service") },
                Pair { label: text("Undo"), value: text("none needed") },
                Pair { label: text("Verified"), value: text("41 of 41") },
            ],
        }),
        why_nothing_else: vec![
            Reason { what: text("No page."), why: text("A page waits 2 min.") },
            Reason { what: text("No second rung."), why: text("The first one worked.") },
            Reason { what: text("web-02 untouched."), why: text("Its checks stayed ok.") },
        ],
        may_act: true,
        owner: None,
        may_approve: true,
    }
}

/// The ordinary night: broken and back within a second.
pub fn fixed() -> IncidentPage {
    let opened = before(3 * HOUR + 50 * MINUTE - 388);
    let admission = Admission {
        answer: Answer::Allowed,
        mode: Mode::ByItself,
        reason: text("41 runs, 41 verified"),
        playbook: Some(v("Restart a failed service", 4)),
        limits: limits(),
    };
    let watch = Watching {
        until_at: before(3 * HOUR + 50 * MINUTE - DAY),
        sentence: Some(text(
            "If it stops again today, the fix runs at most twice more; then a person is asked for the cause.",
        )),
    };
    let mut page = page(
        11,
        Standing::Fixed,
        "shop-web stopped on web-01, back in 0.4 s",
        opened,
        vec![
            (0, detected()),
            (12, classified()),
            (31, Event::Admission(admission)),
            (48, Event::Run(run(RunState::Done, 1))),
            (402, Event::Verification(verification(Outcome::Fixed))),
            (121_000, mail("Fixed: shop-web on web-01 (Acme Dental) — back in 0.4 s")),
            (121_500, Event::Watching(watch)),
        ],
    );
    page.closed_at = Some(before(3 * HOUR + 48 * MINUTE));
    page.remarks = vec![text("nobody was paged"), text("third time in 31 days")];
    page
}

/// Held by hands off, released, then fixed.
pub fn held_then_fixed() -> IncidentPage {
    let opened = before(31 * MINUTE);
    let until = before(-88 * MINUTE);
    let playbook = Some(v("Restart a failed service", 4));
    let held = Admission {
        answer: Answer::Held { until_at: Some(until) },
        mode: Mode::ByItself,
        reason: text("hands off by J. Tanaka"),
        playbook: playbook.clone(),
        limits: held_limits(until),
    };
    let allowed = Admission {
        answer: Answer::Allowed,
        mode: Mode::ByItself,
        reason: text("nothing holds it any more"),
        playbook,
        limits: limits(),
    };
    let mut page = page(
        12,
        Standing::Healing,
        "shop-web stopped on web-01, being verified",
        opened,
        vec![
            (
                -20 * MINUTE,
                Event::HandsOff(HandsOff {
                    by: text("J. Tanaka"),
                    until_at: until,
                    reason: Some(text("replacing a disk")),
                }),
            ),
            (0, detected()),
            (14, classified()),
            (29, Event::Admission(held)),
            (300, mail("Held: shop-web on web-01 (Acme Dental) — hands off by J. Tanaka")),
            (
                30 * MINUTE,
                Event::Released(Released {
                    by: Some(text("J. Tanaka")),
                    sentence: Some(text("What was held is looked at again, with fresh data first.")),
                }),
            ),
            (30 * MINUTE + 40, Event::Admission(allowed)),
            (30 * MINUTE + 61, Event::Run(run(RunState::Done, 1))),
            (30 * MINUTE + 420, Event::Verification(verification(Outcome::Looking { until_at: before(-61_000) }))),
        ],
    );
    page.why_nothing_else.remove(1);
    page
}

/// A fix that asks first.
pub fn asks_first() -> IncidentPage {
    let opened = before(4 * MINUTE);
    let admission = Admission {
        answer: Answer::NeedsApproval,
        mode: Mode::AskFirst,
        reason: text("this mapping asks first"),
        playbook: Some(v("Restart a failed service", 4)),
        limits: limits(),
    };
    let mut page = page(
        12,
        Standing::NeedsYou,
        "shop-web stopped on web-01",
        opened,
        vec![(0, detected()), (14, classified()), (29, Event::Admission(admission))],
    );
    page.asks = vec![Ask {
        run_id: id(77),
        plan: text(DIGEST),
        playbook: v("Restart a failed service", 4),
        place: text("shop-web on web-01"),
        risk: text("risk L, idempotent"),
        steps: vec![text("Stop what is left of it: {service.stop}"), text("Start it again: {service.start}")],
        with: vec![Pair { label: text("service"), value: text("shop-web") }],
        asked_at: before(4 * MINUTE),
        lapses_at: before(-26 * MINUTE),
    }];
    page.why_nothing_else.clear();
    page
}

/// Nobody knows whether it ran.
pub fn in_doubt() -> IncidentPage {
    let opened = before(4 * MINUTE);
    let admission = Admission {
        answer: Answer::Allowed,
        mode: Mode::ByItself,
        reason: text("41 runs, 41 verified"),
        playbook: None,
        limits: limits(),
    };
    let mut doubt = run(
        RunState::InDoubt {
            reason: text("the host restarted after it was permitted and before it reported"),
            answered: None,
        },
        1,
    );
    doubt.took = None;
    doubt.output.truncate(3);
    doubt.steps[1] = Step { state: StepState::Unknown, took: None, exit_code: None, ..doubt.steps[1].clone() };
    let mut page = page(
        13,
        Standing::NeedsYou,
        "shop-web stopped on web-01, and nobody knows whether the fix ran",
        opened,
        vec![
            (0, detected()),
            (12, classified()),
            (31, Event::Admission(admission)),
            (48, Event::Run(doubt)),
            (
                65_000,
                Event::Escalated(Escalated {
                    reason: text("A run in doubt is never repeated by itself. Somebody has to look on the host."),
                    to: Some(text("S. Rivera, night desk")),
                }),
            ),
            (65_000, looked(900, opened, None)),
            (
                65_200,
                Event::Mail(Mail {
                    to: vec![text("S. Rivera, night desk")],
                    subject: text("Needs you: shop-web on web-01 (Acme Dental) — in doubt"),
                    state: MailState::Failed { reason: text("450 mailbox busy, tried again at 07:05") },
                }),
            ),
        ],
    );
    if let Some(host) = &mut page.host {
        host.link = Link::Silent { since_at: before(3 * MINUTE) };
    }
    page.why_nothing_else = vec![Reason {
        what: text("No second try."),
        why: text("It could be the second restart of something that just came up."),
    }];
    page
}

/// No known fix.
pub fn unmapped() -> IncidentPage {
    let opened = before(41 * MINUTE);
    let looked_at = vec![MappingLook {
        mapping: v("Clean old logs", 3),
        conditions: vec![
            Condition { words: text("kind = disk"), met: Met::Yes },
            Condition { words: text("no database directory below the mount"), met: Met::No },
        ],
        result: LookResult::NearestMiss,
    }];
    let mut page = page(
        14,
        Standing::NeedsYou,
        "The database log fills the disk of ehr-db-01",
        opened,
        vec![
            (
                0,
                Event::Detected(Detected {
                    check: text("Disk /var/lib/postgresql"),
                    verdict: Verdict::Warning,
                    saw: text("94 % used and growing by 2.1 GB an hour: full in 3 h."),
                    before: None,
                    rule: Some(text("warning when free hours is below 4")),
                    hold: None,
                    bad_since_at: None,
                    grace: None,
                    evidence: vec![
                        evidence("Used", Some("94 %"), true),
                        evidence("Slope", Some("2.1 GB an hour"), false),
                        evidence("Replication slot", Some("reporting_1, idle for 9 h"), false),
                    ],
                }),
            ),
            (18, Event::Classified(Classified { matched: None, sentence: None, looked_at, facts: Vec::new() })),
            (
                40,
                Event::Escalated(Escalated {
                    reason: text("There is no known fix, and a database log is never deleted by itself."),
                    to: None,
                }),
            ),
            (
                1_400,
                looked(
                    901,
                    opened,
                    Some(&[
                        (
                            "Load and memory",
                            &[
                                "load 0.62 over 1 min, 0.58 over 5, 0.51 over 15",
                                "memory: 11.2 GB of 33.6 GB available",
                            ],
                        ),
                        (
                            "Busiest processes",
                            &["postgres (1204): 12 % of a core", "postgres (1204): 8.1 GB of memory"],
                        ),
                        ("File systems", &["/: 21.4 GB of 53.7 GB free for users, 91 % of inodes free"]),
                        ("Listening on", &["0.0.0.0:22", "127.0.0.1:5432"]),
                    ]),
                ),
            ),
            (
                15 * MINUTE,
                Event::Note(Note {
                    by: Some(text("Sam Rivera")),
                    text: text("Asked the reporting team to drop the slot.\nThey look at it at 7."),
                }),
            ),
            (16 * MINUTE, Event::Note(Note { by: None, text: text("The agent of ehr-db-01 was away for 40 s") })),
        ],
    );
    page.playbook = None;
    page.why_nothing_else.truncate(1);
    page
}

/// A mapping that only watches.
pub fn watching_only() -> IncidentPage {
    let opened = before(3 * HOUR);
    let admission = Admission {
        answer: Answer::WouldRun,
        mode: Mode::WatchOnly,
        reason: text("watch only since 3 Oct"),
        playbook: Some(v("Restart a failed service", 4)),
        limits: limits(),
    };
    page(
        15,
        Standing::RecoveredByItself,
        "shop-web stopped on web-01, came back by itself",
        opened,
        vec![
            (0, detected()),
            (12, classified()),
            (31, Event::Admission(admission)),
            (
                6 * MINUTE,
                Event::Recovered(Recovered {
                    saw: text("200 in 44 ms, twice in a row. Somebody or something else restarted it."),
                }),
            ),
        ],
    )
}
