//! The stored decision records: written as their golden files say, and read from every form they ever had.
//!
//! A file in `records/` is never changed once it was delivered: rows of that form exist. A record that grows gets a new
//! file beside the old one, and a default for what the old one lacks.

use std::collections::BTreeMap;
use std::path::Path;

use domain::classify::record::Answer as Classified;
use domain::classify::{AlertFacts, ClassifyRecord, MappingVersion, Mode, classify};
use domain::detect::DetectRecord;
use domain::detect::Verdict;
use domain::remediate::damage;
use domain::remediate::decide::{Decided, Facts, Stop, StopKind, decide};
use domain::remediate::fair;
use domain::remediate::guardrails::{BucketFacts, BucketKind, Numbers, Size, limits};
use domain::remediate::storm;
use domain::seconds::Seconds;
use domain::verify::judge::{Look, Neighbour, Outcome, VerifyRecord};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records")
}

/// Holds what is written today against its golden file, and reads it back without loss.
fn golden<T: Serialize + DeserializeOwned>(name: &str, record: &T) {
    let written = serde_json::to_string_pretty(record).unwrap() + "\n";
    let file = std::fs::read_to_string(folder().join(name)).unwrap_or_default();
    assert_eq!(written, file, "{name}:\n{written}");
    let read: T = serde_json::from_str(&file).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), serde_json::from_str::<Value>(&file).unwrap(), "{name}");
}

fn read<T: DeserializeOwned>(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<T>(text).map(|_| ())
}

#[test]
fn every_record_that_was_ever_stored_can_be_read() {
    let mut stages = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let (name, text) =
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
        let stage = name.split('_').next().unwrap().to_owned();
        let result = match stage.as_str() {
            "detect" => read::<DetectRecord>(&text),
            "classify" => read::<ClassifyRecord>(&text),
            "remediate" => read::<Decided>(&text),
            "verify" => read::<VerifyRecord>(&text),
            _ => panic!("{name} is of no stage"),
        };
        result.unwrap_or_else(|e| panic!("{name}: {e}"));
        *stages.entry(stage).or_insert(0) += 1;
    }
    assert_eq!(stages.into_keys().collect::<Vec<_>>(), ["classify", "detect", "remediate", "verify"]);
}

fn alert() -> AlertFacts {
    AlertFacts {
        check: "shop service".into(),
        kind: "service".into(),
        target: "shop-web".into(),
        client: "Alder".into(),
        host: "web-01".into(),
        tags: [("role".to_owned(), "web".to_owned())].into(),
        severity: "critical".into(),
    }
}

fn mapping(n: u128, name: &str, when: Value) -> MappingVersion {
    let definition = json!({"name": name, "when": when, "ladder": [{"playbook": "restart-service",
        "parameters": {"service": "{target}"}}], "verify": {"settle_secs": 5, "stable_secs": 30}});
    let definition = serde_json::from_value(definition).unwrap();
    MappingVersion { mapping_id: Uuid::from_u128(n), version: 3, mode: Mode::Auto, definition }
}

fn classified(mappings: &[MappingVersion]) -> ClassifyRecord {
    ClassifyRecord::of(Uuid::from_u128(9), 4, &alert(), &classify(&alert(), mappings))
}

#[test]
fn the_records_of_stage_classify_are_as_their_golden_files_say() {
    let web = mapping(1, "restart web services", json!({"kind": "service", "tags": {"role": "web"}}));
    let any = mapping(2, "restart services", json!({"kind": "service"}));
    let other = mapping(3, "restart at Birch", json!({"kind": "service", "client": "Birch", "tags": {"tier": "1"}}));
    golden("classify_mapped.json", &classified(&[web, any, other.clone()]));
    golden("classify_unmapped.json", &classified(&[other]));
    let brief = ClassifyRecord::brief(Uuid::from_u128(9), 5, Classified::Recovered, "It is well again.");
    golden("classify_recovered.json", &brief);
}

