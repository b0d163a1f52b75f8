//! The ladder: one rung after the other, each with its own admission and its own yes; and what ends it.

use domain::detect::reading::Verdict;
use jiff::SignedDuration;
use wire::v1::Ended;

use super::approval::{plan, says};
use super::world::{Setup, World};

const ADMITTED: &str = "SELECT count(DISTINCT run_id) FROM guardrail_admissions WHERE scope_kind = 'host'";

/// More than the first week's two runs a host and one a client.
const ROOM: &str = "  client: {runs_per_window: 10, window_secs: 600}\n  host: {runs_per_hour: 10}\n";

/// The owner's yes to the run that waits for one.
async fn yes(w: &mut World) {
    let run = w.one("SELECT run_id FROM runs WHERE state = 'awaiting_approval'").await;
    let digest = plan(w, run).await.digest;
    assert!(says(w, run, digest, true).await);
    w.settle().await;
}

async fn two_rungs(setup: Setup) -> World {
    let mut w = World::new(Setup { rungs: 2, limits: ROOM, ..setup }).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    w
}

#[tokio::test]
async fn a_rung_that_did_not_fix_it_is_followed_by_the_next_with_an_admission_of_its_own() {
    let mut w = two_rungs(Setup::default()).await;
    let host = w.hosts[0];
    let first = w.permit(host).await;
    w.plays_out(host, &first, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["not_fixed", "admitted"]);
    assert_eq!(w.list("SELECT state FROM incidents").await, ["open"], "nobody is called while the ladder goes on");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM outbox").await, 0);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM remediations WHERE closed_at IS NULL").await, 1);
    let second = w.permit(host).await;
    assert_ne!(first.run_id, second.run_id);
    w.plays_out(host, &second, Verdict::Ok).await;
    assert_eq!(w.runs().await, ["not_fixed", "fixed"]);
    assert_eq!(w.list("SELECT outcome FROM remediations").await, ["fixed"]);
    assert_eq!(w.list("SELECT outcome FROM incidents").await, ["fixed"]);
    assert_eq!(w.one::<i64>(ADMITTED).await, 2);
    let names = "SELECT p.name FROM runs r JOIN playbooks p USING (tenant_id, playbook_id) ORDER BY r.rung";
    assert_eq!(w.list(names).await, ["restart-service", "kick-service"]);
}

#[tokio::test]
async fn after_the_last_rung_a_person_is_called_once() {
    let mut w = two_rungs(Setup::default()).await;
    let host = w.hosts[0];
    for _ in 0..2 {
        let key = w.permit(host).await;
        w.plays_out(host, &key, Verdict::Critical).await;
    }
    assert_eq!(w.runs().await, ["not_fixed", "not_fixed"]);
    assert_eq!(w.list("SELECT outcome FROM remediations").await, ["not_fixed"]);
    let why = w.one::<String>("SELECT escalation_reason FROM incidents").await;
    assert_eq!(
        why,
        "2 fixes ran one after the other, and the check is still bad. A breaker stops this fix at this client now."
    );
    assert_eq!(w.one::<i64>("SELECT count(*) FROM outbox WHERE kind = 'needs_you'").await, 1);
}

#[tokio::test]
async fn each_rung_asks_for_a_yes_of_its_own() {
    let mut w = two_rungs(Setup { mode: Some("approve"), ..Setup::default() }).await;
    let host = w.hosts[0];
    yes(&mut w).await;
    let key = w.permit(host).await;
    w.plays_out(host, &key, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["not_fixed", "awaiting_approval"]);
    yes(&mut w).await;
    assert_eq!(w.runs().await, ["not_fixed", "admitted"]);
}

