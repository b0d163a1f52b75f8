//! Planned maintenance keeps actions off by the clock alone, again and again.

use domain::remediate::maintenance::{Span, Times};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::remediate::maintenance::{self, Plan};
use store::remediate::stops;

use super::world::{Host, Setup, World};

const WIDE: &str = "  client: {runs_per_window: 9, window_secs: 600, in_flight: 9}\n";

async fn world(hosts: usize) -> World {
    World::new(Setup { hosts, limits: WIDE, ..Setup::default() }).await
}

/// Where a plan of a test is.
#[derive(Clone, Copy)]
enum At {
    Everywhere,
    Client,
    Host,
}

/// An hour of each day that is far from now.
fn daily(now: Timestamp) -> &'static str {
    if now.to_zoned(TimeZone::UTC).hour() < 12 { "daily 15:00-16:00" } else { "daily 03:00-04:00" }
}

/// Plans an hour that begins in `from` seconds.
async fn plan(w: &World, at: At, host: Host, from: i64, active: bool) {
    let mut tx = w.tx().await;
    let now = tx.now().await.unwrap();
    let starts_at = now + SignedDuration::from_secs(from);
    let plan = Plan {
        name: "Patch night",
        client_id: (!matches!(at, At::Everywhere)).then_some(host.client_id),
        host: matches!(at, At::Host).then_some("h1"),
        times: &json!({"weekly": [daily(now)]}),
        active,
        span: Some(Span { starts_at, ends_at: starts_at + SignedDuration::from_hours(1) }),
    };
    maintenance::put(&mut tx, &plan).await.unwrap();
    tx.commit().await.unwrap();
}

async fn audited(w: &mut World) -> Vec<String> {
    w.list("SELECT action FROM (SELECT action, at FROM audit UNION ALL SELECT action, at FROM tenant_audit) a WHERE action LIKE 'maintenance%' ORDER BY at").await
}

#[tokio::test]
async fn what_has_no_permit_is_taken_back_when_it_begins_and_runs_when_it_is_over() {
    for at in [At::Everywhere, At::Client, At::Host] {
        let mut w = world(1).await;
        let host = w.hosts[0];
        let planned_at = w.tx().await.now().await.unwrap();
        plan(&w, at, host, 60, true).await;
        w.breaks(host).await;
        w.settle().await;
        assert_eq!(w.runs().await, ["admitted"], "it has not begun");
        w.pass(60);
        w.settle().await;
        assert_eq!(w.list("SELECT state FROM jobs").await, ["withdrawn"]);
        assert_eq!(w.runs().await, ["held"]);
        let record = w.record("remediate").await;
        assert_eq!((&record["headline"], &record["tell_now"]), (&json!("maintenance: Patch night"), &json!(false)));
        assert_eq!(w.one::<i64>("SELECT count(*) FROM outbox").await, 0, "nobody is told of what was planned");
        let mut tx = w.tx().await;
        let standing = stops::list(&mut tx, 10).await.unwrap();
        drop(tx);
        assert_eq!((standing.len(), standing[0].reason.as_str()), (1, "Patch night"));
        assert_eq!(standing[0].host.is_some(), matches!(at, At::Host));
        w.pass(3_600);
        w.settle().await;
        assert_eq!(w.runs().await, ["admitted"]);
        assert_eq!(audited(&mut w).await, ["maintenance.began", "maintenance.ended"]);
        // The next stretch is a day of the plan, not of the test.
        let mut tx = w.tx().await;
        let now = tx.now().await.unwrap();
        let next = maintenance::list(&mut tx, None).await.unwrap()[0].span;
        let times = Times { weekly: vec![daily(planned_at).into()], once: None };
        assert_eq!(next, times.next(now, &TimeZone::UTC));
    }
}

#[tokio::test]
async fn it_holds_although_no_loop_was_there_when_it_began() {
    let mut w = world(2).await;
    let host = w.hosts[0];
    plan(&w, At::Host, host, -60, true).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    let mut tx = w.tx().await;
    assert!(maintenance::holds(&mut tx, host.client_id, host.host_id).await.unwrap());
    let other = w.hosts[1];
    assert!(!maintenance::holds(&mut tx, other.client_id, other.host_id).await.unwrap(), "its neighbour");
    drop(tx);
    w.settle().await;
    let mut states = w.runs().await;
    states.sort();
    assert_eq!(states, ["admitted", "held"]);
}

#[tokio::test]
async fn what_was_permitted_before_runs_on() {
    let mut w = world(1).await;
    let host = w.hosts[0];
    plan(&w, At::Client, host, 60, true).await;
    w.breaks(host).await;
    w.settle().await;
    w.permit(host).await;
    w.pass(60);
    w.settle().await;
    assert_eq!(w.runs().await, ["running"]);
}

#[tokio::test]
async fn a_plan_that_is_taken_back_holds_nothing() {
    let mut w = world(1).await;
    let host = w.hosts[0];
    plan(&w, At::Everywhere, host, -60, true).await;
    w.breaks(host).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["held"]);
    plan(&w, At::Everywhere, host, -60, false).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM maintenance_windows").await, 1);
}
