//! The checker itself: records of a fix without a fault pass, and each that is tampered with is found.

use super::*;
use crate::faults::harness::Known;

const PROMISE: Promise = Promise { effects: 1, end: End::Fixed, attempts: 1..=1, doubt: Doubt::No, deliveries: 1..=1 };

async fn healed() -> Bench {
    let bench = Bench::up(Known::Fix, vec![], vec![]).await;
    bench.victim.break_it();
    bench
        .until("all is as promised", async || read(&bench).await.is_ok_and(|r| compare(&r, &PROMISE).is_empty()))
        .await;
    bench
}

#[tokio::test]
async fn records_that_were_tampered_with_are_found() {
    let bench = healed().await;
    type Tampered = (&'static str, fn(&mut Records), fn(&Finding) -> bool);
    let all: [Tampered; 10] = [
        ("a second effect", |r| r.ledger.push(r.ledger[0].clone()), |f| matches!(f, Finding::Doubled(_))),
        ("no effect", |r| r.ledger.clear(), |f| matches!(f, Finding::Lost(_))),
        ("no run", |r| r.runs.clear(), |f| matches!(f, Finding::Lost(_))),
        ("an effect of another attempt", |r| r.ledger[0].attempt = 2, |f| matches!(f, Finding::Wrong(_))),
        ("a run nobody hears of", silent, |f| matches!(f, Finding::Silent(_))),
        ("a gap in its events", |r| drop(r.events.remove(1)), |f| matches!(f, Finding::Wrong(_))),
        ("a result that is not there", |r| r.jobs[0].results = 0, |f| matches!(f, Finding::Lost(_))),
        ("a mail that never came", |r| r.mailbox.clear(), |f| matches!(f, Finding::Silent(_))),
        ("a slot that is kept", |r| r.held.push(1), |f| matches!(f, Finding::Wrong(_))),
        ("a second start in the journal", started_twice, |f| matches!(f, Finding::Wrong(_))),
    ];
    for (what, tamper, is_it) in all {
        let mut records = read(&bench).await.expect("the records");
        tamper(&mut records);
        let findings = compare(&records, &PROMISE);
        assert!(findings.iter().any(is_it), "{what}: {findings:?}");
    }
}

fn silent(records: &mut Records) {
    records.runs[0].state = "running".into();
    records.incidents[0] = ("open".into(), None);
}

fn started_twice(records: &mut Records) {
    let started = records.journal.iter().find(|entry| matches!(entry, Entry::Started { .. })).cloned();
    records.journal.extend(started);
}
