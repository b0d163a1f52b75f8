//! Hosts that are not heard of.

use engine::classify::Classify;
use engine::silence::Silence;
use store::{Store, host_links, nodes};
use uuid::Uuid;

use super::world::{Setup, World};

/// Host 0 is linked to the world's node, since now.
async fn linked(w: &World, epoch: i64) {
    let mut tx = w.tx().await;
    assert!(host_links::mark_linked(&mut tx, w.hosts[0].host_id, w.node_id, epoch, Uuid::from_u128(1)).await.unwrap());
    tx.commit().await.unwrap();
}

/// `secs` go by, and a node that lives says so.
async fn pass(w: &World, secs: i64, node: Option<Uuid>) {
    w.pass(secs);
    if let Some(node) = node {
        nodes::mark_seen(&w.store, node).await.unwrap();
    }
    w.work(&Silence).await;
    w.work(&Classify).await;
}

const SILENT: &str = "SELECT kind || ' ' || severity FROM signals ORDER BY state_version";

#[tokio::test]
async fn a_lost_link_is_a_warning_after_five_minutes_critical_after_fifteen_and_clears_with_the_next_link() {
    let mut w = World::new(Setup::default()).await;
    let node = Some(w.node_id);
    linked(&w, 1).await;
    pass(&w, 600, node).await;
    assert_eq!(w.list(SILENT).await, [""; 0]);
    let mut tx = w.tx().await;
    host_links::mark_unlinked(&mut tx, w.hosts[0].host_id, 1, None).await.unwrap();
    tx.commit().await.unwrap();
    pass(&w, 290, node).await;
    assert_eq!(w.list(SILENT).await, [""; 0], "not yet");
    pass(&w, 20, node).await;
    assert_eq!(w.list(SILENT).await, ["raised warning"]);
    pass(&w, 600, node).await;
    assert_eq!(w.list(SILENT).await, ["raised warning", "raised critical"]);
    assert_eq!(
        w.list("SELECT title || ', ' || severity || ', ' || state FROM incidents").await,
        ["h1 fell silent, critical, escalated"]
    );
    let record = w.record("detect").await;
    assert_eq!(record["seen"]["data"]["state"], "silent");

    linked(&w, 2).await;
    pass(&w, 20, node).await;
    assert_eq!(w.list("SELECT outcome FROM incidents").await, ["recovered"]);
    pass(&w, 20, node).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM signals").await, 3, "a linked host is quiet");
}

#[tokio::test]
async fn nobody_is_called_silent_for_the_time_that_we_were_down() {
    let mut w = World::new(Setup::default()).await;
    linked(&w, 1).await;
    // The node dies, and an hour later another one starts: the host has had no chance to be heard.
    w.pass(3_600);
    let next = Store::new_id();
    nodes::insert(&w.store, next).await.unwrap();
    pass(&w, 0, Some(next)).await;
    pass(&w, 350, Some(next)).await;
    assert_eq!(w.list(SILENT).await, [""; 0]);
    pass(&w, 20, Some(next)).await;
    assert_eq!(w.list(SILENT).await, ["raised warning"], "from here on it had its chance");
}
