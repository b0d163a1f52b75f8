//! What a host says it is, is kept once a host, and bounded.

use super::*;

fn found(os: &str) -> Up {
    Up::Found(Box::new(Found { os: Some(os.into()), agent_version: "1".into(), ..Found::default() }))
}

#[tokio::test]
async fn what_a_host_says_it_is_replaces_what_it_said_before() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    peer.send(found("Debian\u{0} 12")).await;
    world.appears("host_inventory WHERE found->>'os' = 'Debian 12'").await;
    // Once more within the minute is dropped: an agent tells once a day.
    peer.send(found("Plan 9")).await;
    peer.observe(world.check, 1, "running", None).await;
    assert_eq!(world.count("host_inventory WHERE found->>'os' = 'Debian 12'").await, 1);

    let (mut newer, _) = world.link(host, Uuid::from_u128(2), 0).await;
    newer.send(found("Debian 13")).await;
    world.appears("host_inventory WHERE found->>'os' = 'Debian 13'").await;
    assert_eq!(world.count("host_inventory").await, 1);
    let kept = store::inventory::find(&mut world.tx().await, host).await.unwrap().expect("it told");
    assert_eq!(kept.found["agent_version"], "1");
}

#[tokio::test]
async fn an_inventory_without_bounds_ends_the_link_and_is_not_kept() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let addresses = vec!["192.0.2.1".to_owned(); MAX_FOUND + 1];
    peer.send(Up::Found(Box::new(Found { addresses, ..Found::default() }))).await;
    assert_eq!(peer.until_closed().await, close::MALFORMED);
    assert_eq!(world.count("host_inventory").await, 0);
}
