//! Workers in processes of their own on shared buckets, judged from the tables.

use std::process::{Command, Stdio};

use domain::detect::reading::Verdict;
use engine::classify::Classify;
use engine::lease::{Batch, Stage as _};
use engine::remediate::Remediate;
use store::{Clock, Store, StoreConfig};
use uuid::Uuid;

use super::invariants;
use super::world::{Setup, World};

/// Of each client.
const HOSTS: usize = 8;
const CLIENTS: usize = 3;
const LIMITS: &str = "  tenant: {runs_per_window: 15, window_secs: 600, in_flight: 9}\n  \
    client: {runs_per_window: 8, window_secs: 600, in_flight: 4}\n  host: {runs_per_hour: 10}\n";
/// What a worker's process is told by.
const TOLD: [&str; 4] =
    ["MENDWRIGHT_TEST_TENANT_URL", "MENDWRIGHT_TEST_SYSTEM_URL", "MENDWRIGHT_TEST_LOGIN", "MENDWRIGHT_TEST_WORKERS"];

/// Not a test of its own: one of the processes of those below, which call it by name.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process of the tests below"]
async fn process() {
    let [Some(tenant_url), Some(system_url), Some(login), Some(workers)] = TOLD.map(|name| std::env::var(name).ok())
    else {
        return;
    };
    let config = StoreConfig { tenant_url, system_url, tenant_connections: 8, clock: Clock::Database };
    let store = Store::connect(&config).unwrap();
    let login: Uuid = login.parse().unwrap();
    let workers = (0..workers.parse().unwrap()).map(|n: usize| {
        let store = store.clone();
        tokio::spawn(async move {
            let scope = store::auth::by_login(&store, login).await.unwrap().unwrap().scope;
            // Some decide one run at a time, some many.
            let stage = Remediate { batch: if n.is_multiple_of(2) { 1 } else { 20 } };
            while stage.work(&store, &scope).await.unwrap() == Batch::More {}
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

/// Three processes decide everything that is due.
async fn decide(w: &World, workers: usize) {
    let shares = [workers.div_ceil(3), workers / 3, workers - workers.div_ceil(3) - workers / 3];
    let (tenant, system, login) = (w.db.login_url(), w.db.system_url(), w.login_id.to_string());
    let processes = shares.map(|share| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["stages::workers::process", "--exact", "--ignored", "--nocapture"]);
        for (name, value) in TOLD.iter().zip([&tenant, &system, &login, &share.to_string()]) {
            command.env(name, value);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let ends = tokio::task::spawn_blocking(|| processes.map(|process| process.wait_with_output().unwrap()));
    for end in ends.await.unwrap() {
        assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
    }
}

async fn many(workers: usize) {
    let mut w = World::new(Setup { hosts: HOSTS, clients: CLIENTS, limits: LIMITS, ..Setup::default() }).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w.work(&Classify).await;
    decide(&w, workers).await;
    assert_eq!(invariants::broken(&mut w).await, []);
    let admitted = "SELECT count(*) FROM runs WHERE state = 'admitted'";
    assert_eq!(w.one::<i64>(admitted).await, 9, "as many as may be in flight, and no fewer");
    let decided = "SELECT count(*) FROM decisions WHERE stage = 'remediate'";
    assert_eq!(w.one::<i64>(decided).await, (HOSTS * CLIENTS) as i64, "each run was decided once");

    // Four of them end, and what they held is given to others while all work again.
    let busy = "SELECT host_id::text FROM jobs WHERE state = 'queued' ORDER BY host_id LIMIT 4";
    for host in w.list(busy).await {
        let host = *w.hosts.iter().find(|h| h.host_id.to_string() == host).unwrap();
        let key = w.permit(host).await;
        w.ends(&key, wire::v1::Ended::Exited { code: 0 }).await;
    }
    w.pass(4);
    w.work(&engine::verify::Verify).await;
    for host in w.hosts.clone() {
        w.answers(host, Verdict::Ok).await;
    }
    w.work(&engine::verify::Verify).await;
    w.pass(-4);
    decide(&w, workers).await;
    assert_eq!(invariants::broken(&mut w).await, []);
    let slots = "SELECT count(*) FROM guardrail_admissions WHERE scope_kind = 'tenant'";
    assert!(w.one::<i64>(slots).await <= 15, "the window of the organization");
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_in_three_processes_keep_every_promise_of_the_guardrails() {
    many(8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_workers_in_three_processes_keep_every_promise_of_the_guardrails() {
    many(16).await;
}
