//! Reports become rows: the newest as it is, minutes as means, and rollups; bounded, and never in the way.

use super::*;

fn report(age_secs: u64, busy: f64) -> Up {
    Up::Report(Report {
        age_ms: age_secs * 1000,
        over_ms: 10_000,
        cpu: Some(CpuUse { cores: 2, busy, nice: 0.0, iowait: 0.0, steal: 0.0 }),
        services: vec![ServiceState { name: "shop".into(), state: "running".into(), watched: true }],
        ..Report::default()
    })
}

async fn sum(world: &mut World, sql: &str) -> f64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut world.rows).await.unwrap()
}

#[tokio::test]
async fn what_a_host_kept_while_it_was_offline_becomes_minutes_and_the_newest_is_shown() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    // Ten minutes of reports, oldest first, as an agent sends them when it comes back.
    for n in (0..60).rev() {
        peer.send(report(n * 10, if n == 0 { 80.0 } else { 20.0 })).await;
    }
    world.appears("host_now WHERE samples[1] = 80").await;
    let service = "host_now WHERE extra->'services'->0->>'state' = 'running' AND extra->>'cores' = '2'";
    assert_eq!(world.count(service).await, 1);
    // Every minute but the open one has its mean, once.
    let closed = world.count("host_metrics WHERE samples[1] = 20 AND samples[5] IS NULL").await;
    assert!((9..=10).contains(&closed), "{closed} minutes");
    assert_eq!(world.count("host_metrics").await, closed);

    // The link's end closes the open minute and rolls everything up.
    drop(peer);
    world.appears("host_links WHERE unlinked_at IS NOT NULL").await;
    assert_eq!(world.count("host_metrics").await, closed + 1);
    let (five, hours) = (world.count("host_metrics_5m").await, world.count("host_metrics_1h").await);
    assert!((2..=3).contains(&five) && (1..=2).contains(&hours), "{five} five minutes, {hours} hours");
    let minutes =
        "SELECT max(samples[1])::float8 FROM host_metrics_5m WHERE at = (SELECT min(at) FROM host_metrics_5m)";
    assert_eq!(sum(&mut world, minutes).await, 20.0);
    let last = sum(&mut world, "SELECT samples[1]::float8 FROM host_metrics_5m ORDER BY at DESC LIMIT 1").await;
    assert!(last > 20.0 && last <= 80.0, "{last}");

    // A later link goes on with the same window: it is rolled up anew from all its minutes.
    let before = world.count("host_metrics_5m").await;
    let (mut peer, _) = world.link(host, Uuid::from_u128(2), 0).await;
    peer.send(report(0, 50.0)).await;
    world.appears("host_now WHERE samples[1] = 50").await;
    drop(peer);
    world.appears("host_links WHERE unlinked_at IS NOT NULL AND epoch = 2").await;
    assert!((before..=before + 1).contains(&world.count("host_metrics_5m").await));
}

#[tokio::test]
async fn a_host_that_floods_is_dropped_and_its_readings_still_count() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    for n in 0..500 {
        peer.send(report(0, f64::from(n % 100))).await;
    }
    // Answered on the same link after all of them.
    peer.observe(world.check, 1, "running", None).await;
    assert_eq!(world.count("host_now").await, 1);
    assert!(world.count("host_metrics").await <= 1);
    let newest = sum(&mut world, "SELECT samples[1]::float8 FROM host_now").await;
    assert!(newest < 99.0, "the last reports were dropped, and {newest} is not of them");
}

#[tokio::test]
async fn a_report_of_a_day_without_a_partition_is_lost_and_nothing_else() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let drop_all = "DO $$ DECLARE t text; BEGIN FOR t IN SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent = 'host_metrics'::regclass LOOP EXECUTE 'DROP TABLE ' || t; END LOOP; END $$";
    world.rows.execute(sqlx::raw_sql(drop_all)).await.unwrap();
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    peer.send(report(120, 1.0)).await;
    peer.send(report(0, 2.0)).await;
    peer.send(report(0, 3.0)).await;
    peer.observe(world.check, 1, "running", None).await;
    assert_eq!(world.count("host_now WHERE samples[1] = 3").await, 1);
}

#[tokio::test]
async fn reports_over_the_plans_rate_are_not_kept_and_counted_and_everything_else_is_taken() {
    let mut world = world().await;
    let plan = "INSERT INTO plans (plan, max_reports) VALUES ('small', 1); UPDATE tenants SET plan = 'small'";
    world.rows.execute(sqlx::raw_sql(plan)).await.unwrap();
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let run = world.run(host).await;
    world.queue(host, run).await;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let job = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    // One a minute, of which ten minutes are saved up.
    for n in 0..60 {
        peer.send(report(0, f64::from(n))).await;
    }
    // What a check sees, the permit, and how the fix ended go on beside it.
    peer.observe(world.check, 1, "failed", None).await;
    let envelope: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    let digest = digest(job.envelope.as_bytes()).to_string();
    peer.send(Up::Start(Start { job: envelope.job, fence: envelope.fence, digest })).await;
    peer.until(|down| matches!(down, Down::Permit { .. }).then_some(())).await;
    world.appears("signals WHERE kind = 'raised'").await;
    let newest = sum(&mut world, "SELECT samples[1]::float8 FROM host_now").await;
    assert_eq!(newest, 9.0, "the first ten are kept");
    drop(peer);
    world.appears("ingest_days").await;
    assert_eq!(world.count("ingest_days WHERE not_kept = 50").await, 1);

    // Coming back brings no more; a plan without a limit keeps everything, from the next minute on.
    let (mut peer, _) = world.link(host, Uuid::from_u128(2), 0).await;
    peer.send(report(0, 77.0)).await;
    peer.observe(world.check, 2, "failed", None).await;
    assert_eq!(world.count("host_now WHERE samples[1] = 77").await, 0);
}
