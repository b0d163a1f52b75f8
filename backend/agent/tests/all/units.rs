//! A unit of systemd, watched and acted on by the agent's own program, over a bus of the test's own.

use wire::v1::{Ended, Observed, Refused, RefusedReason, Seen, Up, Value};

use crate::bench::{Bench, Linked, SERVICE, ended, state};
use crate::jobs::offer_of_the_servers_check;
use crate::systemd1::{Bus, Facts, Systemd, UNIT};

/// A host whose service is a unit that is as `facts` say, its agent linked and watching, and its first state.
async fn host(facts: Facts) -> (Bench, Bus, Systemd, Linked, String) {
    let dir = tempfile::tempdir().unwrap();
    let bus = Bus::new(dir.path()).await;
    let systemd = Systemd::new(&bus, facts).await;
    let toml = format!("bus = \"{}\"\n[services.{SERVICE}]\nunit = \"{UNIT}\"\n", bus.address());
    let bench = Bench::declared(dir, &toml).await;
    let mut agent = bench.run(&[]).await;
    let first = state(&agent.configure().await);
    (bench, bus, systemd, agent, first)
}

fn failed(result: &'static str) -> Facts {
    Facts::down("failed", "failed", result)
}

fn reading(observed: &Observed, name: &str) -> Value {
    match &observed.reading.seen {
        Seen::Data(readings) => readings[name].clone(),
        Seen::NoData { why } => panic!("{why}"),
    }
}

async fn refused(agent: &mut Linked) -> Refused {
    agent.peer.until(|up| if let Up::Refused(refused) = up { Some(refused) } else { None }).await
}

#[tokio::test]
async fn a_unit_that_a_person_stopped_is_no_failure_and_is_not_started() {
    let (_bench, _bus, mut systemd, mut agent, first) = host(Facts::running(7)).await;
    assert_eq!(first, "running");
    let stopping = Facts { job: Some("stop"), ..Facts::down("deactivating", "stop-sigterm", "success") };
    systemd.set(stopping).await;
    assert_eq!(state(&agent.observed().await), "stopping");
    systemd.set(Facts::down("inactive", "dead", "success")).await;
    let stopped = agent.observed().await;
    assert_eq!(state(&stopped), "stopped");
    let said = "stopped by a person (enabled); not watched while stopped";
    assert_eq!(reading(&stopped, "detail"), Value::Text(said.into()));
    agent.offer(5, &[&["{service.start}"]]).await;
    assert_eq!(refused(&mut agent).await.reason, RefusedReason::Recovered);
    assert!(systemd.is_untouched());
}

#[tokio::test]
async fn a_unit_that_obeyed_a_persons_stop_with_a_bad_exit_code_is_stopped() {
    let (_bench, _bus, mut systemd, mut agent, _) = host(Facts::running(7)).await;
    systemd.set(Facts { job: Some("stop"), ..Facts::down("deactivating", "stop-sigterm", "success") }).await;
    assert_eq!(state(&agent.observed().await), "stopping");
    systemd.set(failed("exit-code")).await;
    let stopped = agent.observed().await;
    assert_eq!(state(&stopped), "stopped");
    assert_eq!(reading(&stopped, "detail"), Value::Text("stopped by a person, after exit code 9".into()));
    assert!(systemd.is_untouched());
}

#[tokio::test]
async fn a_unit_that_systemd_restarts_by_itself_is_counted_and_not_raced() {
    let (_bench, _bus, mut systemd, mut agent, _) = host(Facts::running(7)).await;
    for restart in 1..=4 {
        let down = Facts { restarts: restart, ..Facts::down("activating", "auto-restart", "signal") };
        systemd.set(down).await;
        assert_eq!(agent.until_state("restarting").await, ["restarting"]);
        if restart == 1 {
            agent.offer(5, &[&["{service.start}"]]).await;
            let refusal = refused(&mut agent).await;
            assert_eq!(refusal.reason, RefusedReason::NoData);
            assert!(refusal.detail.starts_with("systemd restarts it by itself after signal 9"), "{}", refusal.detail);
        }
        systemd.set(Facts { restarts: restart, ..Facts::running(7 + restart) }).await;
        let up = agent.observed().await;
        assert_eq!((state(&up).as_str(), reading(&up, "restarts")), ("running", Value::Number(f64::from(restart))));
    }
    assert!(systemd.is_untouched());
}

#[tokio::test]
async fn a_unit_that_hit_its_start_limit_is_reset_and_started() {
    let (bench, _bus, mut systemd, mut agent, first) = host(failed("start-limit-hit")).await;
    assert_eq!(first, "failed");
    agent.offer(5, &[&["{service.start}"]]).await;
    agent.permit().await;
    assert_eq!((systemd.called().await, systemd.called().await), ("reset", "start"));
    systemd.set(Facts { job: Some("start"), ..Facts::down("activating", "start", "success") }).await;
    agent.until_state("starting").await;
    systemd.end("done", Facts::running(8)).await;
    // Either may come first.
    let (mut result, mut runs) = (None, false);
    let both = agent.peer.until(|up| {
        match up {
            Up::Result(sent) => result = Some(sent),
            Up::Observed(observed) => runs |= state(&observed) == "running",
            _ => {}
        }
        if runs { result.take() } else { None }
    });
    let body = bench.verified(&both.await);
    assert_eq!(ended(&body), &Ended::Exited { code: 0 });
    let said = "shop-web.service: it had failed (start limit hit (5 starts): systemd starts it no more until it is \
                reset), reset; start done; process 8 runs\n";
    assert_eq!(body.output_digest, keys::digest(said.as_bytes()).to_string());
    assert!(systemd.is_untouched());
}

