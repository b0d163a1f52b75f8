//! Bounds on damage: unproven, bad, waves and breakers, on the rows that real verdicts leave.

use domain::detect::reading::Verdict;
use server::breakers::close_in;

use super::world::{Setup, World};

const ROOM: &str = "  client: {runs_per_window: 100, window_secs: 600}\n  host: {runs_per_hour: 100}\n  \
                    host_playbook: {cooldown_secs: 1, per_day: 100}\n";
const HOLD: &str = "SELECT hold_reason FROM runs WHERE state = 'held' ORDER BY planned_at DESC LIMIT 1";

async fn world(hosts: usize, bounded: bool) -> World {
    World::new(Setup { hosts, bounded, limits: ROOM, ..Setup::default() }).await
}

/// One fix on host `n`, from its alert to its verdict.
async fn fix(w: &mut World, n: usize, verdict: Verdict) {
    let host = w.hosts[n];
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    w.plays_out(host, &key, verdict).await;
    if verdict != Verdict::Ok {
        w.recovers(host).await;
        w.settle().await;
    }
    w.pass(31); // past the watch for a relapse
}

async fn breakers(w: &mut World) -> Vec<String> {
    w.list("SELECT scope_kind || ' ' || state FROM breakers ORDER BY scope_kind").await
}

#[tokio::test]
async fn a_version_is_tried_on_one_host_and_the_others_wait_until_it_is_verified() {
    let mut w = world(2, true).await;
    let (first, second) = (w.hosts[0], w.hosts[1]);
    w.breaks(first).await;
    w.settle().await;
    w.breaks(second).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted", "held"]);
    let key = w.permit(first).await;
    w.plays_out(first, &key, Verdict::Ok).await;
    assert_eq!(w.runs().await, ["fixed", "admitted"], "what waited is decided anew at once");
    let record = w.record("remediate").await;
    let rows = record["limits"].as_array().unwrap();
    let wave = rows.iter().find(|row| row["limit"] == "wave").unwrap();
    assert_eq!((&wave["used"], &wave["max"]), (&0.into(), &1.into()));
}

#[tokio::test]
async fn one_bad_remediation_stops_a_small_client_for_a_day_and_calls_a_person() {
    let mut w = world(2, true).await;
    fix(&mut w, 0, Verdict::Ok).await;
    fix(&mut w, 0, Verdict::Critical).await;
    let other = w.hosts[1];
    w.breaks(other).await;
    w.settle().await;
    let why = w.one::<String>(HOLD).await;
    assert!(why.starts_with("held: 1 fixes went badly at this client in a day (limit 1), 14"), "{why}");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM incidents WHERE state = 'escalated'").await, 1);
    w.pass(24 * 3600);
    w.settle().await;
    assert_eq!(w.runs().await.last().unwrap(), "admitted", "it ends by itself");
}

#[tokio::test]
async fn a_first_bad_run_opens_the_breaker_and_a_canary_an_hour_later_closes_it() {
    let mut w = world(2, false).await;
    fix(&mut w, 0, Verdict::Critical).await;
    assert_eq!(breakers(&mut w).await, ["client_playbook_version open"]);
    let other = w.hosts[1];
    w.breaks(other).await;
    w.settle().await;
    let why = w.one::<String>(HOLD).await;
    assert!(why.starts_with("held by breaker: this fix at this client went badly, 5"), "{why}");
    w.pass(3600);
    w.settle().await;
    assert_eq!(w.runs().await.last().unwrap(), "admitted");
    assert_eq!(breakers(&mut w).await, ["client_playbook_version half_open"]);
    let key = w.permit(other).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    assert_eq!(w.runs().await.last().unwrap(), "held", "one canary, not two");
    w.plays_out(other, &key, Verdict::Ok).await;
    assert_eq!(breakers(&mut w).await, ["client_playbook_version closed"]);
    assert_eq!(w.runs().await.last().unwrap(), "admitted", "and what it held goes on");
}

#[tokio::test]
async fn after_two_bad_canaries_only_a_person_closes_it() {
    let mut w = world(3, false).await;
    fix(&mut w, 0, Verdict::Critical).await;
    for n in [1, 2] {
        w.pass(3600);
        fix(&mut w, n, Verdict::Critical).await;
    }
    w.pass(3 * 3600);
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    let why = w.one::<String>(HOLD).await;
    assert_eq!(why, "held by breaker: this fix at this client went badly again and again; a person must look");

    let key: String = w.one("SELECT scope_kind || ':' || scope_key FROM breakers WHERE state = 'open'").await;
    let owner = w.db.owner_url();
    assert!(close_in(&w.store, &owner, "host:nobody", "looked at it").await.is_err(), "there is none of that name");
    assert!(close_in(&w.store, &owner, &key, " ").await.is_err(), "somebody has to say what they found");
    close_in(&w.store, &owner, &key, "the new settings were wrong").await.unwrap();
    w.settle().await;
    assert_eq!(w.runs().await.last().unwrap(), "admitted");
    let said = "SELECT detail->>'reason' FROM tenant_audit WHERE action = 'breaker.closed_by_person'";
    assert_eq!(w.list(said).await, ["the new settings were wrong"]);
}

#[tokio::test]
async fn a_breaker_that_opens_takes_back_the_jobs_of_its_version_without_a_permit() {
    let mut w = world(2, false).await;
    let (first, second) = (w.hosts[0], w.hosts[1]);
    w.breaks(first).await;
    w.breaks(second).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted", "admitted"]);
    let key = w.permit(first).await;
    w.plays_out(first, &key, Verdict::Critical).await;
    let mut states = w.runs().await;
    states.sort();
    assert_eq!(states, ["held", "not_fixed"]);
    assert_eq!(w.list("SELECT state FROM jobs ORDER BY state").await, ["finished", "withdrawn"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 0);
}

#[tokio::test]
async fn a_host_on_which_two_of_the_last_remediations_went_badly_is_left_alone() {
    let mut w = world(1, false).await;
    for verdict in [Verdict::Ok, Verdict::Critical, Verdict::Ok, Verdict::Critical] {
        fix(&mut w, 0, verdict).await;
    }
    assert_eq!(breakers(&mut w).await, ["client_playbook_version open", "host open"]);
}
