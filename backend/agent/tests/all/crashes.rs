//! The agent or its runner dies at each named point. Run with `--features crash-points`.

use wire::v1::{Down, Ended, Up};

use crate::bench::{Bench, Linked, ended};

const ONCE: &str = "case $1 in start) echo start >> $dir/ledger;; status) exit 1;; esac";

/// Offers a job to an agent that dies at `point`, and gives a new one in its place if it did.
async fn crashed(bench: &Bench, point: &str) -> Linked {
    let marker = bench.path("crashed");
    let env = [("MENDWRIGHT_CRASH", point), ("MENDWRIGHT_CRASH_ONCE", marker.to_str().unwrap())];
    let mut agent = bench.run(&env).await;
    agent.configure().await;
    agent.offer(5, &[&["{service.start}"]]).await;
    let runner = ["before_begin", "after_begin", "before_exit_status", "after_exit_status"].contains(&point);
    if point != "after_lease" && point != "after_intent" {
        agent.permit().await;
    }
    bench.until("the point is reached", |_| marker.exists()).await;
    if runner {
        return agent;
    }
    agent.process.wait().await.unwrap();
    bench.run(&[]).await
}

#[tokio::test]
async fn an_agent_that_dies_before_the_permit_takes_the_job_with_a_new_fence() {
    for point in ["after_lease", "after_intent"] {
        let bench = Bench::new(ONCE).await;
        let mut agent = crashed(&bench, point).await;
        agent.configure().await;
        agent.offer(6, &[&["{service.start}"]]).await;
        let fence = agent.peer.until(|up| match up {
            Up::Start(start) if start.fence == 6 => Some(start),
            _ => None,
        });
        let start = fence.await;
        agent.peer.send(Down::Permit { job: start.job, fence: 6 }).await;
        let body = agent.result(&bench).await;
        assert_eq!((body.fence, ended(&body)), (6, &Ended::Exited { code: 0 }), "{point}");
        assert_eq!(bench.ledger().len(), 1, "{point}");
    }
}

#[tokio::test]
async fn nothing_that_did_not_begin_ever_begins() {
    for point in ["after_started", "before_begin"] {
        let bench = Bench::new(ONCE).await;
        let mut agent = crashed(&bench, point).await;
        let body = agent.result(&bench).await;
        assert!(matches!(ended(&body), Ended::NotRun { .. }), "{point} {body:?}");
        assert!(bench.ledger().is_empty(), "{point}");
    }
}

#[tokio::test]
async fn a_step_that_began_and_whose_end_no_one_knows_is_in_doubt() {
    for (point, effects) in [("after_begin", 0), ("before_exit_status", 1)] {
        let bench = Bench::new(ONCE).await;
        let mut agent = crashed(&bench, point).await;
        let body = agent.result(&bench).await;
        assert_eq!(ended(&body), &Ended::InDoubt { step: 1, runner_gone: true }, "{point}");
        assert_eq!(bench.ledger().len(), effects, "{point}");
    }
}

#[tokio::test]
async fn an_exit_status_that_is_written_counts_though_the_runner_died() {
    let bench = Bench::new(ONCE).await;
    let mut agent = crashed(&bench, "after_exit_status").await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
    assert_eq!(bench.ledger().len(), 1);
}

/// The runner is stopped between its fork and `BEGIN`, its agent killed and replaced, and the runner
/// continued: it finds what the new agent wrote, or holds the lock and is waited for.
#[tokio::test]
async fn a_runner_that_was_stopped_before_begin_is_started_once_or_never() {
    let bench = Bench::new(ONCE).await;
    let marker = bench.path("stopped");
    let env = [("MENDWRIGHT_STOP", "before_begin"), ("MENDWRIGHT_CRASH_ONCE", marker.to_str().unwrap())];
    let mut agent = bench.run(&env).await;
    agent.configure().await;
    agent.offer(5, &[&["{service.start}"]]).await;
    agent.permit().await;
    let pid = || std::fs::read_to_string(&marker).ok()?.trim().parse::<i32>().ok();
    bench.until("the runner is stopped", |_| pid().is_some()).await;
    agent.kill().await;
    let mut agent = bench.run(&[]).await;
    let pid = rustix::process::Pid::from_raw(pid().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    let body = agent.result(&bench).await;
    assert_eq!(ended(&body), &Ended::Exited { code: 0 });
    assert_eq!(bench.ledger().len(), 1);
}
