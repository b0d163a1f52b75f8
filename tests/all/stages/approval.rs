//! A fix that asks first.

use domain::detect::reading::Verdict;
use engine::remediate::Remediate;
use store::remediate::approvals::{self, Answer};
use store::remediate::runs;
use uuid::Uuid;

use super::world::{Setup, World};

async fn asked() -> (World, Uuid) {
    let mut w = World::new(Setup { mode: Some("approve"), ..Setup::default() }).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["awaiting_approval"]);
    let run = w.one("SELECT run_id FROM runs").await;
    (w, run)
}

pub async fn plan(w: &World, run: Uuid) -> approvals::Plan {
    let mut tx = w.tx().await;
    approvals::find_plan(&mut tx, run).await.unwrap().unwrap()
}

/// What the person who saw `plan` says; whether it counted.
pub async fn says(w: &World, run: Uuid, plan: [u8; 32], yes: bool) -> bool {
    let mut tx = w.tx().await;
    let run = runs::find(&mut tx, run).await.unwrap().unwrap();
    let answer = Answer { yes, reason: "known since Monday".into(), plan, login_id: w.login_id, by: "Owner".into() };
    let counted = approvals::answer(&mut tx, &run, &answer).await.unwrap();
    if counted {
        tx.commit().await.unwrap();
    }
    counted
}

#[tokio::test]
async fn a_yes_lets_it_be_decided_anew_and_run_and_the_record_says_who() {
    let (mut w, run) = asked().await;
    let host = w.hosts[0];
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions").await, 0, "waiting takes no slot");
    let plan = plan(&w, run).await;
    assert!(says(&w, run, plan.digest, true).await);
    assert!(!says(&w, run, plan.digest, false).await, "whoever is second is told");
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
    let record = w.record("remediate").await;
    assert_eq!((record["answer"].as_str(), record["approved_by"].as_str()), (Some("run"), Some("Owner")));
    let key = w.permit(host).await;
    w.plays_out(host, &key, Verdict::Ok).await;
    assert_eq!(w.runs().await, ["fixed"]);
    let said = "SELECT detail->>'answer' || ' ' || (detail->>'by') FROM audit WHERE action = 'run.answered'";
    assert_eq!(w.list(said).await, ["yes Owner"]);
}

#[tokio::test]
async fn a_no_ends_it_with_the_reason_and_nothing_was_touched() {
    let (mut w, run) = asked().await;
    let plan = plan(&w, run).await;
    assert!(says(&w, run, plan.digest, false).await);
    w.settle().await;
    assert_eq!(w.runs().await, ["denied"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM jobs").await, 0);
    assert_eq!(w.list("SELECT outcome FROM remediations").await, ["denied"]);
    let reason = w.one::<String>("SELECT escalation_reason FROM incidents").await;
    assert_eq!(reason, "Owner said no: known since Monday. Nothing was touched.");
}

#[tokio::test]
async fn no_answer_is_a_no_and_a_late_yes_does_not_count() {
    let (mut w, run) = asked().await;
    let plan = plan(&w, run).await;
    w.pass(29 * 60);
    w.settle().await;
    assert_eq!(w.runs().await, ["awaiting_approval"]);
    w.pass(2 * 60);
    assert!(!says(&w, run, plan.digest, true).await, "its time is over, decided or not");
    w.settle().await;
    assert_eq!(w.runs().await, ["expired"]);
    let told = "SELECT count(*) FROM outbox WHERE kind = 'needs_you'";
    assert_eq!(w.one::<i64>(told).await, 2, "once for the question, once for what came of it");
}

#[tokio::test]
async fn a_yes_is_for_exactly_what_was_seen() {
    for change in [
        "UPDATE runs SET parameters = '{\"service\": \"another\"}'",
        "UPDATE runs SET target = 'another'",
        "UPDATE runs SET rung = 2",
    ] {
        let (mut w, run) = asked().await;
        let seen = plan(&w, run).await;
        w.change(change).await;
        assert!(!says(&w, run, seen.digest, true).await, "{change}: another plan was seen");

        // Changed after the yes: the yes is for something else, and it is asked again.
        let (mut w, run) = asked().await;
        let seen = plan(&w, run).await;
        assert!(says(&w, run, seen.digest, true).await);
        w.change(change).await;
        w.work(&Remediate::default()).await;
        assert_eq!(w.runs().await, ["awaiting_approval"], "{change}");
        assert_eq!(w.one::<i64>("SELECT count(*) FROM jobs").await, 0);
    }
}

#[tokio::test]
async fn a_yes_opens_no_limit_and_does_not_count_for_ever() {
    let (mut w, run) = asked().await;
    let (host, seen) = (w.hosts[0], plan(&w, run).await);
    let mut tx = w.tx().await;
    store::remediate::hands_off::insert(&mut tx, host.whose(), 4, "a disk", "Owner").await.unwrap();
    tx.commit().await.unwrap();
    assert!(says(&w, run, seen.digest, true).await);
    w.settle().await;
    assert_eq!(w.runs().await, ["held"], "hands off holds also what was allowed");
    w.pass(4 * 3_600 + 1);
    w.settle().await;
    assert_eq!(w.runs().await, ["awaiting_approval"], "four hours later it is asked again");
}
