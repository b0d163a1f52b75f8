//! Files that are applied at once, and while runs are admitted.

use engine::lease::run_until_idle;
use engine::remediate::Remediate;
use tokio_util::sync::CancellationToken;

use super::Desk;
use crate::stages::world::{Setup, World, document};
use crate::support::TestDb;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_at_once_makes_everything_once() {
    let db = TestDb::new().await;
    let desk = Desk::fresh(&db);
    let file = document(&Setup { hosts: 3, ..Setup::default() });
    desk.apply("tenant: {name: Harbour}\nmembers: [{name: Owner, email: owner@harbour.example, role: owner, password_env: P}]\n").await;
    let more = format!("{file}  - {{name: Another, mode: observe, when: {{client: Alder}}, ladder: [{{playbook: restart-service, parameters: {{service: x}}}}], verify: {{settle_secs: 1, stable_secs: 3}}}}\n")
        .replace("role: owner, password_env: PASSWORD}]", "role: owner}, {name: New, email: new@harbour.example, role: viewer, password_env: P}]");
    let at_once = futures_util::future::join_all((0..6).map(|_| desk.apply(&more))).await;
    assert_eq!(at_once.iter().map(|seeded| seeded.hosts.len()).sum::<usize>(), 3, "one of them planned the hosts");
    assert_eq!(at_once.iter().filter(|seeded| !seeded.report.is_empty()).count(), 1);
    let mut rows = db.admin().await;
    for (table, count) in
        [("clients", 1), ("enrolments", 3), ("mapping_versions", 2), ("memberships", 2), ("logins", 2)]
    {
        let sql = format!("SELECT count(*) FROM {table}");
        let n: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut rows).await.unwrap();
        assert_eq!(n, count, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_demote_and_tighten_never_deadlock_with_admissions() {
    let setup = || Setup {
        hosts: 6,
        limits: "  client: {runs_per_window: 25, window_secs: 600}\n",
        connections: 10,
        ..Setup::default()
    };
    let mut w = World::new(setup()).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w.work(&engine::classify::Classify).await;
    let desk = Desk::in_world(&w);
    let (watch, ask) = ("mode: observe", "mode: approve");
    let files: Vec<String> = [(watch, 20), (ask, 15), (watch, 10), (ask, 5)]
        .map(|(mode, n)| {
            document(&setup())
                .replace("mode: auto", mode)
                .replace("runs_per_window: 25", &format!("runs_per_window: {n}"))
        })
        .to_vec();
    let (work, store) = (CancellationToken::new(), w.store.clone());
    let stage = Remediate { batch: 2 };
    let admitting = async {
        while !work.is_cancelled() {
            run_until_idle(&store, &stage, &work).await.expect("no admission loses its locks");
            tokio::task::yield_now().await;
        }
    };
    let applying = async {
        for file in files.iter().cycle().take(12) {
            desk.apply(file).await;
        }
        work.cancel();
    };
    tokio::join!(admitting, applying);
    w.settle().await;
    let open = "SELECT count(*) FROM runs WHERE mode <> 'observe' AND state IN ('planned', 'held', 'admitted')";
    assert_eq!(w.one::<i64>(open).await, 0, "nothing goes on in a mode that its mapping has left");
}
