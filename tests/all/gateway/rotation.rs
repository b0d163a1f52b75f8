//! The dispatch key is succeeded while hosts are linked, away, or linked to a node that has not heard of it.

use gateway::DispatchKey;
use keys::succession::{Certificate, Pin, follow};

use super::*;

/// Version `n` of the dispatch key; the first is the world's.
fn dispatch(version: u8) -> SigningKey {
    key(7 + version)
}

fn pin(version: u8) -> Pin {
    Pin { version: version.into(), key: dispatch(version).public() }
}

/// The keys up to `newest`.
fn keys_up_to(newest: u8) -> DispatchKeys {
    let later = (2..=newest).map(|version| DispatchKey {
        key: dispatch(version),
        certificate: Certificate::issue(&dispatch(version - 1), u32::from(version) - 1, &dispatch(version).public())
            .ok(),
    });
    let first = DispatchKey { key: dispatch(1), certificate: None };
    DispatchKeys::new([first].into_iter().chain(later).collect()).unwrap()
}

async fn chain(peer: &mut Peer) -> Vec<Certificate> {
    let sent = peer.until(|down| if let Down::DispatchKeys { chain } = down { Some(chain) } else { None }).await;
    sent.into_iter().map(|c| Certificate { body: c.body, signature: c.signature }).collect()
}

async fn job(peer: &mut Peer) -> Job {
    peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await
}

/// Asks for the job; says whether it came, and not only the answer to what was said after the question.
async fn is_handed_a_job(peer: &mut Peer, check: Uuid, seq: u64) -> bool {
    peer.send(Up::Lease {}).await;
    peer.send(Up::Observed(observed(check, seq, "running", None))).await;
    peer.until(|down| match down {
        Down::Job(_) => Some(true),
        Down::Ack { observed_seq, .. } if observed_seq == Some(seq) => Some(false),
        _ => None,
    })
    .await
}

fn signed_by(job: &Job, version: u8) -> bool {
    dispatch(version).public().verify(Context::Envelope, &job.envelope, &job.envelope_signature).is_ok()
}

async fn holds(world: &mut World, version: u8) {
    world.appears(&format!("hosts WHERE dispatch_version = {version}")).await;
}

/// A linked host for which a job waits once it is queued.
async fn linked(world: &mut World) -> (Uuid, Peer) {
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    peer.config().await;
    (host, peer)
}

#[tokio::test]
async fn a_linked_host_is_led_to_a_new_key_and_gets_no_job_until_it_holds_it() {
    let mut world = world().await;
    let (host, mut peer) = linked(&mut world).await;
    world.rotate.send_replace(keys_up_to(2));
    assert_eq!(follow(pin(1), &chain(&mut peer).await), Ok(pin(2)));
    let run = world.run(host).await;
    world.queue(host, run).await;
    assert!(!is_handed_a_job(&mut peer, world.check, 1).await, "the host is changing its key");
    peer.send(Up::Pinned { dispatch_version: 2 }).await;
    assert!(signed_by(&job(&mut peer).await, 2));
    holds(&mut world, 2).await;
}

#[tokio::test]
async fn a_job_that_was_leased_before_is_signed_anew_and_runs_after_the_rotation() {
    let mut world = world().await;
    let (host, mut peer) = linked(&mut world).await;
    let run = world.run(host).await;
    world.queue(host, run).await;
    let before = job(&mut peer).await;
    assert!(signed_by(&before, 1));
    world.rotate.send_replace(keys_up_to(2));
    chain(&mut peer).await;
    peer.send(Up::Pinned { dispatch_version: 2 }).await;
    peer.send(Up::Lease {}).await;
    let after = job(&mut peer).await;
    assert_eq!(after.envelope, before.envelope);
    assert!(signed_by(&after, 2));

    let envelope: Envelope = keys::parse_canonical(&after.envelope).unwrap();
    let digest = digest(after.envelope.as_bytes()).to_string();
    peer.send(Up::Start(Start { job: envelope.job, fence: 1, digest: digest.clone() })).await;
    peer.until(|down| matches!(down, Down::Permit { fence: 1, .. }).then_some(())).await;
    peer.send(Up::Result(result(host, &envelope, &digest, 0))).await;
    peer.until(|down| matches!(down, Down::Ack { result: Some(_), .. }).then_some(())).await;
    assert_eq!(world.count("jobs WHERE state = 'finished'").await, 1);
}

#[tokio::test]
async fn a_host_that_was_away_over_two_rotations_follows_both_at_once() {
    let mut world = world().await;
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    world.rotate.send_replace(keys_up_to(2));
    world.rotate.send_replace(keys_up_to(3));
    let run = world.run(host).await;
    world.queue(host, run).await;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let chain = chain(&mut peer).await;
    assert_eq!((chain.len(), follow(pin(1), &chain)), (2, Ok(pin(3))));
    peer.send(Up::Pinned { dispatch_version: 3 }).await;
    assert!(signed_by(&job(&mut peer).await, 3));
    holds(&mut world, 3).await;

    // It died before its answer was heard: its next Hello says what it holds, and nothing is told twice.
    world.holds = Some(3);
    drop(peer);
    let (mut peer, _) = world.link(host, Uuid::from_u128(2), 0).await;
    let job = peer.until(|down| match down {
        Down::DispatchKeys { .. } => panic!("told again"),
        Down::Job(job) => Some(job),
        _ => None,
    });
    assert!(signed_by(&job.await, 3));
}

#[tokio::test]
async fn a_host_that_refuses_the_chain_or_cannot_follow_goes_on_with_the_key_that_it_holds() {
    for says in [Some(1), None] {
        let mut world = world().await;
        world.holds = says;
        let (host, mut peer) = linked(&mut world).await;
        world.rotate.send_replace(keys_up_to(2));
        if says.is_some() {
            chain(&mut peer).await;
            peer.send(Up::Pinned { dispatch_version: 1 }).await;
        }
        let run = world.run(host).await;
        world.queue(host, run).await;
        assert!(signed_by(&job(&mut peer).await, 1), "{says:?}");
        holds(&mut world, 1).await;
    }
}

#[tokio::test]
async fn a_host_that_another_node_led_further_waits_until_this_node_has_heard() {
    let mut world = world().await;
    world.holds = Some(2);
    let (host, mut peer) = linked(&mut world).await;
    let run = world.run(host).await;
    world.queue(host, run).await;
    assert!(!is_handed_a_job(&mut peer, world.check, 1).await, "nothing here can sign it");
    world.rotate.send_replace(keys_up_to(2));
    assert!(signed_by(&job(&mut peer).await, 2));
}

#[tokio::test]
async fn who_enrols_after_a_rotation_holds_the_newest_key() {
    let mut world = world().await;
    world.rotate.send_replace(keys_up_to(3));
    let enrolled = world.enrol(&key(1)).await.unwrap();
    assert_eq!((enrolled.dispatch_version, enrolled.dispatch_key), (3, dispatch(3).public().to_string()));
    holds(&mut world, 3).await;
}
