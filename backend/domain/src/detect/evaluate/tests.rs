use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn check(extra: &str) -> Check {
    let text = format!(r#"{{"name":"web","kind":"service","target":"nginx","hold_secs":2{extra}}}"#);
    serde_json::from_str::<Check>(&text).unwrap().complete().unwrap()
}

fn secs(s: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + s).unwrap()
}

fn state(word: &str) -> Seen {
    if word == "no_data" {
        return Seen::NoData { why: "timed out".into() };
    }
    Seen::Data(BTreeMap::from([("state".to_owned(), Value::Text(word.to_owned()))]))
}

struct Watch {
    check: Check,
    state: State,
    booted_at: Option<Timestamp>,
}

impl Watch {
    fn new(extra: &str) -> Watch {
        Watch { check: check(extra), state: State::unseen(secs(0)), booted_at: Some(secs(-10_000)) }
    }

    /// `timer` or a service state.
    fn at(&mut self, s: i64, what: &str) -> Evaluation {
        let seen = state(what);
        let event = if what == "timer" { Event::Timer } else { Event::Observed(&seen) };
        let e = evaluate(&self.check, &self.state, event, secs(s), self.booted_at);
        self.state = e.state.clone();
        e
    }

    fn signal(&mut self, s: i64, what: &str) -> Option<Signal> {
        self.at(s, what).signal.map(|(signal, _)| signal)
    }
}

const RAISED: Option<Signal> = Some(Signal::Raised(Severity::Critical));
const CLEARED: Option<Signal> = Some(Signal::Cleared(Severity::Critical));

#[test]
fn a_death_raises_by_the_timer_when_its_hold_time_is_over() {
    let mut w = Watch::new("");
    w.at(0, "running");
    let e = w.at(5, "failed");
    assert_eq!((e.signal.is_some(), e.changed, e.next_timer), (false, true, Some(secs(7))));
    assert_eq!(w.state.verdict, Verdict::Ok);
    assert_eq!(w.signal(6, "timer"), None);
    assert_eq!(w.signal(7, "timer"), RAISED);
    assert_eq!((w.state.verdict, w.state.pending), (Verdict::Critical, None));
    assert_eq!(w.signal(8, "failed"), None, "once");
    assert_eq!(w.signal(9, "running"), CLEARED);
}

#[test]
fn a_service_that_comes_back_within_its_hold_time_raises_nothing() {
    let mut w = Watch::new("");
    w.at(0, "running");
    w.at(5, "failed");
    let e = w.at(6, "running");
    assert!(e.changed && e.signal.is_none());
    assert_eq!(w.signal(7, "timer"), None);
    assert_eq!(w.signal(8, "failed"), None);
    assert_eq!(w.signal(9, "timer"), None, "the hold time began anew");
}

#[test]
fn no_data_neither_raises_nor_clears_and_breaks_a_hold_time() {
    let mut w = Watch::new("");
    w.at(0, "failed");
    assert_eq!(w.signal(1, "no_data"), None);
    assert_eq!(w.signal(9, "timer"), None);
    w.at(10, "failed");
    assert_eq!(w.signal(12, "failed"), RAISED);
    assert_eq!(w.signal(13, "no_data"), None);
    assert!(w.state.raised);
    assert_eq!(w.signal(14, "failed"), None);
    assert_eq!(w.signal(20, "failed"), None, "it was raised all the time");
    assert_eq!(w.signal(21, "running"), CLEARED);
}

#[test]
fn a_service_that_a_person_stopped_is_excused() {
    let mut w = Watch::new("");
    w.at(0, "running");
    let e = w.at(1, "stopped");
    assert_eq!((e.look, e.signal.is_some()), (Verdict::Ok, false));
    assert_eq!(w.state.excused.as_deref(), Some("stopped on purpose, no failure"));
    w.at(2, "failed");
    assert_eq!(w.signal(4, "timer"), RAISED);
    assert_eq!(w.signal(5, "stopped"), CLEARED);
}

