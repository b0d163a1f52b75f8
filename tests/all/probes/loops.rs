//! The loop of the server's probes: real rows, real sockets, time moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use engine::classify::Classify;
use engine::probes::{Plan, Probes};
use engine::remediate::Remediate;
use engine::verify::Verify;
use keys::seal::MasterKey;
use probe::Names;
use store::detect::probes;
use tokio::io::AsyncWriteExt as _;
use wire::v1::Ended;

use super::site::{Site, answer, connector};
use crate::stages::world::{Setup, World};

/// A site whose status can be changed, and the stage that may connect to it.
struct Scene {
    w: World,
    site: Site,
    status: Arc<AtomicU16>,
    probes: Probes,
}

/// What sealed the secrets of these tests.
fn master() -> Arc<MasterKey> {
    Arc::new(MasterKey::from_bytes([7; 32]))
}

const SIGNALS: &str = "SELECT kind || ' ' || severity FROM signals ORDER BY signalled_at, signal_id";

impl Scene {
    async fn new() -> Scene {
        let status = Arc::new(AtomicU16::new(200));
        let says = status.clone();
        let site = Site::new(move |mut stream| {
            let answer = answer(says.load(Ordering::SeqCst));
            async move { drop(stream.write_all(answer.as_bytes()).await) }
        })
        .await;
        let w = World::new(Setup { site: Some(site.url().into()), hosts: 2, ..Setup::default() }).await;
        let probes = Probes { connector: connector(&[&site.addr.to_string()], Names::system()), master: master() };
        Scene { w, site, status, probes }
    }

    /// `secs` go by, and what is due is looked at.
    async fn pass(&mut self, secs: i64) {
        self.w.pass(secs);
        self.w.work(&Plan).await;
        self.w.work(&self.probes).await;
    }

    /// The site is down, and an incident's run is admitted.
    async fn breaks(&mut self) {
        self.pass(0).await;
        self.status.store(503, Ordering::SeqCst);
        for _ in 0..3 {
            self.pass(10).await;
        }
        self.w.work(&Classify).await;
        self.w.work(&Remediate::default()).await;
    }
}

#[tokio::test]
async fn a_site_is_down_at_the_third_bad_answer_and_up_at_the_first_good_one() {
    let mut s = Scene::new().await;
    s.pass(0).await;
    assert_eq!(s.w.list("SELECT verdict FROM check_states").await, ["ok"]);
    s.pass(5).await;
    assert_eq!(s.site.hits(), 1, "it is not due yet");
    s.status.store(503, Ordering::SeqCst);
    for _ in 0..2 {
        s.pass(10).await;
        assert_eq!(s.w.list(SIGNALS).await, [""; 0], "one or two bad answers are none");
    }
    s.pass(10).await;
    assert_eq!(s.w.list(SIGNALS).await, ["raised critical"]);
    assert_eq!(s.w.record("detect").await["seen"]["data"]["detail"], "it answers 503, 200-299 is expected");
    s.status.store(200, Ordering::SeqCst);
    s.pass(10).await;
    assert_eq!(s.w.list(SIGNALS).await, ["raised critical", "cleared critical"]);
    assert_eq!(s.site.hits(), 5, "h2 is not asked for");
}

#[tokio::test]
async fn a_fix_is_verified_by_the_servers_own_probe() {
    for (after, outcome) in [(200, "fixed"), (503, "not_fixed")] {
        let mut s = Scene::new().await;
        s.breaks().await;
        assert_eq!(s.w.runs().await, ["admitted"]);
        let host = s.w.hosts[0];
        let key = s.w.permit(host).await;
        s.status.store(after, Ordering::SeqCst);
        s.w.ends(&key, Ended::Exited { code: 0 }).await;
        for _ in 0..3 {
            s.w.pass(4);
            s.w.work(&Verify).await; // asks
            s.w.work(&s.probes).await; // looks and answers
            s.w.work(&Verify).await;
        }
        assert_eq!(s.w.runs().await, [outcome]);
        let asked = "SELECT asked_for FROM check_requests WHERE answered_at IS NOT NULL";
        assert!(s.w.list(asked).await.len() > usize::from(outcome == "fixed"));
    }
}

#[tokio::test]
async fn two_nodes_make_one_probe_and_one_that_was_too_slow_stores_nothing() {
    let mut s = Scene::new().await;
    s.w.work(&Plan).await;
    let again = s.probes.clone();
    tokio::join!(s.w.work(&s.probes), s.w.work(&again));
    assert_eq!(s.site.hits(), 1);
    // A node takes what is due and stops; after its lease another looks.
    s.w.pass(10);
    let mut tx = s.w.tx().await;
    let slow = probes::claim_due(&mut tx, 10, Duration::from_secs(30)).await.unwrap().pop().unwrap();
    tx.commit().await.unwrap();
    s.pass(20).await;
    assert_eq!(s.site.hits(), 1, "it is leased");
    s.pass(10).await;
    assert_eq!(s.site.hits(), 2);
    let mut tx = s.w.tx().await;
    let now = tx.now().await.unwrap();
    assert!(!probes::finish(&mut tx, &slow, now).await.unwrap(), "its lease is another's");
}

#[tokio::test]
async fn without_the_operators_word_there_is_no_data_and_no_alarm() {
    let mut s = Scene::new().await;
    s.probes = Probes { connector: connector(&[], Names::system()), master: master() };
    for _ in 0..3 {
        s.pass(10).await;
    }
    assert_eq!(s.w.list("SELECT verdict FROM observations").await, ["no_data"]);
    let why = "SELECT readings->'no_data'->>'why' FROM check_states";
    assert!(s.w.one::<String>(why).await.contains("--allow-egress"));
    assert_eq!((s.site.hits(), s.w.list(SIGNALS).await.len()), (0, 0));
}

#[tokio::test]
async fn a_check_that_is_no_more_is_not_asked_again() {
    let mut s = Scene::new().await;
    s.pass(0).await;
    assert_eq!(s.w.one::<i64>("SELECT count(*) FROM probes").await, 1);
    s.w.change("UPDATE checks SET archived_at = created_at WHERE kind = 'http'").await;
    s.pass(10).await;
    assert_eq!(s.w.one::<i64>("SELECT count(*) FROM probes").await, 0);
    s.pass(20).await;
    assert_eq!(s.site.hits(), 1);
}
