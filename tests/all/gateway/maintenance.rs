//! Between the beginning of maintenance and the taking back of what waits there is no permit.

use super::*;

#[tokio::test]
async fn a_permit_asked_for_within_maintenance_is_refused_although_no_loop_was_there() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let run = world.run(host).await;
    world.queue(host, run).await;
    let job = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    let envelope: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    let sql = format!(
        "INSERT INTO maintenance_windows (tenant_id, window_id, name, scope_kind, scope_key, times, active, starts_at, ends_at)
         VALUES ('{}', '{}', 'Patch night', 'client', '{}', '{{}}', true, clock_timestamp(), clock_timestamp() + interval '1 hour')",
        world.tenant, run, world.client
    );
    world.rows.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    let digest = digest(job.envelope.as_bytes()).to_string();
    peer.send(Up::Start(Start { job: envelope.job, fence: 1, digest })).await;
    let answer = peer.until(|down| match down {
        Down::Withdraw { fence: 1, reason, .. } => Some(reason),
        Down::Permit { .. } => panic!("permitted"),
        _ => None,
    });
    assert_eq!(answer.await, "maintenance began");
    assert_eq!(world.count("jobs WHERE permitted_at IS NOT NULL").await, 0);
}
