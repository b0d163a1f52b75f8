//! How a host looks is asked when a person is called.

use store::notify::{self, About};

use super::*;

/// A person is called about the run's incident.
async fn call(world: &World, run: Uuid) {
    let mut tx = world.tx().await;
    let about = About { client_id: world.client, incident_id: run, run_id: Some(run) };
    notify::needs_you(&mut tx, about, "it came back three times").await.unwrap();
    tx.commit().await.unwrap();
}

/// What the host is asked next.
async fn question(peer: &mut Peer) -> Diagnose {
    peer.until(|down| if let Down::Diagnose(question) = down { Some(question) } else { None }).await
}

/// A linked host whose run calls a person, and what it is asked.
async fn called() -> (World, Peer, Uuid, Diagnose) {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let run = world.run(host).await;
    call(&world, run).await;
    let asked = question(&mut peer).await;
    (world, peer, run, asked)
}

fn answer(request_id: Uuid, sections: usize) -> Up {
    let section = Section { title: "Load".into(), lines: vec!["load 0.5\u{0}".into(), "idle".into()] };
    Up::Diagnosed(Diagnosed { request_id, sections: vec![section; sections] })
}

const SECTIONS: &str = "SELECT sections FROM diagnostics WHERE answered_at IS NOT NULL";

#[tokio::test]
async fn a_host_is_asked_how_it_looks_when_a_person_is_called_and_its_answer_is_kept() {
    let (mut world, mut peer, run, asked) = called().await;
    assert_eq!(asked.target.as_deref(), Some("shop"));
    // An answer to what nobody asked changes nothing.
    peer.send(answer(Uuid::from_u128(99), 1)).await;
    peer.send(answer(asked.request_id, 1)).await;
    world.appears("diagnostics WHERE answered_at IS NOT NULL").await;
    // The second answer is too late: the first stands.
    peer.send(answer(asked.request_id, 2)).await;
    peer.observe(world.check, 1, "running", None).await;
    let kept: serde_json::Value = sqlx::query_scalar(SECTIONS).fetch_one(&mut world.rows).await.unwrap();
    assert_eq!(kept, json!([{ "title": "Load", "lines": ["load 0.5", "idle"] }]));
    // The same incident is asked about once, however often its person is called.
    call(&world, run).await;
    assert_eq!(world.count("diagnostics").await, 1);
}

#[tokio::test]
async fn a_host_that_was_away_is_asked_when_it_comes_and_not_when_that_is_long_over() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (first, second) = (world.run(host).await, Uuid::from_u128(1));
    call(&world, first).await;
    world
        .rows
        .execute(
            "UPDATE diagnostics SET asked_at = asked_at - interval '1 h', expires_at = expires_at - interval '1 h'",
        )
        .await
        .unwrap();
    let (mut peer, _) = world.link(host, second, 0).await;
    call(&world, first).await;
    let asked = question(&mut peer).await;
    peer.send(answer(asked.request_id, 1)).await;
    world.appears("diagnostics WHERE answered_at IS NOT NULL").await;
    assert_eq!(world.count("diagnostics WHERE answered_at IS NULL").await, 1, "the old question is over");
}

#[tokio::test]
async fn an_answer_without_bounds_ends_the_link() {
    let (mut world, mut peer, _, asked) = called().await;
    peer.send(answer(asked.request_id, MAX_SECTIONS + 1)).await;
    assert_eq!(peer.until_closed().await, close::MALFORMED);
    assert_eq!(world.count("diagnostics WHERE answered_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_host_is_asked_ten_times_an_hour_at_most() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let run = world.run(host).await;
    call(&world, run).await;
    world
        .rows
        .execute(
            "INSERT INTO diagnostics (tenant_id, client_id, host_id, incident_id, diagnostics_id, asked_at, expires_at)
             SELECT tenant_id, client_id, host_id, incident_id, gen_random_uuid(), asked_at - n * interval '5 min', expires_at
             FROM diagnostics, generate_series(3, 11) n",
        )
        .await
        .unwrap();
    world.rows.execute("DELETE FROM diagnostics WHERE diagnostics_id = (SELECT diagnostics_id FROM diagnostics ORDER BY asked_at DESC LIMIT 1)").await.unwrap();
    call(&world, run).await;
    assert_eq!(world.count("diagnostics").await, 10, "the tenth is asked");
    world.rows.execute("UPDATE diagnostics SET asked_at = asked_at - interval '11 min' WHERE asked_at > clock_timestamp() - interval '1 min'").await.unwrap();
    call(&world, run).await;
    assert_eq!(world.count("diagnostics").await, 10, "the eleventh is not");
}