#[tokio::test]
async fn a_start_that_systemd_could_not_do_is_a_failed_step() {
    let (bench, _bus, mut systemd, mut agent, _) = host(failed("exit-code")).await;
    agent.offer(5, &[&["{service.restart}"], &["/bin/true"]]).await;
    agent.permit().await;
    assert_eq!((systemd.called().await, systemd.called().await), ("reset", "restart"));
    systemd.end("failed", failed("exit-code")).await;
    let body = agent.result(&bench).await;
    assert_eq!((ended(&body), body.steps.len()), (&Ended::Exited { code: 1 }, 1));
}

#[tokio::test]
async fn a_slow_starter_is_waited_for() {
    let (_bench, _bus, mut systemd, mut agent, first) = host(Facts::down("activating", "start", "success")).await;
    assert_eq!(first, "starting");
    agent.offer(5, &[&["{service.start}"]]).await;
    let refusal = refused(&mut agent).await;
    assert_eq!(refusal.reason, RefusedReason::NoData);
    assert!(refusal.detail.ends_with("s of at most 90"), "{}", refusal.detail);
    systemd.set(Facts::running(9)).await;
    agent.until_state("running").await;
    assert!(systemd.is_untouched());
}

#[tokio::test]
async fn a_one_shot_may_be_done_and_is_run_again_when_it_failed() {
    let oneshot = |facts| Facts { kind: "oneshot", ..facts };
    let done = oneshot(Facts { sub: "exited", ..Facts::running(0) });
    let (bench, _bus, mut systemd, mut agent, first) = host(done).await;
    assert_eq!(first, "running");
    systemd.set(oneshot(Facts::down("inactive", "dead", "success"))).await;
    let stopped = agent.observed().await;
    let said = Value::Text("a one-shot that is done; inactive is normal".into());
    assert_eq!((state(&stopped).as_str(), reading(&stopped, "detail")), ("stopped", said));
    systemd.set(oneshot(failed("exit-code"))).await;
    agent.until_state("failed").await;
    agent.offer(5, &[&["{service.start}"]]).await;
    agent.permit().await;
    assert_eq!((systemd.called().await, systemd.called().await), ("reset", "start"));
    systemd.end("done", oneshot(Facts::down("inactive", "dead", "success"))).await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
}

#[tokio::test]
async fn what_a_run_stopped_and_did_not_start_again_is_no_persons_stop() {
    let (bench, _bus, mut systemd, mut agent, _) = host(failed("signal")).await;
    agent.offer(5, &[&["{service.stop}"], &["/bin/false"]]).await;
    agent.permit().await;
    assert_eq!(systemd.called().await, "stop");
    systemd.end("done", Facts::down("inactive", "dead", "success")).await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 1 });
    let seen = agent.until_state("no data: stopped by a run, and not started again").await;
    assert!(!seen.contains(&"stopped".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn a_bus_that_went_away_is_no_data_until_it_is_back() {
    let (bench, bus, systemd, mut agent, first) = host(Facts::running(7)).await;
    assert_eq!(first, "running");
    bus.kill().await;
    drop(systemd);
    let lost = state(&agent.observed().await);
    assert!(lost.starts_with("no data: shop-web.service: systemd does not answer"), "{lost}");
    let bus = Bus::new(bench.dir.path()).await;
    let systemd = Systemd::new(&bus, Facts::running(7)).await;
    agent.until_state("running").await;
    systemd.set(failed("signal")).await;
    agent.until_state("failed").await;
}

#[tokio::test]
async fn a_masked_unit_is_left_alone_and_an_unknown_one_is_no_data() {
    let masked = Facts { load: "masked", ..Facts::down("inactive", "dead", "success") };
    let (_bench, _bus, mut systemd, mut agent, first) = host(masked).await;
    assert_eq!(first, "stopped");
    systemd.set(Facts { load: "not-found", ..Facts::down("inactive", "dead", "success") }).await;
    assert_eq!(state(&agent.observed().await), "no data: systemd knows no such unit");
    agent.offer(5, &[&["{service.start}"]]).await;
    assert_eq!(refused(&mut agent).await.reason, RefusedReason::NoData);
    assert!(systemd.is_untouched());
}

#[tokio::test]
async fn a_fix_of_another_check_leaves_a_stopped_or_starting_unit_alone_and_runs_a_one_shot_that_is_done() {
    let down = Facts::down("inactive", "dead", "success");
    for (facts, says) in [
        (down.clone(), "service shop-web was stopped on purpose (stopped by a person (enabled)"),
        (Facts::down("activating", "auto-restart", "signal"), "it cannot be told whether service shop-web was stopped"),
    ] {
        let (_bench, _bus, mut systemd, mut agent, _) = host(facts).await;
        offer_of_the_servers_check(&mut agent).await;
        let refusal = refused(&mut agent).await;
        assert_eq!(refusal.reason, RefusedReason::Precondition);
        assert!(refusal.detail.starts_with(says), "{}", refusal.detail);
        assert!(systemd.is_untouched());
    }
    let oneshot = Facts { kind: "oneshot", ..down };
    let (bench, _bus, mut systemd, mut agent, _) = host(oneshot.clone()).await;
    offer_of_the_servers_check(&mut agent).await;
    agent.permit().await;
    assert_eq!(systemd.called().await, "start");
    systemd.end("done", oneshot).await;
    assert_eq!(ended(&agent.result(&bench).await), &Ended::Exited { code: 0 });
}
