//! Stage verify.

use domain::detect::reading::Verdict;
use jiff::SignedDuration;
use wire::v1::Ended;

use super::world::{Setup, World};

async fn running() -> (World, store::remediate::jobs::JobKey) {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    (w, key)
}

#[tokio::test]
async fn two_good_looks_a_window_apart_close_alert_and_incident_with_the_verdict() {
    let (mut w, key) = running().await;
    let host = w.hosts[0];
    w.ends(&key, Ended::Exited { code: 0 }).await;
    w.settle().await;
    assert_eq!(w.asked(host).await, 0, "nothing is asked before the settle time is over");
    w.pass(1);
    w.settle().await;
    w.answers(host, Verdict::Ok).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["verifying"], "one good look is not a fix");
    assert_eq!(w.asked(host).await, 0, "nor before the end of the window");
    w.pass(3);
    w.settle().await;
    w.answers(host, Verdict::Ok).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["fixed"]);
    let closed = "SELECT close_cause || ' ' || (closed_at = (SELECT ended_at FROM runs))::text FROM alerts
                  UNION ALL SELECT outcome || ' ' || (closed_at = (SELECT ended_at FROM runs))::text FROM incidents";
    assert_eq!(w.list(closed).await, ["fixed true", "fixed true"], "in the transaction of the verdict");
    let record = w.record("verify").await;
    assert_eq!((record["outcome"].as_str(), record["looks"].as_array().unwrap().len()), (Some("fixed"), 2));
    let open = "SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL";
    assert_eq!(w.one::<i64>(open).await, 0, "its flights are free");
    let cooldown = "SELECT count(*) FROM guardrail_admissions WHERE scope_kind = 'host_playbook' AND occupied_until > now() + interval '500 seconds'";
    assert_eq!(w.one::<i64>(cooldown).await, 1, "its cooldown stays");
}

#[tokio::test]
async fn exit_code_0_and_a_bad_check_is_not_fixed_and_calls_a_person() {
    let (mut w, key) = running().await;
    let host = w.hosts[0];
    w.plays_out(host, &key, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["not_fixed"]);
    assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    assert_eq!(w.list("SELECT state FROM alerts").await, ["open"]);
    assert_eq!(
        w.one::<String>("SELECT escalation_reason FROM incidents").await,
        "The fix ran, and the check is still bad. A breaker stops this fix at this client now."
    );
}

#[tokio::test]
async fn a_check_that_turns_bad_between_the_looks_is_not_fixed() {
    let (mut w, key) = running().await;
    let host = w.hosts[0];
    w.ends(&key, Ended::Exited { code: 0 }).await;
    w.pass(1);
    w.settle().await;
    w.answers(host, Verdict::Ok).await;
    w.settle().await;
    w.pass(1);
    w.breaks(host).await;
    w.pass(2);
    w.settle().await;
    w.answers(host, Verdict::Ok).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["not_fixed"]);
}

#[tokio::test]
async fn a_host_that_gives_no_answer_leaves_it_untold_and_calls_a_person() {
    let (mut w, key) = running().await;
    w.ends(&key, Ended::Exited { code: 0 }).await;
    w.pass(1);
    w.settle().await;
    w.pass(31);
    w.settle().await;
    assert_eq!(w.runs().await, ["cannot_tell"]);
    assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
}

#[tokio::test]
async fn no_data_is_not_ok() {
    let (mut w, key) = running().await;
    let host = w.hosts[0];
    w.plays_out(host, &key, Verdict::NoData).await;
    assert_eq!(w.runs().await, ["cannot_tell"]);
}

#[tokio::test]
async fn a_run_in_doubt_is_verified_once_its_runner_is_gone_fixed_or_escalated_and_never_run_again() {
    for (verdict, state, incident) in [(Verdict::Ok, "fixed", "closed"), (Verdict::Critical, "not_fixed", "escalated")]
    {
        let (mut w, key) = running().await;
        let host = w.hosts[0];
        w.ends(&key, Ended::InDoubt { step: 1, runner_gone: true }).await;
        for _ in 0..2 {
            w.pass(4);
            w.settle().await;
            w.answers(host, verdict).await;
            w.settle().await;
        }
        assert_eq!(w.runs().await, [state]);
        assert_eq!(w.list("SELECT state FROM incidents").await, [incident]);
        assert!(w.list("SELECT to_state FROM run_events ORDER BY seq").await.contains(&"unknown".to_owned()));
        assert_eq!(w.list("SELECT attempt::text FROM jobs").await, ["1"]);
        if verdict != Verdict::Ok {
            let why = w.one::<String>("SELECT escalation_reason FROM incidents").await;
            assert!(why.starts_with("In doubt: "), "{why}");
        }
    }
}

#[tokio::test]
async fn a_run_whose_runner_may_live_stays_in_doubt_and_keeps_its_slots() {
    let (mut w, key) = running().await;
    w.ends(&key, Ended::InDoubt { step: 1, runner_gone: false }).await;
    w.pass(600);
    w.settle().await;
    assert_eq!(w.runs().await, ["unknown"]);
    assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 5);
}

#[tokio::test]
async fn a_stability_window_of_half_a_second_lasts_half_a_second() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    let verify = r#"{"settle_secs": 0, "stable_secs": 0.5}"#;
    w.change(&format!("UPDATE mapping_versions SET definition = jsonb_set(definition, '{{verify}}', '{verify}')"))
        .await;
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    w.ends(&key, Ended::Exited { code: 0 }).await;
    w.settle().await;
    w.answers(host, Verdict::Ok).await;
    w.settle().await;
    let window = "SELECT (1000 * extract(epoch FROM q.asked_at - v.first_ok_at))::bigint
                  FROM verifications v JOIN check_requests q ON q.request_id = v.request_id";
    assert_eq!(w.one::<i64>(window).await, 500);
    w.moved.advance(SignedDuration::from_millis(500));
    w.settle().await;
    w.answers(host, Verdict::Ok).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["fixed"]);
    assert_eq!(w.record("verify").await["stable_secs"], 0.5);
}
