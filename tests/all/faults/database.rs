//! PostgreSQL ends in the middle of a run, and comes back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use embedded::{Cluster, Options, SUPERUSER};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cases::Case;
use super::harness::{GUARD, Urls};

const DATABASE: &str = "mendwright";

/// How PostgreSQL ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// In order.
    Stopped,
    /// By `kill -9`.
    Killed,
}

/// A cluster of one bench's own, durable as in earnest.
pub struct OwnCluster {
    options: Options,
    running: Option<Cluster>,
}

impl OwnCluster {
    /// Up, in `folder`, with the empty migrated database.
    pub async fn new(folder: &Path) -> (OwnCluster, Urls) {
        // The account that PostgreSQL runs as must get to its folder.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("our folder");
        let mut own = OwnCluster { options: Options::new(folder.join("cluster")), running: None };
        own.start().await;
        let cluster = own.running.as_ref().expect("it was started");
        let url = |login: &str| cluster.url(login, DATABASE);
        let admin = cluster.url(SUPERUSER, "postgres");
        store::migrate::prepare_cluster(&admin, DATABASE).await.expect("roles and a database");
        store::migrate::migrate(&url("app_owner")).await.expect("the tables");
        let urls =
            Urls { login: url("app_login"), system: url("app_system"), owner: url("app_owner"), admin: url(SUPERUSER) };
        (own, urls)
    }

    /// Starts it on its folder.
    pub async fn start(&mut self) {
        let options = self.options.clone();
        let started = tokio::task::spawn_blocking(move || Cluster::start(&options)).await;
        self.running = Some(started.expect("no panic").expect("PostgreSQL starts"));
    }

    /// Ends it.
    pub async fn end(&mut self, how: How) {
        let cluster = self.running.take().expect("it runs");
        let ended = tokio::task::spawn_blocking(move || match how {
            How::Stopped => cluster.stop(GUARD).expect("an orderly end"),
            How::Killed => {
                kill(Pid::from_raw(cluster.pid().cast_signed()), Signal::SIGKILL).expect("it runs");
                drop(cluster);
            }
        });
        ended.await.expect("no panic");
    }
}

async fn holds(case: Case) {
    let played = case.play().await;
    assert_eq!(played.findings, [], "{case:?}");
}

#[tokio::test]
async fn postgresql_stopped_during_a_run_loses_nothing() {
    holds(Case::Database(How::Stopped)).await;
}

#[tokio::test]
async fn postgresql_killed_during_a_run_loses_nothing() {
    holds(Case::Database(How::Killed)).await;
}
