//! A run goes to a scope of its own before it begins, and begins without one where systemd gives none.

use std::fs;
use std::path::PathBuf;

use uuid::Uuid;
use wire::v1::{CheckNow, Down, Ended, Reached, ResultBody, Up};

use crate::bench::{Bench, CHECK, Linked, SERVICE, TENANT, ended};
use crate::fake;
use crate::systemd1::{Bus, Facts, Scopes, Systemd};

/// Each start is a line of the ledger, with the process that started it: the runner.
const LEDGER: &str = "case $1 in start) echo start $PPID >> $dir/ledger;; status) exit 1;; esac";
const START: &[&[&str]] = &[&["{service.start}"]];
const SAYS: &str = "a run has no scope of its own and goes on in the agent's unit: ";

/// A host with a systemd that does `scopes`, and its agent, linked, with its log in `log`.
async fn host(scopes: Scopes) -> (Bench, Bus, Systemd, Linked) {
    let dir = tempfile::tempdir().unwrap();
    let bus = Bus::new(dir.path()).await;
    let systemd = Systemd::new(&bus, Facts::running(1)).await;
    systemd.give(scopes);
    let bench = Bench::headed(dir, &format!("bus = \"{}\"\n", bus.address()), LEDGER).await;
    let mut agent = bench.run_logged(&log(&bench)).await;
    agent.configure().await;
    (bench, bus, systemd, agent)
}

fn log(bench: &Bench) -> PathBuf {
    bench.path("log")
}

async fn begin(agent: &mut Linked, fence: i64) {
    agent.offer(fence, START).await;
    agent.permit().await;
}

/// A run from its offer to its end.
async fn run(bench: &Bench, agent: &mut Linked, fence: i64) -> ResultBody {
    begin(agent, fence).await;
    agent.result(bench).await
}

/// What the agent tells of scopes when it links anew.
async fn told(bench: &Bench, agent: Linked) -> (Vec<String>, Linked) {
    let Linked { process, peer, prove, .. } = agent;
    peer.close(1000, "once more").await;
    let mut peer = bench.server.accept().await;
    let (_, hello) = fake::welcome(&mut peer, &bench.host_key, TENANT, false).await;
    let notes = hello.notes.iter().filter_map(|note| note.strip_prefix(SAYS)).map(str::to_owned).collect();
    (notes, Linked { process, peer, prove, hello })
}

#[tokio::test]
async fn the_runner_is_in_its_scope_before_its_first_step() {
    let (bench, _bus, mut systemd, mut agent) = host(Scopes::Queued).await;
    begin(&mut agent, 5).await;
    let asked = systemd.asked().await;
    assert_eq!(bench.ledger(), [""; 0]);
    assert_eq!(asked.name, "mendwright-run-00000000-0000-0000-0000-000000000032-fix-1-1.scope");
    assert_eq!((asked.mode.as_str(), asked.property::<Vec<u32>>("PIDs")), ("fail", Some(vec![0])));
    let text = |name: &str| asked.property::<String>(name);
    assert_eq!(text("CollectMode").as_deref(), Some("inactive-or-failed"));
    assert_eq!(text("KillMode").as_deref(), Some("control-group"));
    assert!(text("Description").unwrap().contains("attempt 1"));
    assert_eq!(asked.property::<bool>("Delegate"), Some(true));
    assert_eq!(asked.property::<u64>("TimeoutStopUSec"), Some(10_000_000));
    systemd.end_scope(&asked.name, "done").await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
    assert_eq!(bench.ledger(), [format!("start {}", asked.pid)], "the runner asked for itself");
    assert!(told(&bench, agent).await.0.is_empty());
}