fn facts() -> Facts {
    let bucket = |kind| BucketFacts {
        kind,
        key: format!("key of {kind:?}"),
        frozen: false,
        clock_high: at(0),
        limits: limits(kind, Numbers::default(), Size { hosts: 5, first_week: false }),
        occupied: vec![],
        flights: vec![],
        own_flight: false,
    };
    Facts {
        now: at(1_700_000_000),
        mode: Mode::Auto,
        platform_frozen: false,
        platform_storm: None,
        clock_jump: None,
        escalate_only: false,
        needs_person: false,
        approved_by: None,
        quarantined: None,
        host_busy: false,
        weight: 1,
        share: Some(fair::Facts { others: 2, holds: 1, waiting: 0 }),
        damage: Some((damage::Facts::default(), Size { hosts: 5, first_week: false })),
        storm: Some((storm::Facts::default(), Size { hosts: 5, first_week: false })),
        breakers: Vec::new(),
        stops: vec![],
        buckets: BucketKind::OF_EVERY_RUN.into_iter().map(bucket).collect(),
    }
}

#[test]
fn the_records_of_stage_remediate_are_as_their_golden_files_say() {
    let run = facts();
    let mut held = facts();
    let (reason, by) = ("moving the rack".to_owned(), "a technician".to_owned());
    held.stops.push(Stop {
        kind: StopKind::HandsOff,
        scope: BucketKind::Client,
        reason,
        by,
        ends_at: at(1_700_003_600),
    });
    held.buckets[3].occupied = vec![(at(1_700_000_552), 1)];
    held.buckets[0].clock_high = at(1_700_000_005);
    held.buckets[1].frozen = true;
    held.quarantined = Some("the machine's id changed".into());
    held.host_busy = true;
    let observe = Facts { mode: Mode::Observe, platform_frozen: true, ..facts() };
    let approve = Facts { mode: Mode::Approve, ..facts() };
    let refuse = Facts { escalate_only: true, ..facts() };
    for (facts, word) in
        [(run, "run"), (held, "hold"), (observe, "would_run"), (approve, "needs_approval"), (refuse, "refuse")]
    {
        let decided = decide(&facts);
        assert_eq!(decided.answer.word(), word);
        assert_eq!(serde_json::to_value(&decided).unwrap()["answer"], word, "the row's word is the record's");
        // The third form: with storms.
        golden(&format!("remediate_{word}_3.json"), &decided);
    }
}

#[test]
fn the_records_of_stage_verify_are_as_their_golden_files_say() {
    let looks = vec![
        (at(1_700_000_010), Look::Ok, Some(json!({"data": {"state": "running", "pid": 812}}))),
        (at(1_700_000_040), Look::Bad, Some(json!({"data": {"state": "failed"}}))),
        (at(1_700_000_050), Look::NoData, Some(json!({"no_data": {"why": "timed out after 2 s"}}))),
        (at(1_700_000_060), Look::Unanswered, None),
    ];
    let record = VerifyRecord {
        at: at(1_700_000_060),
        check: "shop service".into(),
        target: "shop-web".into(),
        before: Some(json!({"data": {"state": "failed"}})),
        looks,
        neighbours: Vec::new(),
        settle_secs: Seconds::whole(5),
        stable_secs: Seconds::whole(30),
        outcome: Outcome::CannotTell,
    };
    golden("verify_cannot_tell.json", &record);
    let fixed = VerifyRecord {
        before: None,
        looks: vec![(at(1_700_000_040), Look::Ok, None)],
        outcome: Outcome::Fixed,
        ..record
    };
    golden("verify_fixed.json", &fixed);
    let not_fixed = VerifyRecord { outcome: Outcome::NotFixed, ..fixed };
    golden("verify_not_fixed.json", &not_fixed);
    let neighbour = |target: &str, after| Neighbour {
        check: "service runs".into(),
        target: target.into(),
        after,
        seen: after.map(|_| json!({"data": {"state": "failed"}})),
    };
    let neighbours = vec![neighbour("till", Some(Verdict::Critical)), neighbour("mail", None)];
    golden("verify_made_worse.json", &VerifyRecord { neighbours, outcome: Outcome::MadeWorse, ..not_fixed });
}
