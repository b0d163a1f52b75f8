//! Look again before acting, where the triggering check is the server's own.

use store::detect::check_requests::LOOK_AGAIN;
use store::detect::observations::{self, NewObservation};

use super::*;

/// The world's check becomes one that the server looks at, and a run of its alert waits for its host.
async fn queued(world: &mut World) -> (Uuid, Peer, Uuid) {
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (tenant, client, check) = (world.tenant, world.client, world.check);
    let sql = format!(
        "INSERT INTO probes (tenant_id, client_id, host_id, check_id, due_at) VALUES ('{tenant}', '{client}', '{host}', '{check}', 'infinity')"
    );
    world.rows.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    let (peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let run = world.run(host).await;
    world.queue(host, run).await;
    world.appears("check_requests").await;
    (host, peer, run)
}

/// The server's probe has looked.
async fn looks(world: &mut World, host: Uuid, verdict: &str) {
    let sql = "SELECT request_id FROM check_requests WHERE answered_at IS NULL";
    let request: Uuid = sqlx::query_scalar(sql).fetch_one(&mut world.rows).await.unwrap();
    let subject = Subject { client_id: world.client, host_id: host, check_id: world.check, target: "shop".into() };
    let mut tx = world.tx().await;
    let now = tx.now().await.unwrap();
    let seen = domain::detect::Seen::NoData { why: "of no interest here".into() };
    let verdict = domain::detect::Verdict::parse(verdict).unwrap();
    let new = NewObservation { subject: &subject, observed_at: now, seen: &seen, verdict, request_id: Some(request) };
    observations::insert(&mut tx, &new).await.unwrap();
    assert!(check_requests::mark_answered(&mut tx, &subject, request).await.unwrap());
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_job_is_handed_out_only_after_the_server_looked_and_it_was_still_bad() {
    let mut world = world().await;
    let (host, mut peer, _) = queued(&mut world).await;
    assert_eq!(world.count(&format!("check_requests WHERE asked_for = '{LOOK_AGAIN}'")).await, 1);
    assert_eq!(world.count("probes WHERE due_at < 'infinity'").await, 1, "the look is due now");
    assert_eq!(world.count("jobs WHERE state = 'queued'").await, 1);
    looks(&mut world, host, "critical").await;
    let envelope = peer
        .until(|down| match down {
            Down::Job(job) => Some(keys::parse_canonical::<Envelope>(&job.envelope).unwrap()),
            Down::CheckNow(asked) => panic!("the host cannot answer {asked:?}"),
            _ => None,
        })
        .await;
    assert!(envelope.server_looked);
    assert_eq!(world.count("jobs WHERE state = 'leased'").await, 1);
}

#[tokio::test]
async fn what_is_ok_again_by_then_is_not_run_and_nobody_is_called() {
    let mut world = world().await;
    let (host, _peer, run) = queued(&mut world).await;
    looks(&mut world, host, "ok").await;
    world.appears(&format!("runs WHERE run_id = '{run}' AND state = 'cancelled'")).await;
    assert_eq!(world.count("jobs WHERE state = 'withdrawn'").await, 1);
    assert_eq!(world.count("incidents WHERE outcome = 'recovered'").await, 1);
    assert_eq!(world.count("jobs WHERE fence IS NOT NULL").await, 0, "it was never handed out");
}

#[tokio::test]
async fn no_data_is_no_reason_to_act() {
    let mut world = world().await;
    let (host, _peer, run) = queued(&mut world).await;
    looks(&mut world, host, "no_data").await;
    world.appears(&format!("runs WHERE run_id = '{run}' AND state = 'refused'")).await;
    assert_eq!(world.count("jobs WHERE state = 'withdrawn' AND fence IS NULL").await, 1);
    assert_eq!(world.count("incidents WHERE state = 'escalated'").await, 1);
}
