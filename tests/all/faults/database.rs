//! PostgreSQL ends in the middle of a run, and comes back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use agent::journal::{Entry, Journal, Opened};
use embedded::{Cluster, Options, SUPERUSER};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::harness::{Bench, Known, Urls};
use super::judge::{Doubt, End, Promise, judge};
use super::leftovers;

const DATABASE: &str = "mendwright";
const PROMISE: Promise = Promise { effects: 1, end: End::Fixed, attempts: 1..=1, doubt: Doubt::No };

/// How PostgreSQL ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Stopped,
    Killed,
}

async fn start(options: &Options) -> Cluster {
    let options = options.clone();
    let started = tokio::task::spawn_blocking(move || Cluster::start(&options)).await;
    started.expect("no panic").expect("PostgreSQL starts")
}

async fn end(cluster: Cluster, how: How) {
    let ended = tokio::task::spawn_blocking(move || match how {
        How::Stopped => cluster.stop(super::harness::GUARD).expect("an orderly end"),
        How::Killed => {
            kill(Pid::from_raw(cluster.pid().cast_signed()), Signal::SIGKILL).expect("it runs");
            drop(cluster);
        }
    });
    ended.await.expect("no panic");
}

/// The service dies; its start command leaves its line and waits; PostgreSQL ends; the command goes on, and the host
/// has a result that nobody can store; PostgreSQL comes back.
async fn restarted_during_a_run(how: How) {
    let folder = leftovers::folder();
    // The account that PostgreSQL runs as must get to its folder.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("our folder");
    let options = Options::new(folder.join("cluster"));
    let cluster = start(&options).await;
    let url = |login: &str| cluster.url(login, DATABASE);
    store::migrate::prepare_cluster(&cluster.url(SUPERUSER, "postgres"), DATABASE).await.expect("roles and a database");
    store::migrate::migrate(&url("app_owner")).await.expect("the tables");
    let urls =
        Urls { login: url("app_login"), system: url("app_system"), owner: url("app_owner"), admin: url(SUPERUSER) };
    let mut bench = Bench::on(folder, urls, None, Known::Fix).await;
    bench.start_server(vec![]).await;
    bench.enrol().await;
    bench.start_agent(vec![]).await;
    bench.all_is_well().await;

    bench.victim.close_gate();
    bench.victim.break_it();
    bench.until("the fix is at work", async || !bench.victim.ledger().is_empty()).await;
    end(cluster, how).await;
    bench.victim.open_gate();
    bench.until("the host has a result", async || has_finished(&bench)).await;
    let cluster = start(&options).await;
    let findings = judge(&mut bench, &PROMISE).await;
    bench.rows.close().await;
    end(cluster, How::Stopped).await;
    assert_eq!(findings, []);
}

fn has_finished(bench: &Bench) -> bool {
    match Journal::open(&bench.path("agent/journal")) {
        Ok(Opened::Whole(_, entries)) => entries.iter().any(|entry| matches!(entry, Entry::Finished { .. })),
        _ => false,
    }
}

#[tokio::test]
async fn postgresql_stopped_during_a_run_loses_nothing() {
    restarted_during_a_run(How::Stopped).await;
}

#[tokio::test]
async fn postgresql_killed_during_a_run_loses_nothing() {
    restarted_during_a_run(How::Killed).await;
}