#[test]
fn within_the_grace_after_a_boot_nothing_fails_and_then_the_hold_time_begins() {
    let mut w = Watch::new(r#","grace_after_boot_secs":60"#);
    w.booted_at = Some(secs(0));
    let e = w.at(10, "failed");
    assert_eq!((e.signal.is_some(), e.next_timer), (false, Some(secs(60))));
    assert!(w.state.excused.as_ref().unwrap().contains("1970-01-12T13:47:40Z"), "{:?}", w.state.excused);
    let e = w.at(60, "timer");
    assert_eq!((e.signal.is_some(), e.next_timer), (false, Some(secs(62))));
    assert_eq!(w.signal(62, "timer"), RAISED);
}

#[test]
fn it_takes_as_many_failures_as_the_check_says() {
    let mut w = Watch::new(r#","failures":3"#);
    for s in [0, 10] {
        assert_eq!(w.signal(s, "failed"), None);
        assert_eq!(w.signal(s + 5, "timer"), None);
    }
    assert_eq!(w.signal(20, "failed"), RAISED);
}

#[test]
fn a_raised_target_recovers_only_where_ok_when_holds() {
    let extra = r#","critical_when":["load > 9"],"warning_when":["load > 5"],"ok_when":["load < 3"],"hold_secs":0"#;
    let text = format!(r#"{{"name":"l","kind":"service","target":"x"{extra}}}"#);
    let check = serde_json::from_str::<Check>(&text).unwrap().complete().unwrap();
    let mut s = State::unseen(secs(0));
    let mut look = |load: f64, at| {
        let seen = Seen::Data(BTreeMap::from([("load".to_owned(), Value::Number(load))]));
        let e = evaluate(&check, &s, Event::Observed(&seen), secs(at), None);
        s = e.state.clone();
        (e.signal.map(|(signal, _)| signal), s.verdict)
    };
    assert_eq!(look(4.0, 0), (None, Verdict::Ok));
    assert_eq!(look(6.0, 1), (Some(Signal::Raised(Severity::Warning)), Verdict::Warning));
    assert_eq!(look(10.0, 2), (RAISED, Verdict::Critical));
    assert_eq!(look(6.0, 3), (None, Verdict::Critical));
    assert_eq!(look(4.0, 4), (None, Verdict::Critical));
    assert_eq!(look(2.0, 5), (CLEARED, Verdict::Ok));
}

#[test]
fn the_record_of_a_signal_keeps_its_form() {
    let mut w = Watch::new("");
    w.booted_at = None;
    w.at(0, "running");
    w.at(5, "failed");
    let (_, record) = w.at(7, "timer").signal.unwrap();
    let text = serde_json::to_string_pretty(&record).unwrap() + "\n";
    assert_eq!(text, include_str!("../../../tests/records/detect_raised.json"), "{text}");
    assert_eq!(serde_json::from_str::<DetectRecord>(&text).unwrap(), record);
}

proptest! {
    #[test]
    fn nothing_raises_before_its_hold_time_and_failures_or_out_of_no_data(
        hold in 0u32..6, failures in 1u32..4,
        steps in prop::collection::vec((0i64..4, prop::sample::select(vec!["running", "failed", "stopped", "no_data", "timer"])), 1..60),
    ) {
        let mut w = Watch::new(&format!(r#","failures":{failures}"#));
        w.check.hold_secs = hold;
        let (mut now, mut bad_since, mut count, mut raised) = (0, None, 0, false);
        for (wait, what) in steps {
            now += wait;
            match what {
                "failed" => { bad_since = bad_since.or(Some(now)); count += 1; }
                "timer" => {}
                _ => { bad_since = None; count = 0; }
            }
            let before = w.state.clone();
            let e = w.at(now, what);
            match e.signal {
                Some((Signal::Raised(_), _)) => {
                    prop_assert!(!raised);
                    prop_assert!(now - bad_since.unwrap() >= i64::from(hold) && count >= failures);
                    raised = true;
                }
                Some((Signal::Cleared(_), _)) => {
                    prop_assert!(raised && (what == "running" || what == "stopped"));
                    raised = false;
                }
                None => {}
            }
            prop_assert_eq!(e.state.raised, raised);
            prop_assert!(e.state.pending.is_none() || !raised || before.verdict == Verdict::NoData || e.state.verdict == Verdict::NoData);
            if !e.changed { prop_assert_eq!((e.state.verdict, e.state.pending, e.state.raised), (before.verdict, before.pending, before.raised)); }
            if let Some(at) = e.next_timer { prop_assert!(at > secs(now)); }
        }
    }
}
