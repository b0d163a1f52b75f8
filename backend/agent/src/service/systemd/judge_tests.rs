use super::State::{Done, Failed, NoData, Restarting, Running, Starting, Stopped, Stopping};
use super::*;

/// A unit that runs, in systemd's words.
fn web() -> Properties {
    Properties {
        load: "loaded".into(),
        active: "active".into(),
        sub: "running".into(),
        file: "enabled".into(),
        kind: "notify".into(),
        result: "success".into(),
        was_started: true,
        start_burst: 5,
        main_pid: 7,
        start_limit: Some(Duration::from_secs(90)),
        ..Properties::default()
    }
}

fn at(active: &str, sub: &str) -> Properties {
    let main_pid = if active == "active" { 7 } else { 0 };
    Properties { active: active.into(), sub: sub.into(), main_pid, ..web() }
}

fn crashed(active: &str, sub: &str) -> Properties {
    Properties { result: "signal".into(), exit_how: 2, exit_status: 9, ..at(active, sub) }
}

fn look(unit: &Properties) -> Judged {
    judge(unit, &mut Before::default(), Acting::Nobody, Duration::ZERO)
}

/// Each of `seen` a second after the one before; gives each state.
fn states(seen: &[(Properties, Acting)]) -> Vec<State> {
    let mut before = Before::default();
    (0..).zip(seen).map(|(s, (unit, acting))| judge(unit, &mut before, *acting, Duration::from_secs(s)).state).collect()
}

fn nobody(seen: &[Properties]) -> Vec<State> {
    states(&seen.iter().map(|unit| (unit.clone(), Acting::Nobody)).collect::<Vec<_>>())
}

#[test]
fn each_single_look_is_judged_by_systemds_own_words() {
    let oneshot = |active, sub| Properties { kind: "oneshot".into(), main_pid: 0, ..at(active, sub) };
    let load = |load: &str, unit: Properties| Properties { load: load.into(), ..unit };
    let job = |job: &str, unit: Properties| Properties { job: Some(job.into()), ..unit };
    for (unit, state, detail) in [
        (web(), Running, "process 7 runs"),
        (at("reloading", "reload"), Running, "systemd says active (reload)"),
        (oneshot("active", "exited"), Running, "a one-shot that did its work"),
        (oneshot("inactive", "dead"), Done, "a one-shot that is done; inactive is normal"),
        (oneshot("activating", "start"), Starting, "a one-shot at work (start)"),
        (
            Properties { is_triggered: true, ..at("inactive", "dead") },
            Done,
            "it waits for its timer, socket or path; inactive is normal",
        ),
        (at("inactive", "dead"), Stopped, "stopped by a person (enabled); not watched while stopped"),
        (
            Properties { was_started: false, file: "disabled".into(), ..at("inactive", "dead") },
            Stopped,
            "not started (disabled); not watched while stopped",
        ),
        (Properties { result: "exec-condition".into(), ..at("inactive", "dead") }, Stopped, "stopped by"),
        (crashed("inactive", "dead"), Stopped, "stopped by a person"),
        (crashed("failed", "failed-before-auto-restart"), Restarting, "systemd restarts it by itself after signal 9"),
        (crashed("failed", "failed"), Failed, "signal 9"),
        (
            Properties { result: "exit-code".into(), exit_status: 3, exit_how: 1, ..at("failed", "failed") },
            Failed,
            "exit code 3",
        ),
        (Properties { result: "timeout".into(), ..at("failed", "failed") }, Failed, "a time limit of systemd"),
        (
            Properties { result: "start-limit-hit".into(), ..at("failed", "failed") },
            Failed,
            "start limit hit (5 starts): systemd starts it no more until it is reset",
        ),
        (crashed("activating", "auto-restart"), Restarting, "systemd restarts it by itself after signal 9"),
        (at("activating", "start"), Starting, "it is starting (start), 0 s of at most 90"),
        (at("deactivating", "stop-sigterm"), Stopping, "it is being stopped (stop-sigterm)"),
        (job("start", crashed("failed", "failed")), Starting, "systemd has a start job for it"),
        (load("masked", at("inactive", "dead")), Stopped, "masked: a person forbade its start"),
        (load("masked", crashed("failed", "failed")), Stopped, "masked"),
        (load("masked", web()), Running, "process 7 runs"),
        (load("not-found", at("inactive", "dead")), NoData, "systemd knows no such unit"),
        (load("not-found", web()), Running, "process 7 runs"),
        (load("bad-setting", at("inactive", "dead")), Failed, "its unit file cannot be loaded (bad-setting)"),
        (at("maintenance", "x"), NoData, "systemd calls it maintenance, which is not known"),
    ] {
        let judged = look(&unit);
        assert_eq!(judged.state, state, "{unit:?}");
        assert!(judged.detail.starts_with(detail), "{}", judged.detail);
    }
}

