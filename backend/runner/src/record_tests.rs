use super::*;
use crate::output::Sum;
use tempfile::TempDir;

fn order(fence: i64) -> Order {
    Order {
        job: "job".into(),
        fence,
        notes: serde_json::Value::Null,
        boot_id: "boot".into(),
        steps: vec![OrderedStep {
            step: 1,
            argv: vec!["/bin/true".into()],
            script: None,
            limit_secs: 5,
            confined: true,
        }],
        limit_secs: 10,
        env: Vec::new(),
        script_env: Vec::new(),
        confinement: crate::confine::Confinement::default(),
    }
}

fn slot() -> (TempDir, Record) {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), 0, 4096).unwrap();
    let record = Record::open(dir.path(), 0).unwrap();
    (dir, record)
}

fn at(secs: u64, what: What) -> Event {
    Event { at: Duration::from_secs(secs), what }
}

#[test]
fn everything_written_is_read_back() {
    let (dir, record) = slot();
    assert_eq!(record.order().unwrap(), None);
    let locked = record.lock().unwrap();
    locked.write_order(&order(7)).unwrap();
    locked.set_permit_asked(Duration::from_millis(1500)).unwrap();
    locked.set_frozen(true).unwrap();
    let sum = Sum { bytes: 3, digest: [9; 32] };
    let events = [
        at(1, What::Begin { step: 1 }),
        at(2, What::End { step: 1, how: StepEnd::Exited(-3), rest: Rest::More, output: sum }),
        at(3, What::Begin { step: 2 }),
        at(4, What::End { step: 2, how: StepEnd::TimedOut, rest: Rest::Over, output: sum }),
    ];
    for event in events {
        locked.append(7, event).unwrap();
    }
    locked.set_result("{}").unwrap();
    locked.set_acked().unwrap();
    let record = Record::open(dir.path(), 0).unwrap();
    assert_eq!(record.order().unwrap(), Some(order(7)));
    assert_eq!(record.permit_asked().unwrap(), Some(Duration::from_millis(1500)));
    assert!(record.frozen().unwrap() && record.acked().unwrap());
    assert_eq!(record.events(7).unwrap(), events);
    assert_eq!(record.result().unwrap().as_deref(), Some("{}"));
    assert_eq!(record.events(8).unwrap(), [], "events of another fence are not ours");
    locked.write_order(&order(8)).unwrap();
    assert_eq!(record.events(7).unwrap(), []);
    assert!(!record.acked().unwrap() && record.result().unwrap().is_none());
}

#[test]
fn a_torn_last_event_is_dropped_and_a_torn_middle_one_is_damage() {
    let (_dir, record) = slot();
    let locked = record.lock().unwrap();
    locked.write_order(&order(7)).unwrap();
    for step in 1..=3 {
        locked.append(7, at(1, What::Begin { step })).unwrap();
    }
    locked.file.write_all_at(&[0xff], EVENTS.0 + 2 * EVENT_BYTES + 20).unwrap();
    assert_eq!(locked.events(7).unwrap().len(), 2);
    locked.append(7, at(9, What::Aborted(Abort::Frozen))).unwrap();
    assert_eq!(locked.events(7).unwrap().len(), 3);
    locked.file.write_all_at(&[0xff], EVENTS.0 + EVENT_BYTES + 20).unwrap();
    assert!(matches!(locked.events(7), Err(Error::Damaged)));
}

#[test]
fn the_lock_excludes_and_ends_with_its_holder() {
    let (dir, record) = slot();
    let locked = record.try_lock().unwrap().expect("no one holds it");
    assert!(Record::open(dir.path(), 0).unwrap().try_lock().unwrap().is_none());
    drop(locked);
    assert!(Record::open(dir.path(), 0).unwrap().try_lock().unwrap().is_some());
}

#[test]
fn an_order_that_does_not_fit_is_refused() {
    let (_dir, record) = slot();
    let locked = record.lock().unwrap();
    let mut long = order(1);
    long.steps[0].argv.push("x".repeat(30_000));
    assert!(matches!(locked.write_order(&long), Err(Error::TooLong)));
}
