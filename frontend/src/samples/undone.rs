//! Sample stories of fixes that were taken back.

use super::incident::{classified, detected, limits, mail, page, reading, run, v, verification};
use super::{MINUTE, before, ms, text};
use crate::incident::IncidentPage;
use crate::incidents::Standing;
use crate::story::*;
use crate::{Pair, Verdict};

const TITLE: &str = "Use the configuration of last week";

fn step(title: &str, command: &str, took: u64, exit_code: i32) -> Step {
    let state = if exit_code == 0 { StepState::Done } else { StepState::Failed };
    Step { title: text(title), command: Some(text(command)), state, took: Some(ms(took)), exit_code: Some(exit_code) }
}

fn said(text_of: &str, kind: LineKind) -> OutputLine {
    OutputLine { after: None, kind, text: text(text_of) }
}

fn fix() -> Run {
    Run {
        playbook: v(TITLE, 2),
        steps: vec![
            step("Put last week’s configuration in place", "/usr/local/sbin/config-of shop-web --days 7", 62, 0),
            step("Start the service", "supervisorctl start shop-web", 241, 0),
        ],
        output: vec![
            said("/etc/shop-web.toml is the one of 17 November", LineKind::Text),
            said("shop-web: started", LineKind::Text),
        ],
        took: Some(ms(303)),
        ..run(RunState::Done, 1)
    }
}

fn undo(state: RunState, last: Step) -> Run {
    Run {
        undo: true,
        steps: vec![step("Put today’s configuration back", "/usr/local/sbin/config-of shop-web --days 0", 58, 0), last],
        output: vec![said("/etc/shop-web.toml is the one of 24 November", LineKind::Text)],
        took: Some(ms(266)),
        state,
        ..fix()
    }
}

fn beside(check: &str, after: Verdict, words: &str) -> Compared {
    Compared { check: text(check), before: reading(Verdict::Ok, "ok"), after: Some(reading(after, words)) }
}

fn own(after: Verdict, words: &str) -> Compared {
    Compared {
        check: text("shop-web answers (web-01)"),
        before: reading(Verdict::Critical, "refused"),
        after: Some(reading(after, words)),
    }
}

fn begin() -> Vec<(i64, Event)> {
    let admission = Admission {
        answer: Answer::Allowed,
        mode: Mode::ByItself,
        reason: text("6 runs, 5 verified"),
        playbook: Some(v(TITLE, 2)),
        limits: limits(),
    };
    vec![(0, detected()), (12, classified()), (31, Event::Admission(admission)), (48, Event::Run(fix()))]
}

fn told(standing: &str, opened: i64, more: Vec<(i64, Event)>, reason: &str, subject: &str) -> IncidentPage {
    let mut events = begin();
    events.extend(more);
    let at = events.last().map_or(0, |(at, _)| *at);
    let escalated = Escalated { reason: text(reason), to: Some(text("S. Rivera, night desk")) };
    events.extend([(at + 400, Event::Escalated(escalated)), (at + 900, mail(subject))]);
    let mut page = page(15, Standing::NeedsYou, standing, before(opened), events);
    if let Some(aside) = &mut page.playbook {
        aside.playbook = v(TITLE, 2);
        aside.facts = vec![
            Pair { label: text("Effect"), value: text("changes one file, restarts one service") },
            Pair { label: text("Undo"), value: text("puts the file back") },
            Pair { label: text("Verified"), value: text("5 of 6") },
        ];
    }
    page.why_nothing_else = vec![
        Reason { what: text("No second try."), why: text("What did not help is not tried again by itself.") },
        Reason { what: text("web-02 untouched."), why: text("Its checks stayed ok.") },
    ];
    page
}

/// A fix that did not help, and was taken back.
pub fn undone() -> IncidentPage {
    let verdict = Verification {
        compared: vec![own(Verdict::Critical, "refused"), beside("disk (/var)", Verdict::Ok, "61 % free")],
        ..verification(Outcome::NotFixed)
    };
    let back = Verification {
        compared: vec![
            beside("disk (/var)", Verdict::Ok, "61 % free"),
            beside("api answers (web-01)", Verdict::Ok, "200 in 12 ms"),
        ],
        ..verification(Outcome::Undone)
    };
    let undo = undo(RunState::Done, step("Start the service as it was", "supervisorctl restart shop-web", 208, 0));
    told(
        "shop-web stopped on web-01; the fix did not help and was taken back",
        7 * MINUTE,
        vec![
            (122_000, Event::Verification(verdict)),
            (122_400, Event::Run(undo)),
            (184_000, Event::Verification(back)),
        ],
        "The fix did not help and was undone. There is no second one in this ladder.",
        "Needs you: shop-web on web-01 (Acme Dental) — not fixed, undone",
    )
}

/// A fix that broke something else, whose undo did not bring it back.
pub fn made_worse() -> IncidentPage {
    let verdict = Verification {
        sentence: Some(text("Another check of this host was ok before the fix and is critical after it.")),
        compared: vec![
            own(Verdict::Ok, "200 in 44 ms"),
            beside("api answers (web-01)", Verdict::Critical, "no answer within 5 s"),
            beside("disk (/var)", Verdict::Ok, "61 % free"),
        ],
        ..verification(Outcome::MadeWorse)
    };
    let still = Verification {
        compared: vec![
            beside("api answers (web-01)", Verdict::Critical, "no answer within 5 s"),
            beside("disk (/var)", Verdict::Ok, "61 % free"),
        ],
        ..verification(Outcome::UndoFailed)
    };
    let undo = undo(
        RunState::Failed { reason: text("The last step ended with exit code 7.") },
        step("Start the service as it was", "supervisorctl restart shop-web", 208, 7),
    );
    told(
        "shop-web is back on web-01, but api stopped answering with the fix",
        12 * MINUTE,
        vec![
            (123_000, Event::Verification(verdict)),
            (123_300, Event::Run(undo)),
            (190_000, Event::Verification(still)),
        ],
        "The fix made something worse, and taking it back did not help. Nothing acts on it any more by itself.",
        "Needs you: api on web-01 (Acme Dental) — made worse by a fix",
    )
}
