//! The server's dispatch key is succeeded, or somebody says so.

use std::fs;

use keys::succession::Certificate;
use keys::{Context, SigningKey};
use wire::v1::{DispatchCertificate, Down, Ended, Job, RefusedReason, Up};

use crate::bench::{Bench, Linked, dispatch_key, ended, job};

/// Version `n` of the dispatch key; the first is the bench's.
fn dispatch(version: u8) -> SigningKey {
    if version == 1 { dispatch_key() } else { SigningKey::from_bytes(&[100 + version; 32]) }
}

/// `old`, as version `version`, is succeeded by `new`.
fn certificate(old: &SigningKey, version: u32, new: &SigningKey) -> DispatchCertificate {
    let Certificate { body, signature } = Certificate::issue(old, version, &new.public()).unwrap();
    DispatchCertificate { body, signature }
}

/// What leads from version `version` to the next.
fn next(version: u8) -> DispatchCertificate {
    certificate(&dispatch(version), version.into(), &dispatch(version + 1))
}

async fn pinned(agent: &mut Linked, chain: Vec<DispatchCertificate>) -> u32 {
    agent.peer.send(Down::DispatchKeys { chain }).await;
    agent.peer.until(|up| if let Up::Pinned { dispatch_version } = up { Some(dispatch_version) } else { None }).await
}

fn signed_anew(agent: &Linked, fence: i64, by: &SigningKey) -> Job {
    let (job, _) = job(agent.prove.instance_id, fence, &[&["/bin/true"]]);
    Job { envelope_signature: by.sign(Context::Envelope, &job.envelope), ..job }
}

async fn runs(bench: &Bench, agent: &mut Linked, fence: i64, by: &SigningKey) {
    let job = signed_anew(agent, fence, by);
    agent.peer.send(Down::Job(job)).await;
    agent.permit().await;
    assert_eq!(ended(&agent.result(bench).await), &Ended::Exited { code: 0 });
}

async fn is_refused(agent: &mut Linked, fence: i64, by: &SigningKey) {
    let job = signed_anew(agent, fence, by);
    agent.peer.send(Down::Job(job)).await;
    let refused = agent.peer.until(|up| if let Up::Refused(refused) = up { Some(refused) } else { None }).await;
    assert_eq!((refused.fence, refused.reason), (fence, RefusedReason::Signature));
}

#[tokio::test]
async fn a_new_key_signed_by_the_old_one_is_kept_and_the_old_one_starts_nothing_more() {
    let bench = Bench::new("exit 1").await;
    let mut agent = bench.run(&[]).await;
    assert_eq!(agent.hello.dispatch_version, Some(1));
    agent.configure().await;
    runs(&bench, &mut agent, 5, &dispatch(1)).await;
    assert_eq!(pinned(&mut agent, vec![next(1), next(2)]).await, 3);
    is_refused(&mut agent, 6, &dispatch(1)).await;
    is_refused(&mut agent, 7, &dispatch(2)).await;
    runs(&bench, &mut agent, 8, &dispatch(3)).await;
    agent.kill().await;

    let mut agent = bench.run(&[]).await;
    assert_eq!(agent.hello.dispatch_version, Some(3));
    agent.configure().await;
    runs(&bench, &mut agent, 9, &dispatch(3)).await;
    assert_eq!(pinned(&mut agent, vec![next(3)]).await, 4);
}

#[tokio::test]
async fn a_chain_that_is_forged_replayed_or_has_a_gap_changes_nothing_and_the_log_says_so() {
    let bench = Bench::new("exit 1").await;
    let (log, stranger) = (bench.path("log"), SigningKey::from_bytes(&[99; 32]));
    let mut agent = bench.run_logged(&log).await;
    agent.configure().await;
    assert_eq!(pinned(&mut agent, vec![next(1)]).await, 2);
    let kept = fs::read(bench.path("state/identity.json")).unwrap();
    let altered = DispatchCertificate { body: next(2).body.replace("\"version\":3", "\"version\":4"), ..next(2) };
    let refused = [
        vec![next(1)],
        vec![next(3)],
        vec![certificate(&stranger, 2, &stranger)],
        vec![next(2), certificate(&stranger, 3, &stranger)],
        vec![certificate(&dispatch(2), 3, &dispatch(3))],
        vec![altered],
    ];
    let count = refused.len();
    for chain in refused {
        assert_eq!(pinned(&mut agent, chain).await, 2);
    }
    assert_eq!(fs::read(bench.path("state/identity.json")).unwrap(), kept);
    let said = fs::read_to_string(&log).unwrap();
    assert_eq!(said.matches("was refused, the old one stays").count(), count, "{said}");
    is_refused(&mut agent, 5, &stranger).await;
    runs(&bench, &mut agent, 6, &dispatch(2)).await;
}

#[tokio::test]
async fn a_key_that_cannot_be_kept_is_not_believed() {
    let bench = Bench::new("exit 1").await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    // Where the new file is written first there is a folder: as on a full disk, it cannot be made.
    fs::create_dir(bench.path("state/identity.json.new")).unwrap();
    assert_eq!(pinned(&mut agent, vec![next(1)]).await, 1);
    runs(&bench, &mut agent, 5, &dispatch(1)).await;
    fs::remove_dir(bench.path("state/identity.json.new")).unwrap();
    assert_eq!(pinned(&mut agent, vec![next(1)]).await, 2);
}
