//! Stories told from facts as the stages store them.

use domain::seconds::Seconds;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::decisions::Decision;
use store::pages::{hosts, incident};
use store::remediate::progress::Progress;
use uuid::Uuid;
use views::{
    Clock, Nav, Shell, Template as _,
    incidents::Standing,
    story::{Answer, Event, RunState, StepState},
};

use super::{Facts, May, tell};

const RUN: Uuid = Uuid::from_u128(5);
const HOST: Uuid = Uuid::from_u128(3);

fn at(secs: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + secs)
}

fn decision(stage: &str, secs: i64, record: Value) -> Decision {
    Decision { stage: stage.to_owned(), subject_id: RUN, decided_at: at(secs), outcome: String::new(), record }
}

fn hold(secs: i64, headline: &str) -> Decision {
    let limits = json!([
        {"limit": "hands_off", "scope": "host", "used": 1, "max": 0, "window_secs": null, "why": "hands off by J. Tanaka: a disk", "frees_at": "2027-01-15T09:00:00Z", "holds": true},
        {"limit": "window", "scope": "client", "used": 1, "max": 2, "window_secs": 600, "why": "rule for 5 hosts at the client", "frees_at": null, "holds": false},
    ]);
    let record = json!({"at": "2027-01-15T08:00:00Z", "mode": "auto", "limits": limits, "answer": "hold", "headline": headline, "until": "2027-01-15T09:00:00Z", "tell_now": true});
    decision("remediate", secs, record)
}

fn facts() -> Facts {
    let seen = json!({"data": {"state": "stopped", "exit_code": 137}});
    let content = json!({"title": "Restart a failed service", "risk": "L", "steps": [{"title": "Test", "argv": ["t"]}, {"title": "Restart", "argv": ["r", "shop-web"]}, {"title": "Tell", "argv": ["n"]}]});
    let body = json!({"ended": {"how": "exited", "code": 0}, "steps": [{"step": 1, "code": 0, "began_ms": 0, "took_ms": 31}, {"step": 2, "code": 0, "began_ms": 31, "took_ms": 214}], "output_bytes": 12, "took_ms": 245});
    let record = json!({"before": seen, "looks": [[at(63), "ok", {"data": {"state": "running"}}], [at(73), "ok", {"data": {"state": "running"}}]]});
    Facts {
        incident: incident::Incident {
            incident_id: Uuid::from_u128(1),
            client_id: Uuid::from_u128(2),
            client: "Acme".into(),
            title: "shop-web stopped".into(),
            severity: "critical".into(),
            state: "closed".into(),
            opened_at: at(0),
            closed_at: Some(at(73)),
            outcome: Some("fixed".into()),
            escalated_at: None,
            escalation_reason: None,
            owner: None,
        },
        alerts: vec![incident::Alert {
            host_id: HOST,
            check: "runs".into(),
            definition: json!({"hold_secs": 2}),
            target: "shop-web".into(),
            severity: "critical".into(),
            opened_at: at(0),
            closed_at: Some(at(73)),
            close_cause: Some("fixed".into()),
            signalled_at: Some(at(0)),
            seen: Some(seen),
            observed_at: Some(at(0)),
            detected: None,
        }],
        host: Some(hosts::Row {
            host_id: HOST,
            site_id: None,
            is_newcomer: false,
            enrolled_at: at(0),
            client_id: Uuid::from_u128(2),
            name: "web-01".into(),
            client: "Acme".into(),
            state: "trusted".into(),
            quarantine_reason: None,
            tags: json!({"role": "web"}),
            agent_version: None,
            booted_at: None,
            own_limits: None,
            notes: json!([]),
            linked_at: Some(at(-100)),
            unlinked_at: None,
            ok: 1,
            warning: 0,
            critical: 0,
            no_data: 0,
        }),
        hands_off: vec![hosts::HandsOff {
            scope_kind: "host".into(),
            scope_key: HOST.to_string(),
            reason: "a disk".into(),
            started_by: "J. Tanaka".into(),
            started_at: at(-50),
            ends_at: at(3_600),
            ended_at: Some(at(58)),
            ended_by: Some("J. Tanaka".into()),
        }],
        decisions: vec![
            hold(1, "hands off by J. Tanaka: a disk"),
            hold(30, "hands off by J. Tanaka: a disk"),
            decision("remediate", 59, json!({"mode": "auto", "limits": [], "answer": "run", "slots": []})),
            decision("verify", 73, record),
        ],
        runs: vec![incident::Run {
            run_id: RUN,
            host_id: HOST,
            playbook: "service.restart".into(),
            version: 4,
            digest: vec![0xb4; 32],
            content: content.to_string(),
            key_version: 1,
            state: "fixed".into(),
            mode: "auto".into(),
            rung: 1,
            attempt: 1,
            target: "shop-web".into(),
            planned_at: at(0),
            admitted_at: Some(at(59)),
            started_at: Some(at(60)),
            ended_at: Some(at(73)),
            end_reason: None,
            hold_reason: None,
            hold_until: None,
        }],
        run_events: vec![],
        results: vec![incident::JobResult {
            run_id: RUN,
            purpose: "fix".into(),
            attempt: 1,
            body: body.to_string(),
            received_at: at(61),
            output: b"fine\n\x1b[31mred\n".to_vec(),
        }],
        verifications: vec![incident::Verification {
            run_id: RUN,
            purpose: "fix".into(),
            phase: "ended".into(),
            due_at: None,
            settle: Seconds::whole(2),
            stable: Seconds::whole(10),
            first_ok_at: Some(at(63)),
            outcome: Some("fixed".into()),
            ended_at: Some(at(73)),
            started_at: Some(at(61)),
        }],
        plans: Vec::new(),
        diagnostics: Vec::new(),
        progress: Vec::new(),
        mails: ["a@x.example", "b@x.example"]
            .map(|address| incident::Mail {
                address: address.into(),
                subject: "Fixed: …".into(),
                state: "sent".into(),
                created_at: at(74),
                ended_at: Some(at(75)),
                last_error: None,
            })
            .to_vec(),
    }
}

