//! Secrets that a check's request carries: opened for one look, sent to one origin.

use std::sync::Arc;

use domain::secret::Kind;
use engine::probes::{Plan, Probes};
use keys::Secret;
use keys::seal::MasterKey;
use probe::{Headers, Names};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use store::secrets::{self, New};
use tokio::io::AsyncWriteExt as _;

use super::site::{Site, answer, at_home, connector, redirect};
use crate::stages::world::{Setup, World, document};

const WHY: &str = "SELECT readings->'no_data'->>'why' FROM check_states WHERE readings ? 'no_data'";
const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// A site that lets in whoever shows the first value, and a check that shows what the secret `status` says.
struct Scene {
    w: World,
    site: Site,
    probes: Probes,
    master: Arc<MasterKey>,
}

impl Scene {
    async fn new() -> Scene {
        let site = Site::new_heard(|head, mut stream| {
            let is_shown = head.contains("\r\nauthorization: Bearer canary-1\r\n");
            let answer = answer(if is_shown { 200 } else { 401 });
            async move { drop(stream.write_all(answer.as_bytes()).await) }
        })
        .await;
        let setup = Setup { site: Some(site.url().into()), ..Setup::default() };
        let headers = "headers: {Authorization: {secret: status, prefix: \"Bearer \"}}, failures: 3";
        let w = World::of(setup, |setup| document(setup).replace("failures: 3", headers)).await;
        let master = Arc::new(MasterKey::from_bytes([7; 32]));
        let connector = connector(&[&site.addr.to_string()], Names::system());
        Scene { w, site, probes: Probes { connector, master: master.clone() }, master }
    }

    async fn looks(&mut self) {
        self.w.pass(10);
        self.w.work(&Plan).await;
        self.w.work(&self.probes).await;
    }

    async fn set(&mut self, name: &str, kind: Kind, value: &str) {
        let mut tx = self.w.tx().await;
        let value = Secret::new(value.to_owned());
        let new = New { name, kind, value: &value, by: "Owner" };
        secrets::insert(&mut tx, &self.master, &mut StdRng::seed_from_u64(5), &new).await.unwrap().unwrap();
        tx.commit().await.unwrap();
    }

    async fn verdicts(&mut self) -> Vec<String> {
        self.w.list("SELECT verdict FROM check_states WHERE target LIKE 'http%'").await
    }
}

#[tokio::test]
async fn a_check_shows_its_secret_and_says_so_where_there_is_none_or_not_the_right_one() {
    let mut s = Scene::new().await;
    s.looks().await;
    assert_eq!(s.w.list(WHY).await, ["its secret “status” is not there: somebody has to set it"]);
    assert_eq!((s.site.hits(), s.verdicts().await), (0, vec!["no_data".to_owned()]), "nothing is asked without it");

    s.set("status", Kind::ApiKey, "canary-1").await;
    s.looks().await;
    assert_eq!((s.site.hits(), s.verdicts().await), (1, vec!["ok".to_owned()]));
    assert_eq!(s.w.one::<i64>("SELECT count(*) FROM secrets WHERE used_at IS NOT NULL").await, 1);

    // What it says is used from the next look on, and what it said before is not.
    let mut tx = s.w.tx().await;
    let stored = secrets::list(&mut tx).await.unwrap().pop().unwrap();
    let (value, mut rng) = (Secret::new("canary-2".to_owned()), StdRng::seed_from_u64(6));
    assert_eq!(secrets::replace(&mut tx, &s.master, &mut rng, &stored, &value, "Owner").await.unwrap(), 2);
    tx.commit().await.unwrap();
    s.looks().await;
    let detail = "SELECT readings->'data'->>'detail' FROM check_states WHERE target LIKE 'http%'";
    for _ in 0..2 {
        s.looks().await;
    }
    assert_eq!(s.w.list(detail).await, ["it answers 401, 200-299 is expected"]);

    // Another secret's value in its place opens nothing, and is told without a word of either.
    s.set("other", Kind::ApiKey, "canary-3").await;
    s.w.change("UPDATE secrets s SET sealed = o.sealed FROM secrets o WHERE s.name = 'status' AND o.name = 'other'")
        .await;
    let hits = s.site.hits();
    s.looks().await;
    assert_eq!(s.w.list(WHY).await, ["its secret “status” does not open: somebody has to replace it"]);
    s.w.change("DELETE FROM secrets").await;
    s.looks().await;
    let missing = "its secret “status” is not there: somebody has to set it";
    assert_eq!(s.w.list(WHY).await, [missing], "the reason of now, although there was no data before either");
    s.set("status", Kind::ApiKey, "canary-1").await;
    s.looks().await;
    assert_eq!((s.site.hits(), s.verdicts().await), (hits + 1, vec!["ok".to_owned()]));
    s.w.change("DELETE FROM secrets").await;
    s.set("status", Kind::SmtpPassword, "canary-4").await;
    s.looks().await;
    assert_eq!(s.w.list(WHY).await, ["its secret “status” is an SMTP password, not an API key"]);
    assert_eq!(s.site.hits(), hits + 1);
    for table in ["check_states", "observations", "decisions", "signals", "audit", "tenant_audit"] {
        let sql = format!("SELECT t::text FROM {table} t WHERE t::text LIKE '%canary%'");
        assert_eq!(s.w.list(&sql).await, [""; 0], "{table} holds no value");
    }
}

#[tokio::test]
async fn a_redirect_that_leads_elsewhere_leaves_the_secret_behind_for_good() {
    let mut headers = Headers::default();
    assert!(headers.add("X-Key", "canary") && !headers.add("X-Key", "two\r\nlines"));
    let elsewhere = Site::saying(answer(204)).await;
    let same = Site::new_heard(|head, mut stream| {
        // Within the origin it goes along; the answer to whoever shows nothing is 403.
        let answer = match (head.starts_with("GET /first"), head.contains("\r\nx-key: canary\r\n")) {
            (_, false) => answer(403),
            (true, true) => redirect("/second"),
            (false, true) => answer(200),
        };
        async move { drop(stream.write_all(answer.as_bytes()).await) }
    })
    .await;
    let first = same.url().join("/first").unwrap();
    assert_eq!(at_home().http(&first, &headers, 5, LIMIT).await.unwrap().status, 200);

    let to_elsewhere = Site::saying(redirect(elsewhere.url().as_str())).await;
    assert_eq!(at_home().http(&to_elsewhere.url(), &headers, 5, LIMIT).await.unwrap().status, 204);
    assert!(to_elsewhere.heard().pop().unwrap().contains("x-key: canary"));
    let heard = elsewhere.heard();
    assert!(heard.len() == 1 && !heard[0].contains("canary"), "another port is another origin: {heard:?}");

    // There and back again: the way back was chosen by somebody else.
    let home = Site::saying(answer(200)).await;
    let back = Site::saying(redirect(home.url().as_str())).await;
    let away = Site::saying(redirect(back.url().as_str())).await;
    let mut to = home.url();
    to.set_path("/");
    assert_eq!(at_home().http(&away.url(), &headers, 5, LIMIT).await.unwrap().status, 200);
    assert!(!home.heard().concat().contains("canary") && !back.heard().concat().contains("canary"));
}
