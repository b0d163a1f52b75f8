//! A clock that jumps forward admits nothing until the operator has looked.

use engine::classify::Classify;
use engine::remediate::Remediate;
use jiff::SignedDuration;
use server::clock_reset::reset;

use super::world::{Setup, World};

const WIDE: &str = "  client: {runs_per_window: 9, window_secs: 600, in_flight: 9}\n";
/// What the clock is told to jump, less than a job lives; of it, what passed meanwhile on the node's own clock is no jump.
const JUMP: SignedDuration = SignedDuration::from_mins(10);
const HIGH: &str = "SELECT max(clock_high)::text FROM guardrail_buckets";

/// One run is admitted; then the clock jumps, and a second host breaks.
async fn jumped() -> World {
    let mut w = World::new(Setup { hosts: 2, limits: WIDE, ..Setup::default() }).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
    w.moved.jump(JUMP);
    w.breaks(w.hosts[1]).await;
    w.work(&Classify).await;
    w
}

#[tokio::test]
async fn a_forward_jump_stops_admissions_before_it_is_written_and_clock_reset_is_the_way_out() {
    let mut w = jumped().await;
    let before = w.one::<String>(HIGH).await;
    w.work(&Remediate::default()).await;
    assert_eq!(w.runs().await, ["admitted", "held"]);
    assert_eq!(w.one::<String>(HIGH).await, before, "no bucket has learned the time that was jumped to");
    let reason = w.one::<String>("SELECT hold_reason FROM runs WHERE state = 'held'").await;
    assert_eq!(reason, "held: the database's clock jumped forward; the operator must look");

    store::clock::write_down_jump(&w.store).await.unwrap();
    let seen = w.one::<i64>("SELECT clock_jump_ms FROM platform_state").await;
    assert!(seen > 500_000 && i128::from(seen) <= JUMP.as_millis(), "{seen}");
    w.pass(3_600);
    w.settle().await;
    assert!(w.runs().await.contains(&"held".to_owned()), "it does not end by itself");

    let done = reset(&w.store, &w.db.owner_url()).await.unwrap();
    assert_eq!((done.jumped_secs, done.tenants), (Some(seen / 1_000), 1));
    w.settle().await;
    assert!(!w.runs().await.contains(&"held".to_owned()));
    assert_eq!(w.one::<i64>("SELECT count(*) FROM tenant_audit WHERE action = 'guardrails.clock_reset'").await, 1);
}

#[tokio::test]
async fn another_node_that_saw_no_jump_admits_nothing_either_once_it_is_written_down() {
    let mut w = jumped().await;
    store::clock::write_down_jump(&w.store).await.unwrap();
    // Started after the jump: it has nothing to compare with.
    let other = w.node();
    let scope = store::auth::by_login(&other, w.login_id).await.unwrap().unwrap().scope;
    engine::lease::Stage::work(&Remediate::default(), &other, &scope).await.unwrap();
    assert_eq!(w.runs().await, ["admitted", "held"]);
}

#[tokio::test]
async fn a_clock_that_was_set_back_after_a_jump_that_was_written_is_let_go_on_by_clock_reset() {
    let mut w = World::new(Setup { hosts: 2, limits: WIDE, ..Setup::default() }).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    w.change("UPDATE guardrail_buckets SET clock_high = now() + interval '1 day' WHERE scope_kind = 'tenant'").await;
    w.breaks(w.hosts[1]).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted", "held"]);
    assert_eq!(reset(&w.store, &w.db.owner_url()).await.unwrap().buckets, 1);
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted", "admitted"]);
}