#[test]
fn what_systemd_is_at_work_on_is_told_but_answers_no_question() {
    for unit in [at("activating", "start"), crashed("activating", "auto-restart"), at("deactivating", "stop")] {
        let judged = look(&unit);
        assert!(matches!(judged.seen(), Seen::Data(_)), "{unit:?}");
        assert!(matches!(judged.answer(), Seen::NoData { .. }), "{unit:?}");
    }
    for unit in [web(), at("inactive", "dead"), crashed("failed", "failed")] {
        assert_eq!(look(&unit).seen(), look(&unit).answer());
    }
}

#[test]
fn a_stop_that_a_person_asked_for_is_no_failure_however_the_process_ended() {
    let stopping = Properties { job: Some("stop".into()), ..at("deactivating", "stop-sigterm") };
    assert_eq!(nobody(&[web(), stopping.clone(), crashed("failed", "failed")]), [Running, Stopping, Stopped]);
    let queued = Properties { job: Some("stop".into()), ..web() };
    assert_eq!(
        nobody(&[queued, crashed("failed", "failed")]),
        [Running, Stopped],
        "a stop too short to be seen itself"
    );
    let after_crash = crashed("deactivating", "stop-post");
    assert_eq!(nobody(&[web(), after_crash, crashed("failed", "failed")]), [Running, Stopping, Failed]);
    let seen = [web(), stopping, crashed("failed", "failed"), web(), crashed("failed", "failed")];
    assert_eq!(nobody(&seen)[3..], [Running, Failed], "the next death is a new one");
    let restarting = Properties { job: Some("restart".into()), ..at("deactivating", "stop-sigterm") };
    assert_eq!(nobody(&[web(), restarting, crashed("failed", "failed")]), [Running, Stopping, Failed]);
}

#[test]
fn a_stop_of_our_own_is_neither_a_persons_word_nor_a_failure() {
    use Acting::{Nobody, Ours};
    let stopping = Properties { job: Some("stop".into()), ..at("deactivating", "stop-sigterm") };
    let down = at("inactive", "dead");
    let seen = [
        (web(), Ours),
        (stopping, Ours),
        (down.clone(), Ours),
        (down.clone(), Nobody),
        (web(), Nobody),
        (down.clone(), Nobody),
    ];
    assert_eq!(states(&seen), [Running, Stopping, Stopping, NoData, Running, Stopped]);
    assert_eq!(states(&[(web(), Ours), (down.clone(), Ours), (down.clone(), Nobody)]), [Running, Stopping, NoData]);
    let oneshot = |unit| Properties { kind: "oneshot".into(), ..unit };
    let seen = [(oneshot(at("activating", "start")), Ours), (oneshot(down.clone()), Ours), (oneshot(down), Nobody)];
    assert_eq!(states(&seen), [Starting, Done, Done]);
}

