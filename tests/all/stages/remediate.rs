//! Stage remediate, one run at a time.

use domain::detect::reading::Verdict;
use engine::remediate::Remediate;
use store::remediate::hands_off;
use wire::v1::Ended;

use super::world::{Host, Setup, World};

/// Room for both hosts of the client.
const WIDE: &str = "  client: {runs_per_window: 9, window_secs: 600, in_flight: 9}\n";

async fn hands_off(w: &World, host: Host) {
    let mut tx = w.tx().await;
    hands_off::insert(&mut tx, host.whose(), 1, "a disk is replaced", "Owner").await.unwrap();
    tx.commit().await.unwrap();
}

async fn release(w: &World, host: Host) {
    let mut tx = w.tx().await;
    hands_off::release(&mut tx, host.whose(), "Owner").await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_run_is_admitted_in_every_bucket_with_every_number_on_record() {
    let mut w = World::new(Setup::default()).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
    let record = w.record("remediate").await;
    assert_eq!(record["answer"], "run");
    let limits: Vec<String> =
        record["limits"].as_array().unwrap().iter().map(|l| format!("{}/{}", l["limit"], l["scope"])).collect();
    let taken = w.list("SELECT scope_kind FROM guardrail_admissions ORDER BY scope_kind").await;
    assert_eq!(taken, ["client", "host", "host_playbook", "host_playbook_day", "tenant"]);
    for bucket in taken {
        assert!(limits.contains(&format!("\"window\"/\"{bucket}\"")), "{bucket} in {limits:?}");
    }
    for brake in [
        "\"platform\"/\"tenant\"",
        "\"quarantine\"/\"host\"",
        "\"hands_off\"/\"host\"",
        "\"host_lock\"/\"host\"",
        "\"in_flight\"/\"host\"",
    ] {
        assert!(limits.contains(&brake.to_owned()), "{brake} in {limits:?}");
    }
    assert_eq!(w.list("SELECT state FROM jobs").await, ["queued"]);
}

#[tokio::test]
async fn a_second_press_within_the_shipped_cooldown_is_held_with_the_time_left() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    w.plays_out(host, &key, Verdict::Ok).await;
    assert_eq!(w.runs().await, ["fixed"]);
    w.pass(31); // past the watch for a relapse

    w.recovers(host).await;
    w.settle().await;
    w.breaks(host).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["fixed", "held"]);
    let reason = w.one::<String>("SELECT hold_reason FROM runs WHERE state = 'held'").await;
    let (minutes, seconds) = reason
        .strip_prefix("held by cooldown, ")
        .and_then(|r| r.strip_suffix(" left"))
        .unwrap_or_else(|| panic!("{reason}"))
        .split_once(':')
        .unwrap();
    let left: u64 = minutes.parse::<u64>().unwrap() * 60 + seconds.parse::<u64>().unwrap();
    assert!(seconds.len() == 2 && (500..=600).contains(&left), "{reason}");
    assert_eq!(
        w.list("SELECT state FROM incidents ORDER BY opened_at").await,
        ["closed", "open"],
        "nobody is called for a cooldown"
    );

    w.pass(600);
    w.settle().await;
    assert_eq!(w.runs().await, ["fixed", "admitted"], "the cooldown over, it runs");
}

#[tokio::test]
async fn hands_off_holds_calls_a_person_and_the_release_lets_it_run() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    hands_off(&w, host).await;
    w.breaks(host).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["held"]);
    assert_eq!(w.one::<String>("SELECT hold_reason FROM runs").await, "hands off by Owner: a disk is replaced");
    assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions").await, 0, "a held run takes no slot");
    release(&w, host).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
}

#[tokio::test]
async fn hands_off_ends_by_itself() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    hands_off(&w, host).await;
    w.breaks(host).await;
    w.settle().await;
    w.pass(3_601);
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
}

