//! What a fix writes is told while it runs.

use super::*;

/// A permitted job of the host, with its envelope.
async fn permitted(world: &mut World) -> (Uuid, Peer, Envelope, String) {
    let host = world.enrol(&key(1)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let run = world.run(host).await;
    world.queue(host, run).await;
    let job = peer.until(|down| if let Down::Job(job) = down { Some(job) } else { None }).await;
    let envelope: Envelope = keys::parse_canonical(&job.envelope).unwrap();
    let digest = digest(job.envelope.as_bytes()).to_string();
    peer.send(Up::Start(Start { job: envelope.job, fence: envelope.fence, digest: digest.clone() })).await;
    peer.until(|down| matches!(down, Down::Permit { .. }).then_some(())).await;
    (host, peer, envelope, digest)
}

fn piece(envelope: &Envelope, offset: u64, text: &str) -> Up {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.encode(text);
    Up::Progress(Progress { job: envelope.job, fence: envelope.fence, offset, bytes })
}

async fn so_far(world: &mut World) -> Vec<String> {
    let sql = "SELECT convert_from(bytes, 'UTF8') FROM run_progress";
    sqlx::query_scalar(sql).fetch_all(&mut world.rows).await.unwrap()
}

#[tokio::test]
async fn pieces_are_put_together_and_the_result_replaces_them() {
    let mut world = world().await;
    let (host, mut peer, envelope, digest) = permitted(&mut world).await;
    // Told twice after a new link, told with a gap, told of another fence: what fits is kept, once.
    for (offset, text) in [(0, "one\n"), (4, "two\n"), (0, "one\ntwo\nthree\n"), (99, "lost"), (0, "one\n")] {
        peer.send(piece(&envelope, offset, text)).await;
    }
    let stale = Envelope { fence: envelope.fence - 1, ..envelope.clone() };
    peer.send(piece(&stale, 14, "stale\n")).await;
    peer.observe(world.check, 1, "failed", None).await;
    assert_eq!(so_far(&mut world).await, ["one\ntwo\nthree\n"]);
    peer.send(Up::Result(result(host, &envelope, &digest, 0))).await;
    peer.until(|down| matches!(down, Down::Ack { result: Some(_), .. }).then_some(())).await;
    assert_eq!(so_far(&mut world).await, [""; 0]);
    assert_eq!(world.count("run_output WHERE bytes = 'done\n'").await, 1);
    // What comes after the result comes too late.
    peer.send(piece(&envelope, 0, "late\n")).await;
    peer.observe(world.check, 2, "running", None).await;
    assert_eq!(so_far(&mut world).await, [""; 0]);
}

#[tokio::test]
async fn a_host_that_writes_without_end_is_kept_to_its_first_part_and_an_overlong_piece_ends_the_link() {
    let mut world = world().await;
    let (_, mut peer, envelope, _) = permitted(&mut world).await;
    let page = "x".repeat(MAX_PROGRESS_BYTES);
    for n in 0..8 {
        peer.send(piece(&envelope, n * MAX_PROGRESS_BYTES as u64, &page)).await;
    }
    peer.observe(world.check, 1, "failed", None).await;
    assert_eq!(so_far(&mut world).await[0].len(), 64 * 1024);
    peer.send(piece(&envelope, 0, &"x".repeat(MAX_PROGRESS_BYTES + 1))).await;
    assert_eq!(peer.until_closed().await, close::MALFORMED);
}