#[test]
fn a_crash_loop_that_systemd_gave_up_is_known_though_the_result_is_the_last_deaths() {
    let gave_up = Properties { restarts: 5, ..crashed("failed", "failed") };
    assert_eq!(look(&gave_up).detail, "signal 9", "nothing of the loop was seen");
    let mut before = Before::default();
    let round = |n| Properties { restarts: n, ..crashed("activating", "auto-restart") };
    for n in 0..=5 {
        judge(&round(n), &mut before, Acting::Nobody, Duration::from_secs(1));
    }
    let judged = judge(&gave_up, &mut before, Acting::Nobody, Duration::from_secs(2));
    assert_eq!((judged.state, judged.restarts), (Failed, 5));
    assert!(judged.detail.starts_with("start limit hit (5 starts)"), "{}", judged.detail);
}

#[test]
fn restarts_are_counted_over_ten_minutes_and_a_count_that_began_anew_too() {
    let mut before = Before::default();
    let mut counted = |total, at| {
        let unit = Properties { restarts: total, ..web() };
        judge(&unit, &mut before, Acting::Nobody, Duration::from_secs(at)).restarts
    };
    assert_eq!(counted(40, 0), 0, "what was before the first look is not known when");
    assert_eq!(counted(42, 10), 2);
    assert_eq!(counted(1, 300), 3, "reset, and restarted once since");
    assert_eq!(counted(1, 609), 3);
    assert_eq!(counted(1, 610), 1);
    assert_eq!(counted(1000, 611), 32, "no more than that are remembered");
}

#[test]
fn a_slow_starter_is_waited_for_and_says_how_long() {
    let mut before = Before::default();
    let slow = at("activating", "start");
    let mut detail = |at| judge(&slow, &mut before, Acting::Nobody, Duration::from_secs(at)).detail;
    assert_eq!(detail(100), "it is starting (start), 0 s of at most 90");
    assert_eq!(detail(130), "it is starting (start), 30 s of at most 90");
    let endless = Properties { start_limit: None, ..slow };
    assert_eq!(look(&endless).detail, "it is starting (start), 0 s so far and without a limit");
}

#[test]
fn a_unit_that_ran_was_stopped_though_systemd_has_forgotten_it() {
    let mut before = Before::default();
    let forgotten = Properties { was_started: false, ..at("inactive", "dead") };
    let mut detail = |unit: &Properties| judge(unit, &mut before, Acting::Nobody, Duration::ZERO).detail;
    assert!(detail(&forgotten).starts_with("not started"));
    detail(&web());
    assert!(detail(&forgotten).starts_with("stopped by a person"));
}

#[test]
fn a_stop_too_short_to_be_asked_about_is_heard_of() {
    let changed = |active: &str, job| Heard::Changed { active: Some(active.into()), job };
    let over = |job, result: &str| Heard::Over { job, result: result.into() };
    for (heard, acting, state) in [
        (
            vec![changed("deactivating", Some(12)), changed("failed", Some(0)), over(12, "done")],
            Acting::Nobody,
            Stopped,
        ),
        (
            vec![Heard::Changed { active: None, job: Some(12) }, changed("deactivating", None), over(12, "done")],
            Acting::Nobody,
            Stopped,
        ),
        (vec![changed("deactivating", Some(12)), over(12, "done")], Acting::Ours, Failed),
        (vec![changed("deactivating", Some(12)), over(12, "canceled")], Acting::Nobody, Failed),
        (vec![changed("deactivating", Some(12)), over(11, "done")], Acting::Nobody, Failed),
        (
            vec![changed("deactivating", Some(12)), changed("activating", None), over(12, "done")],
            Acting::Nobody,
            Failed,
        ),
        (vec![changed("deactivating", Some(0)), over(12, "done")], Acting::Nobody, Failed),
    ] {
        let mut before = Before::default();
        judge(&web(), &mut before, acting, Duration::ZERO);
        for one in &heard {
            hear(one, &mut before, acting);
        }
        let judged = judge(&crashed("failed", "failed"), &mut before, acting, Duration::ZERO);
        assert_eq!(judged.state, state, "{heard:?}");
    }
}