fn page(facts: Facts) -> views::incident::IncidentPage {
    let shell = Shell {
        to_approve: 0,
        organization: "Ours".into(),
        member: "Sam".into(),
        role: "Owner".into(),
        csrf: "t".into(),
        current: Nav::Incidents,
        needs_you: 0,
        to_confirm: 0,
        frozen: false,
        settings: Vec::new(),
        demo: false,
    };
    tell(
        facts,
        shell,
        Clock { now: at(100), zone: jiff::tz::TimeZone::UTC },
        May { who: Uuid::nil(), act: true, approve: true },
    )
}

fn kinds(page: &views::incident::IncidentPage) -> Vec<&'static str> {
    let kind = |event: &Event| match event {
        Event::Detected(_) => "detected",
        Event::Classified(_) => "classified",
        Event::Admission(a) => a.answer.title(),
        Event::Run(r) => r.state.title(),
        Event::Verification(v) => v.outcome.title(),
        Event::Mail(_) => "mail",
        Event::HandsOff(_) => "hands off",
        Event::Released(_) => "released",
        Event::Escalated(_) => "escalated",
        _ => "other",
    };
    page.entries.iter().map(|entry| kind(&entry.event)).collect()
}

#[test]
fn held_then_released_then_fixed_reads_in_this_order() {
    let page = page(facts());
    assert_eq!(
        kinds(&page),
        ["hands off", "detected", "Held", "released", "Allowed to act", "Remediated", "Verified: fixed", "mail"]
    );
    assert_eq!(page.standing, Standing::Fixed);
    assert_eq!(page.remarks, ["back in 63\u{a0}s", "nobody was asked"]);
    let html = page.render().unwrap();
    for words in [
        "“Restart a failed service” v4",
        "hands off by J. Tanaka: a disk",
        "1 of 2",
        "stopped, exit code 137",
        "a@x.example, b@x.example",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains('\u{1b}'), "no terminal control reaches a page");
}

#[test]
fn the_same_hold_again_is_told_once_and_another_reason_anew() {
    let mut facts = facts();
    facts.decisions.insert(2, hold(40, "held by cooldown, 9:12 left"));
    facts.decisions.insert(3, hold(50, "held by cooldown, 8:59 left"));
    assert_eq!(kinds(&page(facts)).iter().filter(|kind| **kind == "Held").count(), 2);
}

