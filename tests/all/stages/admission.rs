//! Many workers on one bucket, judged from the tables.

use std::sync::Arc;

use domain::classify::Mode;
use domain::remediate::decide::{Answer, Facts, decide};
use engine::classify::Classify;
use engine::lease::{Batch, Stage as _};
use engine::remediate::Remediate;
use store::Store;
use store::remediate::guardrails::{self, buckets_of};
use store::remediate::runs;
use tokio::sync::Barrier;
use uuid::Uuid;

use super::world::{Setup, World};

const HOSTS: usize = 12;
const IN_FLIGHT: i64 = 4;
const LIMITS: &str = "  tenant: {runs_per_window: 9, window_secs: 600, in_flight: 4}\n  client: {runs_per_window: 50, window_secs: 600, in_flight: 50}\n";

/// Twelve hosts broke, and each has a planned run.
async fn planned() -> World {
    let mut w = World::new(Setup { hosts: HOSTS, limits: LIMITS, ..Setup::default() }).await;
    for n in 0..HOSTS {
        w.breaks(w.hosts[n]).await;
    }
    w.work(&Classify).await;
    w
}

/// What must hold whoever decided: flights and slots are single, and each admission has its job.
async fn judge(w: &mut World) {
    let admitted = w.runs().await.iter().filter(|state| *state == "admitted").count() as i64;
    assert_eq!(admitted, IN_FLIGHT, "as many as may be in flight, and no fewer");
    for number in ["flight_no", "slot_no"] {
        let doubled = format!(
            "SELECT count(*) FROM (SELECT 1 FROM guardrail_admissions WHERE released_at IS NULL AND {number} IS NOT NULL
             GROUP BY scope_kind, scope_key, {number} HAVING count(*) > 1) d"
        );
        assert_eq!(w.one::<i64>(&doubled).await, 0, "{number}");
    }
    let of_tenant = "SELECT count(*) FROM guardrail_admissions WHERE scope_kind = 'tenant'";
    assert_eq!(w.one::<i64>(of_tenant).await, IN_FLIGHT);
}

/// Nodes of their own, each deciding one run at a time, none waiting for another's claim.
async fn race(workers: usize) {
    let mut w = planned().await;
    let start = Arc::new(Barrier::new(workers));
    let all: Vec<_> = (0..workers)
        .map(|_| {
            let (store, login, start) = (w.node(), w.login_id, start.clone());
            tokio::spawn(async move {
                let scope = store::auth::by_login(&store, login).await.unwrap().unwrap().scope;
                start.wait().await;
                let one_by_one = Remediate { batch: 1 };
                while one_by_one.work(&store, &scope).await.unwrap() == Batch::More {}
            })
        })
        .collect();
    for worker in all {
        worker.await.unwrap();
    }
    judge(&mut w).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM jobs").await, IN_FLIGHT, "a job for each admission");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM runs WHERE state = 'held'").await, HOSTS as i64 - IN_FLIGHT);
    let decided = "SELECT count(*) FROM decisions WHERE stage = 'remediate'";
    assert_eq!(w.one::<i64>(decided).await, HOSTS as i64, "each run was decided once");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_admit_as_many_as_the_limit_says() {
    race(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_admit_as_many_as_the_limit_says() {
    race(8).await;
}

/// One admission as a worker without any lock would make it: all have read before one writes.
async fn admit_unlocked(store: &Store, w: &World, run_id: Uuid, all_have_read: &Barrier) -> Result<bool, String> {
    let mut tx = store.begin(&w.member.scope).await.unwrap();
    let run = runs::find(&mut tx, run_id).await.unwrap().unwrap();
    let keys = buckets_of(tx.tenant_id(), run.client_id, run.host_id, run.playbook_id);
    let now = tx.now().await.unwrap();
    let buckets = guardrails::read(&mut tx, &keys).await.unwrap();
    all_have_read.wait().await;
    let decided = decide(&Facts {
        now,
        mode: Mode::Auto,
        platform_frozen: false,
        platform_storm: None,
        clock_jump: None,
        escalate_only: false,
        needs_person: false,
        approved_by: None,
        quarantined: None,
        host_busy: false,
        stops: Vec::new(),
        weight: 1,
        share: None,
        damage: None,
        storm: None,
        breakers: Vec::new(),
        // The high-water mark moves under the others' feet, and is no part of what is shown here.
        buckets: buckets
            .into_iter()
            .map(|b| domain::remediate::guardrails::BucketFacts { clock_high: now, ..b.seen_by(run_id) })
            .collect(),
    });
    let Answer::Run { slots } = decided.answer else { return Ok(false) };
    match guardrails::admit(&mut tx, &[guardrails::Taken { run_id, attempt: 1, slots: &slots }]).await {
        Ok(()) => tx.commit().await.map(|()| true).map_err(|e| e.to_string()),
        Err(e) => Err(e.conflict().map_or_else(|| e.to_string(), str::to_owned)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_lock_removed_the_constraints_still_hold_the_limit() {
    let mut w = planned().await;
    let ids: Vec<Uuid> = w
        .list("SELECT run_id::text FROM runs ORDER BY planned_at, run_id")
        .await
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    for id in &ids {
        let mut tx = w.tx().await;
        let run = runs::find(&mut tx, *id).await.unwrap().unwrap();
        for (kind, key) in buckets_of(tx.tenant_id(), run.client_id, run.host_id, run.playbook_id) {
            guardrails::ensure(&mut tx, kind, &key).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let (mut waiting, mut conflicts, mut rounds) = (ids, Vec::new(), 0);
    while !waiting.is_empty() && rounds < 20 {
        rounds += 1;
        let barrier = Barrier::new(waiting.len());
        let stores: Vec<Store> = waiting.iter().map(|_| w.node()).collect();
        let tries = waiting.iter().zip(&stores).map(|(id, store)| admit_unlocked(store, &w, *id, &barrier));
        let ends = futures_util::future::join_all(tries).await;
        let mut left = Vec::new();
        for (id, end) in waiting.iter().zip(ends) {
            match end {
                Ok(true) => {}
                Ok(false) => left.push(*id),
                Err(why) => {
                    conflicts.push(why);
                    left.push(*id);
                }
            }
        }
        if left.len() == waiting.len() && conflicts.is_empty() {
            break;
        }
        waiting = left;
    }
    assert!(
        conflicts.iter().any(|c| c.starts_with("guardrail_admissions_")),
        "the constraint was never asked: {conflicts:?}"
    );
    let known = |c: &String| c.starts_with("guardrail_admissions_") || c == "deadlock" || c == "serialization";
    assert!(conflicts.iter().all(known), "{conflicts:?}");
    let taken = "SELECT count(*) FROM guardrail_admissions WHERE scope_kind = 'tenant' AND released_at IS NULL";
    assert_eq!(w.one::<i64>(taken).await, IN_FLIGHT);
    let doubled =
        "SELECT count(*) FROM (SELECT 1 FROM guardrail_admissions WHERE released_at IS NULL AND flight_no IS NOT NULL
                   GROUP BY scope_kind, scope_key, flight_no HAVING count(*) > 1) d";
    assert_eq!(w.one::<i64>(doubled).await, 0);
}
