//! Ways to get the guardrails wrong that look right: each is played beside the product in the same order of events, and
//! what the tables say must tell them apart. The interlock without its bucket's lock is in `stops`.

use engine::classify::Classify;
use engine::remediate::Remediate;
use engine::sweep::Sweep;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::hosts;
use store::remediate::guardrails::{self, Executed};
use store::remediate::jobs::{self, JobKey, Lease};
use uuid::Uuid;

use super::invariants;
use super::world::{Setup, World};

const ONE: &str = "  tenant: {runs_per_window: 9, window_secs: 600, in_flight: 1}\n  client: {runs_per_window: 50, window_secs: 600, in_flight: 50}\n";
const IN_FLIGHT: &str = "no more are in flight at once than may be";
const HOLDS: &str = "a run that is under way holds its admission";

/// How a worker takes the one flight there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worker {
    /// As the product does.
    Product,
    /// Locks and counts in one statement: the count is of before the wait for the lock.
    LockAndCountMerged,
    /// Locks, then counts, in a transaction whose snapshot is of before the wait.
    RepeatableRead,
}

/// Two broken hosts with planned runs, the buckets made; without the constraints that would refuse a second flight.
async fn two_planned(constraints: bool) -> World {
    let mut w = World::new(Setup { hosts: 2, limits: ONE, ..Setup::default() }).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w.work(&Classify).await;
    let mut tx = w.tx().await;
    let key = tx.tenant_id().to_string();
    guardrails::ensure(&mut tx, domain::remediate::guardrails::BucketKind::Tenant, &key).await.unwrap();
    tx.commit().await.unwrap();
    if !constraints {
        w.change("DROP INDEX guardrail_admissions_flight").await;
        w.change("ALTER TABLE guardrail_admissions DROP CONSTRAINT guardrail_admissions_slot").await;
    }
    w
}

const LOCK: &str =
    "SELECT scope_key FROM guardrail_buckets WHERE scope_kind = 'tenant' AND scope_key <> '*' FOR UPDATE";
const COUNT: &str = "SELECT count(*) FROM guardrail_admissions WHERE scope_kind = 'tenant' AND released_at IS NULL";

/// Takes a flight for the `nth` planned run in an open transaction.
async fn take(worker: &mut PgConnection, nth: usize) -> Result<(), sqlx::Error> {
    let insert = format!(
        "INSERT INTO guardrail_admissions (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until)
         SELECT b.tenant_id, b.scope_kind, b.scope_key, (SELECT run_id FROM runs ORDER BY planned_at, run_id OFFSET {nth} LIMIT 1), 1, 1, 1,
           clock_timestamp(), clock_timestamp() + interval '10 min'
         FROM guardrail_buckets b WHERE b.scope_kind = 'tenant' AND b.scope_key <> '*'"
    );
    worker.execute(AssertSqlSafe(insert)).await?;
    let admitted = format!(
        "UPDATE runs SET state = 'admitted', admitted_at = clock_timestamp(), due_at = NULL
         WHERE run_id = (SELECT run_id FROM runs ORDER BY planned_at, run_id OFFSET {nth} LIMIT 1)"
    );
    worker.execute(AssertSqlSafe(admitted)).await.map(|_| ())
}

/// One worker has taken the flight and not committed; the other comes meanwhile, and goes on after the commit. What
/// the second one's statement failed with, if it did.
async fn second_comes(w: &mut World, second: Worker) -> Option<String> {
    let mut first = PgConnection::connect(&w.db.admin_url()).await.unwrap();
    let mut other = PgConnection::connect(&w.db.admin_url()).await.unwrap();
    first.execute("BEGIN").await.unwrap();
    first.execute(LOCK).await.unwrap();
    take(&mut first, 0).await.unwrap();
    let store = w.node();
    let task = tokio::spawn(async move {
        match second {
            Worker::Product => {
                let cancel = tokio_util::sync::CancellationToken::new();
                engine::lease::run_until_idle(&store, &Remediate { batch: 1 }, &cancel).await.unwrap();
                return None;
            }
            Worker::LockAndCountMerged => {
                other.execute("BEGIN").await.unwrap();
                let merged = format!("SELECT ({COUNT}) FROM ({LOCK}) locked");
                let count: i64 = sqlx::query_scalar(AssertSqlSafe(merged)).fetch_one(&mut other).await.unwrap();
                if count > 0 {
                    return None;
                }
            }
            Worker::RepeatableRead => {
                other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
                other.execute(LOCK).await.unwrap();
                let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut other).await.unwrap();
                if count > 0 {
                    return None;
                }
            }
        }
        let taken = take(&mut other, 1).await;
        other.execute(if taken.is_ok() { "COMMIT" } else { "ROLLBACK" }).await.unwrap();
        taken.err().map(|error| error.to_string())
    });
    w.until_waiting(1).await;
    first.execute("COMMIT").await.unwrap();
    task.await.unwrap()
}

async fn in_flight(w: &mut World) -> i64 {
    w.one(COUNT).await
}

