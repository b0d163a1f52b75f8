//! Wake-ups that are gone: the rows themselves are found.

use std::sync::Arc;

use domain::detect::reading::Verdict;
use engine::audit::Audit;
use engine::classify::Classify;
use engine::notify::Notify;
use engine::remediate::Remediate;
use engine::sweep::Sweep;
use engine::verify::Verify;
use mail::{Mailer, Memory};
use store::{host_links, nodes, wakeups};
use uuid::Uuid;
use wire::v1::Ended;

use super::world::{Setup, World};

/// Every wake-up is gone, the standing ones included; then a node looks after the standing ones, and the sweep is due.
async fn lost_and_swept(w: &mut World) {
    w.change("DELETE FROM tenant_wakeups").await;
    w.settle().await;
    w.work(&Sweep).await;
    assert_eq!(w.list("SELECT queue FROM tenant_wakeups").await, [""; 0], "nothing says that anything is due");
    wakeups::ensure_standing(&w.store).await.unwrap();
    nodes::mark_seen(&w.store, w.node_id).await.unwrap();
    w.work(&Sweep).await;
}

/// Whether a wake-up says that something is due for the host's node.
async fn is_dispatched(w: &mut World) -> bool {
    let queue = format!("SELECT queue FROM tenant_wakeups WHERE queue = 'dispatch@{}'", w.node_id);
    !w.list(&queue).await.is_empty()
}

#[tokio::test]
async fn a_repair_goes_on_although_every_wake_up_of_each_step_is_lost() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    let mut tx = w.tx().await;
    assert!(host_links::mark_linked(&mut tx, host.host_id, w.node_id, 1, Uuid::from_u128(1)).await.unwrap());
    tx.commit().await.unwrap();
    w.breaks(host).await;
    lost_and_swept(&mut w).await;
    w.work(&Classify).await;
    assert_eq!(w.runs().await, ["planned"]);

    lost_and_swept(&mut w).await;
    w.work(&Remediate::default()).await;
    assert_eq!(w.runs().await, ["admitted"]);

    lost_and_swept(&mut w).await;
    assert!(is_dispatched(&mut w).await, "a job waits for its host");
    let key = w.permit(host).await;
    w.ends(&key, Ended::Exited { code: 0 }).await;
    assert_eq!(w.runs().await, ["verifying"]);

    for _ in 0..2 {
        w.pass(4);
        lost_and_swept(&mut w).await;
        w.work(&Verify).await;
        lost_and_swept(&mut w).await;
        assert!(is_dispatched(&mut w).await, "a question waits for its host");
        w.answers(host, Verdict::Ok).await;
        lost_and_swept(&mut w).await;
        w.work(&Verify).await;
    }
    assert_eq!(w.runs().await, ["fixed"]);

    lost_and_swept(&mut w).await;
    w.work(&Remediate::default()).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 0);

    lost_and_swept(&mut w).await;
    let mailer = Arc::new(Mailer::Memory(Memory::default()));
    let sender = "Mendwright <mend@harbour.example>".into();
    let public_url = "https://mend.harbour.example".into();
    w.work(&Notify { mailer, sender, public_url, own: super::notify::own() }).await;
    assert_eq!(w.list("SELECT state FROM outbox").await, ["sent"]);
}

#[tokio::test]
async fn the_sweep_comes_again_and_wakes_nobody_for_nothing() {
    let mut w = World::new(Setup::default()).await;
    w.settle().await;
    w.pass(2);
    w.work(&Audit { key: keys::SigningKey::from_bytes(&[9; 32]) }).await;
    w.change("DELETE FROM tenant_wakeups").await;
    for _ in 0..3 {
        wakeups::ensure_standing(&w.store).await.unwrap();
        assert_eq!(w.list("SELECT queue FROM tenant_wakeups ORDER BY 1").await, ["plan", "silence", "sweep"]);
    }
    for _ in 0..2 {
        w.work(&Sweep).await;
        w.work(&Remediate::default()).await;
        assert_eq!(w.list("SELECT queue FROM tenant_wakeups ORDER BY 1").await, ["plan", "silence", "sweep"]);
        w.pass(60);
    }
}