#[tokio::test]
async fn what_cannot_be_told_or_is_in_doubt_ends_the_ladder() {
    for doubt in [false, true] {
        let mut w = two_rungs(Setup::default()).await;
        let host = w.hosts[0];
        let key = w.permit(host).await;
        let verdict = if doubt { Verdict::Critical } else { Verdict::NoData };
        if doubt {
            w.ends(&key, Ended::InDoubt { step: 1, runner_gone: true }).await;
            for _ in 0..2 {
                w.pass(4);
                w.settle().await;
                w.answers(host, verdict).await;
                w.settle().await;
            }
        } else {
            w.plays_out(host, &key, verdict).await;
        }
        assert_eq!(w.runs().await.len(), 1, "no second rung");
        assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    }
}

#[tokio::test]
async fn a_mapping_archived_or_demoted_meanwhile_is_heard_by_the_next_rung() {
    for (change, states) in [
        ("UPDATE mappings SET archived_at = now()", vec!["not_fixed"]),
        ("UPDATE mapping_versions SET mode = 'approve'", vec!["not_fixed", "awaiting_approval"]),
    ] {
        let mut w = two_rungs(Setup::default()).await;
        let host = w.hosts[0];
        let key = w.permit(host).await;
        w.change(change).await;
        w.plays_out(host, &key, Verdict::Critical).await;
        assert_eq!(w.runs().await, states);
        assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    }
}

#[tokio::test]
async fn a_fix_that_heals_its_check_and_breaks_a_neighbour_made_it_worse() {
    let mut w = World::new(Setup { rungs: 2, neighbour: true, limits: ROOM, ..Setup::default() }).await;
    let host = w.hosts[0];
    w.till(host, Verdict::Ok).await;
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    w.plays_out_beside(host, &key, Verdict::Ok, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["made_worse"], "no second rung");
    assert_eq!(w.list("SELECT outcome FROM remediations").await, ["made_worse"]);
    let why = w.one::<String>("SELECT escalation_reason FROM incidents").await;
    assert_eq!(
        why,
        "Made worse: “Till runs” (till) was ok before the fix and is critical after it. A breaker stops this fix at this client now."
    );
    let record = w.record("verify").await;
    assert_eq!((&record["neighbours"][0]["target"], &record["outcome"]), (&"till".into(), &"made_worse".into()));
}

#[tokio::test]
async fn a_neighbour_that_falls_after_its_look_and_before_the_verdict_counts_as_worse() {
    for (falls, outcome) in [(false, "fixed"), (true, "made_worse")] {
        let mut w = World::new(Setup { rungs: 2, neighbour: true, limits: ROOM, ..Setup::default() }).await;
        let host = w.hosts[0];
        w.till(host, Verdict::Ok).await;
        w.breaks(host).await;
        w.settle().await;
        let key = w.permit(host).await;
        w.ends(&key, Ended::Exited { code: 0 }).await;
        w.pass(1);
        w.settle().await;
        w.answers(host, Verdict::Ok).await;
        w.settle().await;
        // The window of three seconds is not over; its last fifth begins.
        w.moved.advance(SignedDuration::from_millis(2_500));
        w.settle().await;
        assert_eq!(w.asked(host).await, 1, "the neighbour alone");
        w.answers(host, Verdict::Ok).await;
        if falls {
            w.till_says(host, Verdict::Critical).await;
        }
        w.settle().await;
        assert_eq!(w.runs().await, ["verifying"], "its own check is not asked before the end");
        w.pass(1);
        w.settle().await;
        w.answers(host, Verdict::Ok).await;
        w.settle().await;
        assert_eq!(w.runs().await, [outcome]);
    }
}

#[tokio::test]
async fn a_neighbour_that_was_bad_before_or_gives_no_data_is_not_held_against_the_fix() {
    for (before, after) in [(Verdict::Critical, Verdict::Critical), (Verdict::Ok, Verdict::NoData)] {
        let mut w = World::new(Setup { neighbour: true, ..Setup::default() }).await;
        let host = w.hosts[0];
        w.till(host, before).await;
        w.breaks(host).await;
        w.settle().await;
        let key = w.permit(host).await;
        w.plays_out_beside(host, &key, Verdict::Ok, after).await;
        assert_eq!(w.runs().await, ["fixed"]);
    }
}
