use std::fs;
use std::process::{Command, Stdio};

use uuid::Uuid;
use wire::v1::{CheckNow, Diagnose, Down, Seen, Up, constants};

use crate::bench::{Bench, CHECK, SERVICE, state};

/// `kill -0` in the status command takes a zombie for alive, as real scripts do.
const STATUS: &str = "status() { [ -f $dir/pid ] || exit 3; kill -0 $(cat $dir/pid) 2>/dev/null && exit 0; exit 1; }";

#[tokio::test]
async fn a_killed_service_is_failed_at_once_even_as_a_zombie() {
    let bench = Bench::new(&format!("{STATUS}\nstatus")).await;
    // A child of this process that is not reaped: dead, it stays a zombie.
    let mut child = Command::new("/bin/sleep").arg("1000000").stdin(Stdio::null()).spawn().unwrap();
    fs::write(bench.path("pid"), child.id().to_string()).unwrap();
    let mut agent = bench.run(&[]).await;
    let first = agent.configure().await;
    assert_eq!((state(&first), first.seq), ("running".to_owned(), 1));
    // The next look by time is an hour away: only the death itself can be the cause.
    child.kill().unwrap();
    assert_eq!(agent.until_state("failed").await, ["failed"]);

    let request_id = Uuid::from_u128(77);
    agent.peer.send(Down::CheckNow(CheckNow { request_id, check_id: CHECK, target: SERVICE.into() })).await;
    let answer = agent.peer.until(|up| match up {
        Up::Observed(observed) if observed.request_id == Some(request_id) => Some(observed),
        _ => None,
    });
    assert_eq!(state(&answer.await), "failed");
    child.wait().unwrap();
}

#[tokio::test]
async fn a_service_that_its_stop_command_stops_was_never_failed() {
    let script = format!(
        "{STATUS}\ncase $1 in\n\
         stop) kill $(cat $dir/pid); while [ ! -f $dir/go ]; do sleep 0.05; done; rm $dir/pid;;\n\
         status) echo x >> $dir/looks; status;;\nesac"
    );
    let bench = Bench::new(&script).await;
    let mut child = Command::new("/bin/sleep").arg("1000000").stdin(Stdio::null()).spawn().unwrap();
    fs::write(bench.path("pid"), child.id().to_string()).unwrap();
    let mut agent = bench.run(&[]).await;
    assert_eq!(state(&agent.configure().await), "running");
    let looks = |bench: &Bench| fs::read_to_string(bench.path("looks")).unwrap().len();
    let before = looks(&bench);
    let mut stop = Command::new(bench.path("ctl")).arg("stop").spawn().unwrap();
    child.wait().unwrap();
    // It has been looked at while dead and the stop command at work.
    bench.until("looks at the dead service", |bench| looks(bench) > before + 6).await;
    fs::write(bench.path("go"), "").unwrap();
    assert_eq!(agent.until_state("stopped").await, ["stopped"]);
    stop.wait().unwrap();
}

#[tokio::test]
async fn an_undeclared_service_and_an_odd_exit_code_are_no_data() {
    let bench = Bench::new("exit 4").await;
    let mut agent = bench.run(&[]).await;
    let first = agent.configure().await;
    assert_eq!(state(&first), "no data: status said 4");
    let request_id = Uuid::from_u128(78);
    agent.peer.send(Down::CheckNow(CheckNow { request_id, check_id: Uuid::nil(), target: "x".into() })).await;
    let answer = agent.observed().await;
    assert!(matches!(answer.reading.seen, Seen::NoData { .. }));
    assert_eq!(answer.request_id, Some(request_id));
}

#[tokio::test]
async fn what_is_not_acked_is_sent_again_on_the_next_link_and_hello_has_the_levels() {
    let bench = Bench::new("exit 3").await;
    let mut agent = bench.run(&[]).await;
    let first = agent.configure().await;
    assert_eq!(state(&first), "stopped");
    drop(agent.peer);
    let mut peer = bench.server.accept().await;
    let (prove, hello) = crate::fake::welcome(&mut peer, &bench.host_key, crate::bench::TENANT, false).await;
    assert_eq!(prove.instance_id, agent.prove.instance_id);
    assert_eq!(hello.checks.len(), 1);
    let again = peer.until(|up| if let Up::Observed(observed) = up { Some(observed) } else { None }).await;
    assert_eq!((again.seq, &again.reading.seen), (1, &first.reading.seen));
}

#[tokio::test]
async fn the_agent_says_goodbye() {
    let bench = Bench::new("exit 3").await;
    let mut agent = bench.run(&[]).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(agent.process.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let reason = agent.peer.until(|up| if let Up::Goodbye { reason } = up { Some(reason) } else { None }).await;
    assert_eq!(reason, "shutdown");
    assert!(agent.process.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_second_agent_on_the_same_state_is_refused() {
    let bench = Bench::new("exit 3").await;
    let _agent = bench.run(&[]).await;
    let second = crate::bench::program().arg("run").arg("--state-dir").arg(bench.path("state")).output().await.unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8(second.stderr).unwrap().contains("another agent runs with"));
}

#[tokio::test]
async fn the_agent_says_how_its_host_looks_and_not_more_often_than_it_wants_to() {
    let bench = Bench::new("exit 0").await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    for n in 0..u128::from(constants::DIAGNOSTICS_PER_HOUR) + 1 {
        let question = Diagnose { request_id: Uuid::from_u128(n), target: Some(SERVICE.into()) };
        agent.peer.send(Down::Diagnose(question)).await;
    }
    let mut answered = Vec::new();
    while answered.len() < constants::DIAGNOSTICS_PER_HOUR as usize {
        let found = agent.peer.until(|up| if let Up::Diagnosed(diagnosed) = up { Some(diagnosed) } else { None }).await;
        assert!(found.sections.iter().any(|section| section.title == "Services"), "{found:?}");
        answered.push(found.request_id.as_u128());
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..u128::from(constants::DIAGNOSTICS_PER_HOUR)).collect::<Vec<_>>());
    assert!(bench.ledger().is_empty(), "nothing was run for it");
}
