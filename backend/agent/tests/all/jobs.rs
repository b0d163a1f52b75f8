use std::fs;

use wire::v1::{Down, Ended, Job, JournalState, Reached, RefusedReason, Up};

use crate::bench::{Bench, Linked, TENANT, ended, job, job_but, state};
use crate::fake;

/// A service that a started daemon makes running; each start is one line of the ledger.
pub const DAEMON: &str = "case $1 in\n\
    start) setsid sleep 1000000 & echo $! > $dir/pid; echo start $MENDWRIGHT_RUN $MENDWRIGHT_STEP >> $dir/ledger;;\n\
    status) [ -f $dir/pid ] || exit 1; kill -0 $(cat $dir/pid) 2>/dev/null && exit 0; exit 1;;\nesac";

/// Like it, but a start waits for the file `go`.
const SLOW: &str = "case $1 in\n\
    start) echo start >> $dir/ledger; while [ ! -f $dir/go ]; do sleep 0.05; done; echo done;;\nstatus) exit 1;;\nesac";

fn kill_daemon(bench: &Bench) {
    let pid: i32 = fs::read_to_string(bench.path("pid")).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("the daemon outlives its step");
}

async fn refused(agent: &mut Linked) -> wire::v1::Refused {
    agent.peer.until(|up| if let Up::Refused(refused) = up { Some(refused) } else { None }).await
}

#[tokio::test]
async fn a_failed_service_is_started_once_and_the_result_is_signed() {
    let bench = Bench::new(DAEMON).await;
    let mut agent = bench.run(&[]).await;
    assert_eq!((agent.hello.journal, agent.hello.max_fence), (JournalState::New, 0));
    assert_eq!(state(&agent.configure().await), "failed");
    let key = agent.offer(5, &[&["/bin/echo", "hello"], &["{service.start}"]]).await;
    agent.permit().await;
    let body = agent.result(&bench).await;
    assert_eq!((body.job, body.fence, ended(&body)), (key, 5, &Ended::Exited { code: 0 }));
    let (said, argv) = (keys::digest(b"hello\n").to_string(), body.steps.len());
    assert_eq!((body.output_digest, body.output_bytes, argv), (said, 6, 2));
    assert_eq!(bench.ledger(), ["start 00000000-0000-0000-0000-000000000032 2"]);
    agent.until_state("running").await;
    kill_daemon(&bench);
    agent.until_state("failed").await;
    agent.kill().await;

    let agent = bench.run(&[]).await;
    assert_eq!((agent.hello.journal, agent.hello.max_fence), (JournalState::Sound, 5));
    assert_eq!(agent.hello.jobs, []);
}

#[tokio::test]
async fn a_service_that_a_person_stopped_after_the_alert_is_not_started() {
    let bench = Bench::new("case $1 in start) echo start >> $dir/ledger;; status) exit 3;; esac").await;
    let mut agent = bench.run(&[]).await;
    assert_eq!(state(&agent.configure().await), "stopped");
    let key = agent.offer(5, &[&["{service.start}"]]).await;
    let refusal = refused(&mut agent).await;
    assert_eq!((refusal.job, refusal.reason), (key, RefusedReason::Recovered));
    assert!(bench.ledger().is_empty());
}

/// A fix whose trigger is a check of the server's, and which would start the service.
pub async fn offer_of_the_servers_check(agent: &mut Linked) {
    let (job, _) = job_but(agent.prove.instance_id, 5, &[&["{service.start}"]], |envelope| {
        (envelope.server_looked, envelope.target) = (true, "https://shop.example/".into());
    });
    agent.peer.send(Down::Job(job)).await;
}

