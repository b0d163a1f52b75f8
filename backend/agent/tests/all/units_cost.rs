//! What watching units costs: `make units-cost` runs it on the agent as it is shipped.

use std::time::Duration;

use uuid::Uuid;
use wire::v1::{CheckKind, CheckSpec, Config, Down};

use crate::bench::{Bench, Linked, SERVICE, state};
use crate::systemd1::{Bus, Facts, Systemd, UNIT};

/// How often the unit that is announced dies and is restarted.
const RESTARTS: u32 = 20;
/// Over so long the rest is measured.
const REST: Duration = Duration::from_secs(10);

/// The resident memory in MB, and the processor time used so far in seconds.
fn cost(agent: &Linked) -> (f64, f64) {
    let pid = agent.process.id().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let rss: f64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    (rss / 1024.0, ticks / 100.0)
}

async fn measured(units: usize) -> serde_json::Value {
    let dir = tempfile::tempdir().unwrap();
    let bus = Bus::new(dir.path()).await;
    let others: Vec<String> = (1..units).map(|unit| format!("other-{unit}.service")).collect();
    let systemd = Systemd::among(&bus, Facts::running(7), &others).await;
    let names: Vec<(String, &str)> = std::iter::once((SERVICE.to_owned(), UNIT))
        .chain(others.iter().enumerate().map(|(at, unit)| (format!("other-{at}"), unit.as_str())))
        .take(units)
        .collect();
    let mut toml = format!("bus = \"{}\"\n", bus.address());
    for (service, unit) in &names {
        toml += &format!("[services.{service}]\nunit = \"{unit}\"\n");
    }
    let bench = Bench::declared(dir, &toml).await;
    let mut agent = bench.run(&[]).await;
    let spec = |(at, (service, _)): (usize, &(String, &str))| CheckSpec {
        check_id: Uuid::from_u128(100 + at as u128),
        kind: CheckKind::Service,
        target: service.clone(),
        interval_secs: 10,
        limit_ms: 10_000,
        ok_when: Vec::new(),
        bad_when: Vec::new(),
    };
    let checks = names.iter().enumerate().map(spec).collect();
    agent.peer.send(Down::Config(Config { version: 1, checks })).await;
    for _ in 0..units {
        assert_eq!(state(&agent.observed().await), "running");
    }
    let (_, before) = cost(&agent);
    for restarts in (1..=RESTARTS).filter(|_| units > 0) {
        systemd.set(Facts { restarts, ..Facts::down("activating", "auto-restart", "signal") }).await;
        agent.until_state("restarting").await;
        systemd.set(Facts { restarts, ..Facts::running(7 + restarts) }).await;
        agent.until_state("running").await;
    }
    let (_, busy) = cost(&agent);
    // What is told meanwhile is taken.
    let _ = tokio::time::timeout(REST, async {
        loop {
            agent.observed().await;
        }
    })
    .await;
    let (rss, rested) = cost(&agent);
    let round = |value: f64| (value * 100.0).round() / 100.0;
    serde_json::json!({
        "units": units, "rss_mb": round(rss), "restarts_cpu_s": round(busy - before),
        "rest_cpu_percent": round((rested - busy) / REST.as_secs_f64() * 100.0),
    })
}

#[tokio::test]
#[ignore = "measures"]
async fn watching_units_costs_so_much() {
    for units in [0, 2, 20] {
        println!("{}", measured(units).await);
    }
}
