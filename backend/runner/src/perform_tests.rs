use super::*;
use crate::record::prepare;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const BOUNDS: Bounds = Bounds { permit_use: Duration::from_secs(15), output_bytes: 1024 };

fn slot(scripts: &[&str]) -> TempDir {
    slot_with(scripts, 60, None)
}

/// The steps take `limit_secs` at most, and are confined if there is anything to confine them to.
fn slot_with(scripts: &[&str], limit_secs: u64, confinement: Option<confine::Confinement>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), 0, 1024).unwrap();
    let step = |(i, script): (usize, &&str)| OrderedStep {
        step: u16::try_from(i + 1).unwrap(),
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        script: None,
        limit_secs,
        confined: confinement.is_some(),
    };
    let order = Order {
        job: "job".into(),
        fence: 5,
        notes: serde_json::Value::Null,
        boot_id: boot_id().unwrap(),
        steps: scripts.iter().enumerate().map(step).collect(),
        limit_secs: 120,
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        script_env: Vec::new(),
        confinement: confinement.clone().unwrap_or_default(),
    };
    let record = Record::open(dir.path(), 0).unwrap().lock().unwrap();
    record.write_order(&order).unwrap();
    record.set_permit_asked(Clock::system().now()).unwrap();
    dir
}

fn events(dir: &TempDir) -> Vec<What> {
    Record::open(dir.path(), 0).unwrap().events(5).unwrap().into_iter().map(|e| e.what).collect()
}

#[test]
fn steps_run_in_order_and_a_failure_ends_the_run() {
    let dir = slot(&["echo $MENDWRIGHT_STEP", "echo two; exit 4", "echo three"]);
    assert_eq!(perform(dir.path(), 0, 5, BOUNDS, &Clock::system()).unwrap(), Performed::Run);
    let events = events(&dir);
    assert_eq!(events.len(), 4);
    assert_eq!(events[2], What::Begin { step: 2 });
    let What::End { step: 2, how: StepEnd::Exited(4), rest: Rest::Over, output } = events[3] else {
        panic!("{:?}", events[3])
    };
    assert_eq!(output.bytes, 6);
    assert_eq!(std::fs::read(output_path(dir.path(), 0)).unwrap()[..6], *b"1\ntwo\n");
}

#[test]
fn output_above_the_cap_is_counted_and_hashed_but_not_kept() {
    let dir = slot(&["head -c 100000 /dev/zero"]);
    perform(dir.path(), 0, 5, BOUNDS, &Clock::system()).unwrap();
    let Some(What::End { output, .. }) = events(&dir).pop() else { panic!() };
    assert_eq!(output.bytes, 100_000);
    assert_eq!(output.digest, <[u8; 32]>::from(Sha256::digest(vec![0; 100_000])));
    assert_eq!(std::fs::metadata(output_path(dir.path(), 0)).unwrap().len(), 1024);
}

#[test]
fn an_aborted_run_does_not_begin() {
    let dir = slot(&["echo no"]);
    let record = Record::open(dir.path(), 0).unwrap().lock().unwrap();
    let what = What::Aborted(Abort::ByAgent);
    record.append(5, Event { at: Duration::ZERO, what }).unwrap();
    drop(record);
    assert_eq!(perform(dir.path(), 0, 5, BOUNDS, &Clock::system()).unwrap(), Performed::Aborted);
    assert_eq!(events(&dir), [what]);
}

#[test]
fn a_permit_that_is_too_old_aborts_the_run_for_ever() {
    let dir = slot(&["echo no"]);
    let late = Clock::system().moved(Duration::from_secs(15));
    assert_eq!(perform(dir.path(), 0, 5, BOUNDS, &late).unwrap(), Performed::Aborted);
    assert_eq!(perform(dir.path(), 0, 5, BOUNDS, &Clock::system()).unwrap(), Performed::Aborted);
    assert_eq!(events(&dir), [What::Aborted(Abort::PermitTooOld)]);
}

#[test]
fn a_frozen_run_does_not_begin_and_another_fence_is_not_touched() {
    let dir = slot(&["echo no"]);
    assert_eq!(perform(dir.path(), 0, 4, BOUNDS, &Clock::system()).unwrap(), Performed::NotOurs);
    assert_eq!(events(&dir), []);
    Record::open(dir.path(), 0).unwrap().set_frozen(true).unwrap();
    assert_eq!(perform(dir.path(), 0, 5, BOUNDS, &Clock::system()).unwrap(), Performed::Aborted);
    assert_eq!(events(&dir), [What::Aborted(Abort::Frozen)]);
}

#[test]
fn a_run_is_performed_once_however_many_runners_come() {
    let dir = slot(&["echo once"]);
    let performed: Vec<_> = std::thread::scope(|scope| {
        let runner = || perform(dir.path(), 0, 5, BOUNDS, &Clock::system()).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(runner)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(performed.iter().filter(|p| **p == Performed::Run).count(), 1, "{performed:?}");
    assert_eq!(events(&dir).len(), 2);
}

#[test]
fn whichever_of_agent_and_runner_comes_second_obeys_the_first() {
    for _ in 0..20 {
        let dir = slot(&["echo x"]);
        let (aborted, performed) = std::thread::scope(|scope| {
            let agent = scope.spawn(|| {
                let Some(record) = Record::open(dir.path(), 0).unwrap().try_lock().unwrap() else { return false };
                let fresh = record.events(5).unwrap().is_empty();
                if fresh {
                    let what = What::Aborted(Abort::ByAgent);
                    record.append(5, Event { at: Duration::ZERO, what }).unwrap();
                }
                fresh
            });
            let runner = perform(dir.path(), 0, 5, BOUNDS, &Clock::system()).unwrap();
            (agent.join().unwrap(), runner)
        });
        assert_eq!(aborted, performed == Performed::Aborted);
        assert_eq!(events(&dir).len(), if aborted { 1 } else { 2 });
    }
}
