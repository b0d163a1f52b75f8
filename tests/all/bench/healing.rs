//! Crash → healed → verified, through the server; and how many runs a second are admitted.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use sqlx::postgres::PgPool;

use super::{Bench, LIMITS, STABLE_SECS, fleet, number, spread, until};

/// Tenants like the one of the seed, each with hosts of twenty clients, an open incident and a planned run on each host.
/// No agent is linked: what is measured is the way from *planned* to *admitted*, with decision, audit entry and job.
fn planned(tenants: u32, hosts: u32) -> String {
    format!(
        "{}
         INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at)
           SELECT tenant_id, client_id, id, 'bench', 'critical', 'open', clock_timestamp() FROM h;
         INSERT INTO alerts (tenant_id, client_id, alert_id, incident_id, host_id, check_id, target, fingerprint, severity, state, opened_at, newest_version)
           SELECT h.tenant_id, h.client_id, h.id, h.id, h.id, k.check_id, 'shop', decode(md5(h.id::text), 'hex'), 'critical', 'open', clock_timestamp(), 1
           FROM h JOIN checks k ON k.tenant_id = h.tenant_id AND k.name = 'Shop 0 runs';
         INSERT INTO remediations (tenant_id, client_id, remediation_id, alert_id, incident_id, mapping_id, mapping_version, opened_at)
           SELECT h.tenant_id, h.client_id, h.id, h.id, h.id, m.mapping_id, 1, clock_timestamp() FROM h JOIN mappings m ON m.tenant_id = h.tenant_id AND m.name = 'Shop 0 is started again';
         INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung, playbook_id, playbook_digest,
             parameters, mode, state, planned_at, due_at)
           SELECT h.tenant_id, h.client_id, h.id, h.id, h.id, h.id, h.id, k.check_id, 'shop', 1, p.playbook_id, p.digest,
             '{{\"service\": \"shop\"}}', 'auto', 'planned', clock_timestamp(), clock_timestamp()
           FROM h JOIN checks k ON k.tenant_id = h.tenant_id AND k.name = 'Shop 0 runs' JOIN playbook_versions p ON p.tenant_id = h.tenant_id;
         INSERT INTO tenant_wakeups (tenant_id, queue, due_at) SELECT tenant_id, 'remediate', clock_timestamp() FROM t;
         SELECT pg_notify('mendwright.remediate', 'bench');
         DROP TABLE seed, t, c, h;",
        fleet::others(tenants) + &fleet::hosts(20, hosts)
    )
}

/// Runs admitted a second, from the commit that planned them to the last admission.
async fn admissions(rows: &PgPool, tenants: u32, hosts: u32) -> f64 {
    let before = number(rows, "SELECT count(*)::float8 FROM runs WHERE admitted_at IS NOT NULL").await;
    let mut tx = rows.begin().await.unwrap();
    // A fix at each of a hundred organizations within seconds is what the platform's storm is for.
    let lifted = "UPDATE platform_state SET storm_looked_at = clock_timestamp() + interval '1 day'";
    sqlx::raw_sql(lifted).execute(&mut *tx).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(planned(tenants, hosts))).execute(&mut *tx).await.unwrap();
    let began: f64 =
        sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp())::float8").fetch_one(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let all = f64::from(tenants * hosts);
    let admitted = "SELECT count(*)::float8 FROM runs WHERE admitted_at IS NOT NULL";
    until(rows, "every planned run is admitted", admitted, before + all).await;
    let ended = number(rows, "SELECT extract(epoch FROM max(admitted_at))::float8 FROM runs").await;
    (all / (ended - began)).round()
}