#[tokio::test]
async fn a_service_that_a_person_stopped_is_not_started_by_a_fix_of_another_check() {
    let stopped = "case $1 in start) echo start >> $dir/ledger;; status) exit 3;; esac";
    let unknown = "case $1 in start) echo start >> $dir/ledger;; status) exit 4;; esac";
    for (script, says) in [(stopped, "was stopped on purpose"), (unknown, "cannot be told")] {
        let bench = Bench::new(script).await;
        let mut agent = bench.run(&[]).await;
        agent.configure().await;
        offer_of_the_servers_check(&mut agent).await;
        let refusal = refused(&mut agent).await;
        assert_eq!(refusal.reason, RefusedReason::Precondition);
        assert!(refusal.detail.contains(says), "{}", refusal.detail);
        assert!(bench.ledger().is_empty());
    }
}

#[tokio::test]
async fn a_fix_of_another_check_starts_a_service_that_failed() {
    let bench = Bench::new(DAEMON).await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    offer_of_the_servers_check(&mut agent).await;
    agent.permit().await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
    assert_eq!(bench.ledger().len(), 1);
    kill_daemon(&bench);
}

#[tokio::test]
async fn a_service_that_is_ok_again_is_not_acted_on() {
    let bench = Bench::new("case $1 in start) echo start >> $dir/ledger;; esac").await;
    let mut agent = bench.run(&[]).await;
    assert_eq!(state(&agent.configure().await), "running");
    let key = agent.offer(5, &[&["{service.start}"]]).await;
    let refusal = refused(&mut agent).await;
    assert_eq!((refusal.job, refusal.reason), (key, RefusedReason::Recovered));
    assert!(refusal.reading.is_some());
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn a_check_that_cannot_tell_is_not_acted_on() {
    let bench = Bench::new("exit 4").await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    agent.offer(5, &[&["{service.start}"]]).await;
    assert_eq!(refused(&mut agent).await.reason, RefusedReason::NoData);
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn an_unsigned_altered_foreign_or_stale_job_starts_nothing() {
    let bench = Bench::new(DAEMON).await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    let job = |instance_id, fence| job(instance_id, fence, &[&["{service.start}"]]).0;
    let (us, stranger) = (agent.prove.instance_id, uuid::Uuid::from_u128(9));
    let altered = job(us, 7).playbook.replace("Restart", "restart");
    let hurried = job(us, 7).envelope.replace("\"fence\":7", "\"fence\":8");
    for (bad, reason) in [
        (Job { envelope_signature: String::new(), ..job(us, 7) }, RefusedReason::Signature),
        (Job { playbook_signature: String::new(), ..job(us, 7) }, RefusedReason::Signature),
        (Job { playbook: altered, ..job(us, 7) }, RefusedReason::Signature),
        (Job { envelope: hurried, ..job(us, 7) }, RefusedReason::Signature),
        (job(stranger, 7), RefusedReason::Foreign),
        (job(us, 0), RefusedReason::Stale),
    ] {
        agent.peer.send(Down::Job(bad)).await;
        assert_eq!(refused(&mut agent).await.reason, reason);
    }
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn a_withdrawn_job_is_not_run_and_its_fence_is_spent() {
    let bench = Bench::new(DAEMON).await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    let job = agent.offer(5, &[&["{service.start}"]]).await;
    agent.peer.until(|up| matches!(up, Up::Start(_)).then_some(())).await;
    agent.peer.send(Down::Withdraw { job, fence: 5, reason: "a freeze".into() }).await;
    assert!(matches!(ended(&agent.result(&bench).await), Ended::NotRun { .. }));
    agent.peer.send(Down::Permit { job, fence: 5 }).await;
    agent.offer(4, &[&["{service.start}"]]).await;
    assert_eq!(refused(&mut agent).await.reason, RefusedReason::Stale);
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn a_frozen_host_begins_nothing_until_the_freeze_is_lifted() {
    let bench = Bench::new(DAEMON).await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    let job = agent.offer(5, &[&["{service.start}"]]).await;
    agent.peer.until(|up| matches!(up, Up::Start(_)).then_some(())).await;
    agent.peer.send(Down::Freeze { frozen: true }).await;
    agent.peer.send(Down::Permit { job, fence: 5 }).await;
    agent.peer.send(Down::Freeze { frozen: false }).await;
    // The permit that came while frozen counts for nothing: it is asked for again.
    agent.permit().await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
    assert_eq!(bench.ledger().len(), 1);
    kill_daemon(&bench);
}

#[tokio::test]
async fn the_runner_outlives_its_agent_and_its_result_arrives() {
    let bench = Bench::new(SLOW).await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    agent.offer(5, &[&["{service.start}"]]).await;
    agent.permit().await;
    bench.until("the step began", |bench| !bench.ledger().is_empty()).await;
    agent.kill().await;
    let mut agent = bench.run(&[]).await;
    assert_eq!(agent.hello.jobs[0].reached, Reached::Running);
    fs::write(bench.path("go"), "").unwrap();
    let body = agent.result(&bench).await;
    assert_eq!((ended(&body), body.output_bytes), (&Ended::Exited { code: 0 }, 5));
    assert_eq!(bench.ledger().len(), 1);
}

#[tokio::test]
async fn a_result_is_sent_until_it_is_acked() {
    let bench = Bench::new(DAEMON).await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    agent.offer(5, &[&["{service.start}"]]).await;
    agent.permit().await;
    let first = agent.peer.until(|up| if let Up::Result(result) = up { Some(result) } else { None }).await;
    agent.kill().await;
    let mut agent = bench.run(&[]).await;
    assert_eq!(agent.hello.jobs[0].reached, Reached::Finished);
    let again = agent.peer.until(|up| if let Up::Result(result) = up { Some(result) } else { None }).await;
    assert_eq!(first, again);
    kill_daemon(&bench);
}

#[tokio::test]
async fn a_host_whose_journal_is_gone_takes_no_job_until_it_is_re_attested() {
    let bench = Bench::new(DAEMON).await;
    fs::remove_file(bench.path("state/journal")).unwrap();
    let _process = crate::bench::program().arg("run").arg("--state-dir").arg(bench.path("state")).spawn().unwrap();
    let mut peer = bench.server.accept().await;
    let (prove, hello) = fake::welcome(&mut peer, &bench.host_key, TENANT, true).await;
    assert_eq!(hello.journal, JournalState::Missing);
    let mut agent = Linked { process: _process, peer, prove, hello };
    agent.configure().await;
    agent.offer(5, &[&["{service.start}"]]).await;
    assert_eq!(refused(&mut agent).await.reason, RefusedReason::Unable);
    drop(agent.peer);
    for expected in [JournalState::Missing, JournalState::Sound] {
        let mut peer = bench.server.accept().await;
        let (_, hello) = fake::welcome(&mut peer, &bench.host_key, TENANT, false).await;
        assert_eq!(hello.journal, expected);
        peer.until(|up| matches!(up, Up::Lease {}).then_some(())).await;
    }
}

#[tokio::test]
async fn what_a_step_writes_is_told_while_it_runs_and_again_on_a_new_link() {
    let slow = "case $1 in\nstart) echo began; while [ ! -f $dir/go ]; do sleep 0.05; done; echo done;;\nstatus) exit 1;;\nesac";
    let bench = Bench::new(slow).await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    let key = agent.offer(5, &[&["{service.start}"]]).await;
    agent.permit().await;
    let told = |up| if let Up::Progress(progress) = up { Some(progress) } else { None };
    let first = agent.peer.until(told).await;
    assert_eq!((first.job, first.fence, first.offset, first.bytes.as_str()), (key, 5, 0, "YmVnYW4K"));
    // Another agent takes over the run: it tells from the beginning.
    agent.kill().await;
    let mut agent = bench.run(&[]).await;
    let again = agent.peer.until(told).await;
    assert_eq!((again.offset, again.bytes.as_str()), (0, "YmVnYW4K"));
    fs::write(bench.path("go"), "").unwrap();
    assert_eq!(agent.result(&bench).await.output_bytes, 11);
}
