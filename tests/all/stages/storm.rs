//! Storms: when much turns critical at once, nothing more begins there, and one person is told once.

use engine::remediate::Remediate;

use super::world::{Setup, World};

const WIDE: &str = "  tenant: {runs_per_window: 50, window_secs: 600}\n  client: {runs_per_window: 50, window_secs: 600, in_flight: 50, unproven: 50, bad_per_day: 50, wave: 50}\n";
const HELD: &str = "SELECT count(*) FROM runs WHERE state = 'held'";
const TOLD: &str = "SELECT count(*) FROM outbox WHERE kind = 'held'";

/// So many hosts at each of so many clients; the numbers of a storm are the rules'.
async fn world(hosts: usize, clients: usize) -> World {
    World::new(Setup { hosts, clients, limits: WIDE, bounded: true, ..Setup::default() }).await
}

#[tokio::test]
async fn the_third_host_of_a_client_within_five_minutes_begins_a_storm_and_one_person_is_told() {
    let mut w = world(6, 1).await;
    let hosts = w.hosts.clone();
    for host in &hosts[..2] {
        w.breaks(*host).await;
    }
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted", "admitted"]);
    for host in &hosts[2..] {
        w.breaks(*host).await;
    }
    w.settle().await;
    assert_eq!(w.one::<i64>(HELD).await, 4);
    let why =
        w.one::<String>("SELECT hold_reason FROM runs WHERE state = 'held' ORDER BY planned_at, run_id LIMIT 1").await;
    assert!(why.starts_with("held: storm, 6 hosts of the client turned critical within 5 min"), "{why}");
    assert_eq!(w.one::<i64>(TOLD).await, 1, "one cause, one call");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM incidents WHERE state = 'escalated'").await, 1);

    // Not before it was quiet for ten minutes, and then at once.
    w.pass(590);
    w.settle().await;
    assert_eq!(w.one::<i64>(HELD).await, 4);
    w.pass(11);
    w.settle().await;
    assert_eq!(w.one::<i64>(HELD).await, 0, "{:?}", w.list("SELECT hold_reason FROM runs").await);
    assert_eq!(w.one::<i64>(TOLD).await, 1);
}

#[tokio::test]
async fn hosts_that_break_one_after_the_other_are_no_storm() {
    let mut w = world(6, 1).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
        w.settle().await;
        w.pass(151);
    }
    assert_eq!(w.one::<i64>(HELD).await, 0);
}

#[tokio::test]
async fn the_same_check_at_three_clients_is_a_storm_in_all_of_the_organization() {
    let mut w = world(1, 4).await;
    let hosts = w.hosts.clone();
    for host in &hosts[..3] {
        w.breaks(*host).await;
    }
    w.work(&engine::classify::Classify).await;
    w.work(&Remediate::default()).await;
    assert_eq!(w.runs().await, ["held", "held", "held"]);
    let record = w.record("remediate").await;
    let rows = record["limits"].as_array().unwrap();
    let storm = rows.iter().find(|row| row["limit"] == "storm" && row["holds"] == true).unwrap();
    assert_eq!((&storm["scope"], &storm["used"], &storm["max"]), (&"tenant".into(), &3.into(), &3.into()));
    assert_eq!(w.one::<i64>(TOLD).await, 1);
}

#[tokio::test]
async fn a_storm_stops_no_undo() {
    let mut w =
        World::new(Setup { hosts: 3, undo: true, neighbour: true, limits: WIDE, bounded: true, ..Setup::default() })
            .await;
    let hosts = w.hosts.clone();
    w.till(hosts[0], domain::detect::reading::Verdict::Ok).await;
    w.breaks(hosts[0]).await;
    w.settle().await;
    let fix = w.permit(hosts[0]).await;
    w.breaks(hosts[1]).await;
    w.breaks(hosts[2]).await;
    w.plays_out(hosts[0], &fix, domain::detect::reading::Verdict::Critical).await;
    assert_eq!(w.runs().await[0], "undoing");
    assert_eq!(w.list("SELECT purpose FROM jobs WHERE state = 'queued'").await, ["undo"]);
}