/// Where the time goes: medians over the runs, each from the one before it, by the database's clock.
async fn phases(rows: &PgPool) -> serde_json::Value {
    let names = [
        "observed to planned",
        "admitted",
        "permitted",
        "ended",
        "asked first",
        "answered",
        "looked at",
        "asked again",
        "answered",
        "all answered",
        "verdict",
    ];
    let medians: Vec<f64> = sqlx::query_scalar(
        "WITH of_run AS (SELECT r.run_id, r.planned_at, r.ended_at, v.first_ok_at, v.request_id,
             (SELECT max(o.received_at) FROM observations o WHERE o.check_id = r.check_id AND o.host_id = r.host_id AND o.received_at <= r.planned_at) AS observed,
             (SELECT min(e.at) FROM run_events e WHERE e.run_id = r.run_id AND e.to_state = 'admitted') AS admitted,
             (SELECT min(e.at) FROM run_events e WHERE e.run_id = r.run_id AND e.to_state = 'running') AS permitted,
             (SELECT min(e.at) FROM run_events e WHERE e.run_id = r.run_id AND e.to_state = 'verifying') AS job_ended,
             (SELECT min(asked_at) FROM check_requests q WHERE q.check_id = r.check_id AND q.asked_for = 'verify' AND q.asked_at >= r.planned_at) AS first_asked,
             (SELECT min(answered_at) FROM check_requests q WHERE q.check_id = r.check_id AND q.asked_for = 'verify' AND q.asked_at >= r.planned_at) AS first_answered,
             (SELECT q.asked_at FROM check_requests q WHERE q.request_id = v.request_id) AS again,
             (SELECT q.answered_at FROM check_requests q WHERE q.request_id = v.request_id) AS again_answered,
             (SELECT max(q.answered_at) FROM run_neighbours n JOIN check_requests q ON q.request_id = n.request_id WHERE n.run_id = r.run_id) AS all_answered
           FROM runs r JOIN verifications v ON v.run_id = r.run_id WHERE r.state = 'fixed')
         SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM p.until - p.since) * 1000), -1)::float8
         FROM of_run o CROSS JOIN LATERAL (VALUES (1, observed, planned_at), (2, planned_at, admitted), (3, admitted, permitted), (4, permitted, job_ended),
           (5, job_ended, first_asked), (6, first_asked, first_answered), (7, first_answered, first_ok_at), (8, first_ok_at, again), (9, again, again_answered),
           (10, again_answered, all_answered), (11, all_answered, ended_at)) AS p(n, since, until) GROUP BY p.n ORDER BY p.n",
    )
    .fetch_all(rows)
    .await
    .unwrap();
    names.iter().zip(medians).map(|(name, ms)| json!({ *name: ms.round() })).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench"]
#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
async fn crash_to_healed_to_verified() {
    let rounds: usize = std::env::var("MENDWRIGHT_BENCH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let bench = Bench::new(rounds).await;
    let (rss, before) = bench.agent.footprint();
    let rest = Instant::now();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let cpu_percent = (bench.agent.footprint().1 - before) / rest.elapsed().as_secs_f64() * 100.0;

    let (mut heal, mut verified, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // The cooldown of a second is over, and the reports of the last round are in.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let syncs = number(&bench.rows, "SELECT wal_sync::float8 FROM pg_stat_wal").await;
        let clock = SystemTime::now();
        heal.push(bench.crash(round).await);
        bench.fixed(round + 1).await;
        let epoch = clock.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let ended = number(&bench.rows, "SELECT extract(epoch FROM max(ended_at))::float8 FROM runs").await;
        verified.push((ended - epoch) * 1_000.0);
        flushes.push(number(&bench.rows, "SELECT wal_sync::float8 FROM pg_stat_wal").await - syncs);
    }
    let phases = phases(&bench.rows).await;
    let (rows, installation, _folder) = bench.without_agent();
    let (rounds_seen, runs) = (heal.len(), number(&rows, "SELECT count(*)::float8 FROM runs").await);
    let admissions = json!({
        "one_tenant": admissions(&rows, 1, 2_000).await, "hundred_tenants": admissions(&rows, 100, 30).await,
    });
    rows.close().await;
    installation.stop().await.unwrap();
    println!(
        "\nlimits lifted for the bench:\n{LIMITS}rounds: {rounds_seen}, runs: {runs}, stability window: {STABLE_SECS} s"
    );
    let report = json!({
        "admissions_per_s": admissions,
        "heal_ms": spread(heal), "verified_ms": spread(verified), "stable_secs": STABLE_SECS, "flushes": spread(flushes),
        "agent_rss_mb": (rss * 10.0).round() / 10.0, "agent_cpu_percent": (cpu_percent * 100.0).round() / 100.0,
    });
    println!("medians of the ms from one to the next:\n{phases}\n{report}");
}