#[tokio::test]
async fn what_is_frozen_while_the_runner_waits_for_its_scope_does_not_begin() {
    let (bench, _bus, mut systemd, mut agent) = host(Scopes::Queued).await;
    begin(&mut agent, 5).await;
    let asked = systemd.asked().await;
    agent.peer.send(Down::Freeze { frozen: true }).await;
    // Answered in the order of what was sent.
    let request_id = Uuid::from_u128(9);
    agent.peer.send(Down::CheckNow(CheckNow { request_id, check_id: CHECK, target: SERVICE.into() })).await;
    let answer = |up| if let Up::Observed(observed) = up { observed.request_id.map(|_| ()) } else { None };
    agent.peer.until(answer).await;
    systemd.end_scope(&asked.name, "done").await;
    let body = agent.result(&bench).await;
    assert!(matches!(ended(&body), Ended::NotRun { why } if why.contains("frozen")), "{body:?}");
    assert_eq!(bench.ledger(), [""; 0]);
}

#[tokio::test]
async fn a_refused_scope_is_told_once_until_there_is_one() {
    let (bench, _bus, mut systemd, mut agent) = host(Scopes::Refused).await;
    for fence in [5, 6] {
        assert_eq!(ended(&run(&bench, &mut agent, fence).await), &Ended::Exited { code: 0 });
    }
    assert_eq!(bench.ledger().len(), 2);
    let logged = || fs::read_to_string(log(&bench)).unwrap().matches(SAYS).count();
    assert_eq!(logged(), 1);
    let (notes, mut agent) = told(&bench, agent).await;
    assert!(notes.len() == 1 && notes[0].ends_with("Access denied by the test"), "{notes:?}");
    systemd.give(Scopes::Given);
    run(&bench, &mut agent, 7).await;
    let (notes, mut agent) = told(&bench, agent).await;
    assert_eq!(notes, [""; 0]);
    systemd.give(Scopes::Refused);
    run(&bench, &mut agent, 8).await;
    assert_eq!((logged(), bench.ledger().len()), (2, 4));
    for _ in 5..=8 {
        systemd.asked().await;
    }
}

#[tokio::test]
async fn a_systemd_that_does_not_answer_or_cannot_holds_a_run_up_no_longer_than_its_limit() {
    let (bench, _bus, mut systemd, mut agent) = host(Scopes::Unanswered).await;
    assert_eq!(ended(&run(&bench, &mut agent, 5).await), &Ended::Exited { code: 0 });
    let (notes, mut agent) = told(&bench, agent).await;
    assert_eq!(notes, ["systemd took longer than 2000 ms"]);
    systemd.asked().await;
    systemd.give(Scopes::Queued);
    begin(&mut agent, 6).await;
    let asked = systemd.asked().await;
    systemd.end_scope(&asked.name, "failed").await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
    assert_eq!(told(&bench, agent).await.0, ["systemd says failed"]);
    assert_eq!(bench.ledger().len(), 2);
}

#[tokio::test]
async fn a_bus_that_goes_away_or_is_not_there_holds_no_run_up() {
    let (bench, bus, mut systemd, mut agent) = host(Scopes::Queued).await;
    begin(&mut agent, 5).await;
    systemd.asked().await;
    bus.kill().await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
    let (notes, mut agent) = told(&bench, agent).await;
    assert_eq!(notes.len(), 1);
    assert_eq!(ended(&run(&bench, &mut agent, 6).await), &Ended::Exited { code: 0 });
    let (again, _agent) = told(&bench, agent).await;
    assert!(again.len() == 1 && again != notes, "{notes:?} {again:?}");
    assert_eq!(bench.ledger().len(), 2);
}

#[tokio::test]
async fn an_agent_that_dies_while_the_runner_waits_for_its_scope_finds_the_run_again() {
    let (bench, _bus, mut systemd, mut agent) = host(Scopes::Queued).await;
    begin(&mut agent, 5).await;
    let asked = systemd.asked().await;
    agent.kill().await;
    let mut agent = bench.run(&[]).await;
    let reached: Vec<_> = agent.hello.jobs.iter().map(|job| (job.fence, job.reached)).collect();
    // It waits no longer than its limit, whatever this machine does meanwhile.
    assert!([Reached::Started, Reached::Running].map(|reached| vec![(5, reached)]).contains(&reached), "{reached:?}");
    systemd.end_scope(&asked.name, "done").await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
    assert_eq!(bench.ledger(), [format!("start {}", asked.pid)]);
}
