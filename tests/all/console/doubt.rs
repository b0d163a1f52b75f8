//! A person's word on a run in doubt.

use axum::http::{StatusCode, header};
use futures_util::future::join;
use store::remediate::jobs::{self, JobKey, JobResult, Stored};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Console;

fn form(csrf: &str, run: Uuid, answer: &str) -> String {
    format!("csrf={csrf}&run_id={run}&answer={answer}")
}

#[tokio::test]
async fn a_run_that_ran_is_verified_by_the_same_check() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await;
    let incident = console.ours.incident;
    let path = format!("/incidents/{incident}/doubt");
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let (_, _, page) = console.get(&format!("/incidents/{incident}"), &cookie).await;
    assert!(page.contains("Did it run?") && page.contains("value=\"did_not_run\""));
    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    let (_, _, page) = console.get(&format!("/incidents/{incident}"), &viewer).await;
    assert!(page.contains("Did it run?") && !page.contains("value=\"did_not_run\""));
    assert_eq!(console.post(&path, &viewer, form(&viewers, run, "ran")).await.0, StatusCode::FORBIDDEN);

    let (status, headers, _) = console.post(&path, &cookie, form(&csrf, run, "ran")).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, &path[..path.len() - 6]));
    assert_eq!(console.count("runs WHERE state = 'verifying'").await, 1);
    assert_eq!(console.count("jobs WHERE state = 'finished' AND result_digest IS NULL").await, 1);
    assert_eq!(console.count("verifications WHERE phase = 'asked_first'").await, 1);
    assert_eq!(console.count("tenant_wakeups WHERE queue = 'verify'").await, 1);
    let event =
        "run_events WHERE from_state = 'unknown' AND actor LIKE 'member %' AND cause = 'A member said that it ran'";
    assert_eq!(console.count(event).await, 1);
    let audit = "audit WHERE action = 'run.doubt_answered' AND actor LIKE 'member %' AND detail->>'answer' = 'ran'";
    assert_eq!(console.count(audit).await, 1);
    assert_eq!(console.count("guardrail_admissions WHERE released_at IS NULL").await, 1, "not before the verdict");

    let (_, _, page) = console.get(&format!("/incidents/{incident}"), &cookie).await;
    assert!(page.contains("A member said that it ran") && !page.contains("Did it run?"));
}

#[tokio::test]
async fn a_run_that_did_not_run_is_over_and_the_person_stays_in_charge() {
    let mut console = Console::new().await;
    // Its host said that it does not know: such a job has its result.
    let run = console.run("unknown", "finished").await;
    let path = format!("/incidents/{}/doubt", console.ours.incident);
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    assert_eq!(console.post(&path, &cookie, form(&csrf, run, "perhaps")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(console.post(&path, &cookie, form(&csrf, run, "did_not_run")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("runs WHERE state = 'not_run' AND ended_at IS NOT NULL").await, 1);
    assert_eq!(console.count("remediations WHERE outcome = 'not_run'").await, 1);
    let incident =
        "incidents WHERE state = 'escalated' AND escalation_reason LIKE 'A member said that it did not run%'";
    assert_eq!(console.count(incident).await, 1);
    assert_eq!(console.count("alerts WHERE state = 'open'").await, 1 + 1, "the problem is still there");

    let stage = engine::remediate::Remediate::default();
    engine::lease::run_until_idle(&console.store, &stage, &CancellationToken::new()).await.unwrap();
    let released = "guardrail_admissions WHERE released_at IS NOT NULL AND outcome = 'not_run' AND occupied_until < admitted_at + interval '1 hour'";
    assert_eq!(console.count(released).await, 1, "stage remediate was made due");

    let (status, _, page) = console.post(&path, &cookie, form(&csrf, run, "ran")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        page.contains("It has changed meanwhile") && page.contains(&format!("href=\"{}\"", &path[..path.len() - 6]))
    );
}

#[tokio::test]
async fn an_alert_that_is_ok_by_then_closes_with_it_and_the_incident_does_not() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await;
    console.execute("UPDATE alerts SET newest_ok = true".to_owned()).await;
    let path = format!("/incidents/{}/doubt", console.ours.incident);
    let (cookie, csrf) = console.seat("owner@ours.example").await;
    assert_eq!(console.post(&path, &cookie, form(&csrf, run, "did_not_run")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("alerts WHERE close_cause = 'recovered'").await, 1);
    assert_eq!(console.count("incidents WHERE state = 'escalated'").await, 1);
}

#[tokio::test]
async fn of_two_answers_at_once_one_counts_and_the_other_is_told() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await;
    let path = format!("/incidents/{}/doubt", console.ours.incident);
    let (sam, sams) = console.seat("sam@ours.example").await;
    let (owner, owners) = console.seat("owner@ours.example").await;
    let (one, other) = join(
        console.post(&path, &sam, form(&sams, run, "ran")),
        console.post(&path, &owner, form(&owners, run, "did_not_run")),
    )
    .await;
    let mut told = [one.0, other.0];
    told.sort();
    assert_eq!(told, [StatusCode::SEE_OTHER, StatusCode::CONFLICT]);
    assert_eq!(console.count("run_events WHERE from_state = 'unknown'").await, 1);
    assert_eq!(console.count("audit WHERE action = 'run.doubt_answered'").await, 1);
}

#[tokio::test]
async fn a_result_after_the_answer_is_kept_and_is_no_second_end() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await;
    let path = format!("/incidents/{}/doubt", console.ours.incident);
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    assert_eq!(console.post(&path, &cookie, form(&csrf, run, "ran")).await.0, StatusCode::SEE_OTHER);
    let key = JobKey { run_id: run, purpose: "fix".into(), leg: 1, attempt: 1 };
    let results = [(b"first", Stored::AfterAnswer), (b"first", Stored::Before), (b"other", Stored::Other)];
    for (digest, expected) in results {
        let mut tx = console.tx().await;
        let job = jobs::find_locked(&mut tx, &key).await.unwrap().unwrap();
        let result = JobResult { fence: 1, body: "{}", digest, signature: "00", output: b"" };
        assert_eq!(jobs::mark_finished(&mut tx, &job, &result).await.unwrap(), expected);
        tx.commit().await.unwrap();
    }
    assert_eq!(console.count("job_results").await, 1);
    assert_eq!(console.count("runs WHERE state = 'verifying'").await, 1);
}

#[tokio::test]
async fn a_run_is_answered_on_its_own_incident_and_in_its_own_organization() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await;
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let elsewhere = format!("/incidents/{}/doubt", console.theirs.incident);
    assert_eq!(console.post(&elsewhere, &cookie, form(&csrf, run, "ran")).await.0, StatusCode::NOT_FOUND);
    let (tess, token) = console.seat("tess@theirs.example").await;
    let ours = format!("/incidents/{}/doubt", console.ours.incident);
    for path in [&ours, &elsewhere] {
        assert_eq!(console.post(path, &tess, form(&token, run, "ran")).await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(console.count("runs WHERE state = 'unknown'").await, 1);
}