#[tokio::test]
async fn the_product_counts_after_it_has_the_lock_and_needs_no_constraint() {
    let mut w = two_planned(false).await;
    assert_eq!(second_comes(&mut w, Worker::Product).await, None);
    assert_eq!(in_flight(&mut w).await, 1);
    assert_eq!(invariants::broken(&mut w).await, []);
}

#[tokio::test]
async fn mutant_lock_and_count_merged_is_caught() {
    let mut w = two_planned(false).await;
    second_comes(&mut w, Worker::LockAndCountMerged).await;
    let caught = invariants::broken(&mut w).await;
    assert!(caught.iter().any(|(promise, _)| *promise == IN_FLIGHT), "{caught:?}");
}

#[tokio::test]
async fn mutant_repeatable_read_is_caught() {
    let mut w = two_planned(false).await;
    second_comes(&mut w, Worker::RepeatableRead).await;
    let caught = invariants::broken(&mut w).await;
    assert!(caught.iter().any(|(promise, _)| *promise == IN_FLIGHT), "{caught:?}");
}

#[tokio::test]
async fn what_both_get_wrong_the_constraint_refuses() {
    for mutant in [Worker::LockAndCountMerged, Worker::RepeatableRead] {
        let mut w = two_planned(true).await;
        let refused = second_comes(&mut w, mutant).await.expect("the constraint refuses the second flight");
        assert!(refused.contains("guardrail_admissions_"), "{refused}");
        assert_eq!(in_flight(&mut w).await, 1);
    }
}

/// Leases the host's job; the lease is over at once.
async fn lease(w: &mut World, instance: u128) -> (JobKey, i64) {
    let mut tx = w.tx().await;
    let host = w.hosts[0].host_id;
    let found = jobs::find_to_lease(&mut tx, host).await.unwrap().expect("a job is to be leased");
    let fence = hosts::take_fence(&mut tx, host).await.unwrap().unwrap();
    let lasts = std::time::Duration::from_secs(30);
    let lease = Lease { fence, instance_id: Uuid::from_u128(instance), envelope_digest: &[1; 32], lasts };
    jobs::mark_leased(&mut tx, &found.job.key, &lease).await.unwrap();
    tx.commit().await.unwrap();
    (found.job.key, fence)
}

/// Asks for a permit as the product gives it, or as one who skips the fence would.
async fn is_permitted(w: &mut World, key: &JobKey, fence: i64, skip_fence: bool) -> bool {
    if skip_fence {
        let mutant = format!(
            "UPDATE jobs SET state = 'permitted', lease_expires_at = NULL, permitted_at = clock_timestamp(),
               permit_ends_at = clock_timestamp() + interval '1 min'
             WHERE run_id = '{}' AND state IN ('leased', 'permitted') RETURNING run_id::text",
            key.run_id
        );
        return !w.list(&mutant).await.is_empty();
    }
    let mut tx = w.tx().await;
    let limit = std::time::Duration::from_secs(30);
    let permitted = jobs::mark_permitted(&mut tx, key, fence, limit).await.unwrap();
    tx.commit().await.unwrap();
    permitted
}

#[tokio::test]
async fn mutant_fence_check_skipped_lets_two_agents_act_and_the_product_one() {
    for (skip_fence, effects) in [(true, 2), (false, 1)] {
        let mut w = World::new(Setup::default()).await;
        w.breaks(w.hosts[0]).await;
        w.settle().await;
        let (key, old) = lease(&mut w, 1).await;
        w.pass(31);
        w.settle().await;
        w.work(&Sweep).await;
        let mut tx = w.tx().await;
        jobs::release_ended_leases(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let (again, new) = lease(&mut w, 2).await;
        assert!(again == key && new > old);
        // Both agents ask for their permit, the one that was away first. Each that gets one acts.
        let mut ledger = 0;
        for fence in [old, new] {
            ledger += usize::from(is_permitted(&mut w, &key, fence, skip_fence).await);
        }
        assert_eq!(ledger, effects, "skipped: {skip_fence}");
    }
}

#[tokio::test]
async fn mutant_release_on_lease_end_is_caught_and_the_product_holds_on() {
    for mutant in [true, false] {
        let mut w = World::new(Setup::default()).await;
        w.breaks(w.hosts[0]).await;
        w.settle().await;
        let key = w.permit(w.hosts[0]).await;
        // Long after every lease and every limit; nobody has heard of the runner, which lives.
        w.pass(3_600);
        w.settle().await;
        w.work(&Sweep).await;
        assert_eq!(w.runs().await, ["unknown"]);
        if mutant {
            let mut tx = w.tx().await;
            guardrails::release(&mut tx, key.run_id, "cannot_tell", Executed::Yes).await.unwrap();
            tx.commit().await.unwrap();
        }
        let caught = invariants::broken(&mut w).await;
        assert_eq!(caught.iter().any(|(promise, _)| *promise == HOLDS), mutant, "{caught:?}");
    }
}