#[test]
fn a_step_that_never_began_is_left_out_and_not_done() {
    let page = page(facts());
    let run = page
        .entries
        .iter()
        .find_map(|entry| if let Event::Run(run) = &entry.event { Some(run) } else { None })
        .unwrap();
    let states: Vec<StepState> = run.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Done, StepState::Done, StepState::Skipped]);
    assert!(matches!(run.state, RunState::Done));
}

#[test]
fn exit_code_0_is_remediated_and_never_fixed_by_itself() {
    let mut facts = facts();
    facts.verifications[0].outcome = Some("not_fixed".into());
    facts.incident.state = "escalated".into();
    facts.incident.outcome = None;
    facts.incident.closed_at = None;
    facts.incident.escalated_at = Some(at(74));
    facts.incident.escalation_reason = Some("the check is still bad".into());
    let page = page(facts);
    assert_eq!(page.standing, Standing::NeedsYou);
    assert!(kinds(&page).ends_with(&["Verified: not fixed", "escalated", "mail"]), "{:?}", kinds(&page));
}

#[test]
fn a_run_in_doubt_asks_and_one_that_was_never_sent_is_no_run() {
    let mut doubt = facts();
    doubt.runs[0].state = "unknown".into();
    doubt.incident.state = "open".into();
    doubt.incident.outcome = None;
    doubt.results.clear();
    let asked = page(doubt);
    assert_eq!(asked.doubts().len(), 1);

    let mut observed = facts();
    observed.runs[0].state = "observed".into();
    observed.decisions =
        vec![decision("remediate", 1, json!({"mode": "observe", "limits": [], "answer": "would_run"}))];
    observed.verifications.clear();
    let told = super::entries(&observed, at(100));
    assert!(
        told.iter().any(|entry| matches!(&entry.event, Event::Admission(a) if matches!(a.answer, Answer::WouldRun)))
    );
    assert!(!told.iter().any(|entry| matches!(entry.event, Event::Run(_))));
}

#[test]
fn a_doubt_that_a_person_ended_says_who_and_asks_no_more() {
    for state in ["verifying", "not_run"] {
        let mut facts = facts();
        facts.incident.state = "escalated".into();
        facts.incident.outcome = None;
        facts.runs[0].state = state.into();
        facts.runs[0].end_reason = (state == "not_run").then(|| "Sam said so".into());
        facts.results[0].body = json!({"ended": {"how": "in_doubt"}}).to_string();
        for (secs, to_state, cause) in [(10, "unknown", "it is in doubt whether it ran"), (20, state, "Sam said so")] {
            facts.run_events.push(incident::RunEvent {
                run_id: facts.runs[0].run_id,
                at: at(secs),
                to_state: to_state.into(),
                cause: cause.into(),
                detail: json!({"by": "Sam"}),
                actor: String::new(),
            });
        }
        let page = page(facts);
        assert!(page.doubts().is_empty());
        let told = page.entries.iter().any(|entry| match &entry.event {
            Event::Run(run) => {
                matches!(&run.state, RunState::InDoubt { answered: Some(answer), .. } if answer == "Sam said so")
            }
            _ => false,
        });
        assert!(told, "{state}");
    }
}

#[test]
fn what_a_run_has_written_so_far_is_shown_while_it_runs() {
    let mut facts = facts();
    facts.runs[0].state = "running".into();
    facts.runs[0].ended_at = None;
    facts.results.clear();
    let progress =
        |attempt, bytes: &[u8]| Progress { run_id: RUN, purpose: "fix".into(), attempt, bytes: bytes.into() };
    facts.progress = vec![progress(1, b"stopping\nwaiting \x1b[31mfor it"), progress(2, b"of another attempt")];
    let page = page(facts);
    let run = page.entries.iter().find_map(|e| if let Event::Run(run) = &e.event { Some(run) } else { None }).unwrap();
    let said: Vec<&str> = run.output.iter().map(|line| line.text.as_str()).collect();
    assert_eq!((said, run.output_cut), (vec!["stopping", "waiting [31mfor it"], false));
}

#[test]
fn an_undo_that_was_verified_does_not_say_that_the_service_is_back() {
    let mut facts = facts();
    for verification in &mut facts.verifications {
        verification.purpose = "undo".into();
    }
    let remarks = page(facts).remarks;
    assert!(!remarks.iter().any(|remark| remark.starts_with("back in")), "{remarks:?}");
}