#[tokio::test]
async fn hands_off_takes_back_a_job_without_a_permit_and_its_slots_but_not_one_that_runs() {
    let mut w = World::new(Setup { hosts: 2, limits: WIDE, ..Setup::default() }).await;
    let (waits, runs) = (w.hosts[0], w.hosts[1]);
    w.breaks(runs).await;
    w.settle().await;
    w.permit(runs).await;
    w.breaks(waits).await;
    w.settle().await;
    hands_off(&w, waits).await;
    hands_off(&w, runs).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["running", "held"]);
    let free = format!(
        "SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL AND run_id = (SELECT run_id FROM runs WHERE host_id = '{}')",
        waits.host_id
    );
    assert_eq!(w.one::<i64>(&free).await, 0);
    release(&w, waits).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["running", "admitted"]);
    assert_eq!(
        w.list("SELECT attempt::text FROM jobs ORDER BY attempt").await.last().unwrap(),
        "2",
        "a new attempt, a new job"
    );
}

#[tokio::test]
async fn a_job_that_its_host_never_asks_for_expires_gives_its_slots_back_and_calls_a_person() {
    let mut w = World::new(Setup::default()).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    w.pass(16 * 60);
    w.settle().await;
    assert_eq!(w.runs().await, ["expired"]);
    assert_eq!(w.list("SELECT state FROM jobs").await, ["withdrawn"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 0);
    assert_eq!(w.list("SELECT outcome FROM remediations").await, ["expired"]);
    let reason = w.one::<String>("SELECT escalation_reason FROM incidents").await;
    assert_eq!(reason, "The host has not asked for its fix in 15 min; nothing ran. Is it online?");
}

#[tokio::test]
async fn a_job_that_expires_after_its_check_is_ok_again_calls_nobody() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    w.recovers(host).await;
    w.settle().await;
    w.pass(16 * 60);
    w.settle().await;
    assert_eq!(w.runs().await, ["expired"]);
    assert_eq!(w.list("SELECT outcome FROM incidents").await, ["recovered"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM outbox").await, 0);
}

#[tokio::test]
async fn an_overdue_permit_is_in_doubt_keeps_its_slots_and_never_runs_again() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    w.pass(3_600);
    w.settle().await;
    assert_eq!(w.runs().await, ["unknown"]);
    assert_eq!(w.list("SELECT state FROM jobs").await, ["unknown"]);
    assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 5);
    for _ in 0..5 {
        w.pass(3_600);
        w.settle().await;
    }
    assert_eq!(w.list("SELECT attempt::text FROM jobs").await, ["1"]);
    // Hours later the host comes back with its result.
    w.plays_out(host, &key, Verdict::Ok).await;
    assert_eq!(w.runs().await, ["fixed"]);
    assert_eq!(w.list("SELECT outcome FROM incidents").await, ["fixed"]);
}

#[tokio::test]
async fn what_was_not_run_is_tried_again_as_a_new_attempt_and_the_third_time_calls_a_person() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    for attempt in 1..=3 {
        w.settle().await;
        let key = w.permit(host).await;
        assert_eq!(key.attempt, attempt);
        w.ends(&key, Ended::NotRun { why: "the permit came too late".into() }).await;
    }
    w.settle().await;
    assert_eq!(w.runs().await, ["not_run"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 0);
    assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
}

#[tokio::test]
async fn a_mapping_that_watches_runs_nothing_and_one_that_asks_waits() {
    for (mode, state) in [("observe", "observed"), ("approve", "awaiting_approval")] {
        let mut w = World::new(Setup { mode: Some(mode), ..Setup::default() }).await;
        w.breaks(w.hosts[0]).await;
        w.settle().await;
        assert_eq!(w.runs().await, [state]);
        assert_eq!(w.one::<i64>("SELECT count(*) FROM jobs").await, 0);
        assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions").await, 0);
        assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
        assert!(
            !w.record("remediate").await["limits"].as_array().unwrap().is_empty(),
            "the limits are evaluated all the same"
        );
    }
}

#[tokio::test]
async fn a_clock_that_fell_behind_an_admission_holds() {
    let mut w = World::new(Setup { hosts: 2, ..Setup::default() }).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    w.breaks(w.hosts[1]).await;
    w.work(&engine::classify::Classify).await;
    w.change("UPDATE guardrail_buckets SET clock_high = now() + interval '1 hour' WHERE scope_kind = 'tenant'").await;
    w.work(&Remediate::default()).await;
    assert_eq!(w.runs().await, ["admitted", "held"]);
    let reason = w.one::<String>("SELECT hold_reason FROM runs WHERE state = 'held'").await;
    assert!(reason.starts_with("held: the clock went backwards"), "{reason}");
}
