//! A check of kind `ssh`: real rows, a real host, its secret opened for each look.

use std::sync::Arc;

use domain::secret::Kind;
use engine::classify::Classify;
use engine::probes::{Plan, Probes};
use keys::Secret;
use keys::seal::MasterKey;
use probe::Names;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use russh::keys::{Algorithm, PrivateKey};
use store::secrets::{self, New};

use super::door::{Door, fingerprint, key, text, users};
use super::site::connector;
use crate::stages::world::{Setup, World, document};

const WHY: &str = "SELECT readings->'no_data'->>'why' FROM check_states WHERE readings ? 'no_data'";
const DETAIL: &str = "SELECT readings->'data'->>'detail' FROM check_states";

fn host(seed: u64) -> PrivateKey {
    key(Algorithm::Ed25519, seed)
}

/// A host that `monitor` gets into with the first key, and a check that signs in with what the secret `way-in` says.
struct Scene {
    w: World,
    door: Door,
    probes: Probes,
    master: Arc<MasterKey>,
}

impl Scene {
    async fn new() -> Scene {
        let door = Door::new(host(1)).await;
        let check = format!(
            "checks:\n  - {{name: Way in, kind: ssh, target: \"{}\", selector: {{host: h1}}, failures: 2, \
             host_key: \"{}\", user: monitor, key: {{secret: way-in}}}}\n",
            door.addr,
            fingerprint(&host(1))
        );
        let w = World::of(Setup::default(), |setup| document(setup).replace("checks:\n", &check)).await;
        let master = Arc::new(MasterKey::from_bytes([7; 32]));
        let connector = connector(&[&door.addr.to_string()], Names::system());
        Scene { w, door, probes: Probes { connector, master: master.clone() }, master }
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

    async fn replace(&mut self, value: &str) {
        let mut tx = self.w.tx().await;
        let stored = secrets::list(&mut tx).await.unwrap().pop().unwrap();
        let (value, mut rng) = (Secret::new(value.to_owned()), StdRng::seed_from_u64(6));
        secrets::replace(&mut tx, &self.master, &mut rng, &stored, &value, "Owner").await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn verdict(&mut self) -> String {
        self.w.one("SELECT verdict FROM check_states WHERE target LIKE '127%'").await
    }

    /// No table but the one of sealed values holds a line of a key, nor what it is made of.
    async fn tells_nothing_of(&mut self, key: &PrivateKey) {
        let text = text(key);
        let body: Vec<&str> = text.lines().filter(|line| !line.starts_with('-')).collect();
        let private = key.key_data().ed25519().unwrap().private.to_bytes();
        let bytes = private.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for table in ["check_states", "observations", "decisions", "signals", "incidents", "audit", "tenant_audit"] {
            for part in body.iter().copied().chain([bytes.as_str()]) {
                let sql = format!("SELECT t::text FROM {table} t WHERE strpos(t::text, '{part}') > 0");
                assert_eq!(self.w.list(&sql).await, [""; 0], "{table} holds nothing of the key");
            }
        }
    }
}

#[tokio::test]
async fn a_check_signs_in_with_its_secret_and_says_so_where_there_is_none_that_can() {
    let mut s = Scene::new().await;
    s.looks().await;
    assert_eq!(s.w.list(WHY).await, ["its secret “way-in” is not there: somebody has to set it"]);

    s.set("way-in", Kind::ApiKey, "canary").await;
    s.looks().await;
    assert_eq!(s.w.list(WHY).await, ["its secret “way-in” is an API key, not an SSH key"]);

    s.w.change("DELETE FROM secrets").await;
    s.set("way-in", Kind::SshKey, "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n").await;
    s.looks().await;
    let why = s.w.one::<String>(WHY).await;
    assert!(
        why.starts_with("its secret “way-in” is no private key that can be read") && !why.contains("canary"),
        "{why}"
    );
    assert_eq!((s.verdict().await.as_str(), s.door.heard().len()), ("no_data", 0), "nobody connected");

    s.replace(&text(&users(1))).await;
    s.looks().await;
    assert_eq!(s.verdict().await, "ok");
    assert_eq!(s.w.list(DETAIL).await, ["it answers as expected"]);
    assert!(s.w.one::<f64>("SELECT (readings->'data'->>'took_ms')::float8 FROM check_states").await >= 0.0);
    assert_eq!(s.w.one::<i64>("SELECT count(*) FROM secrets WHERE used_at IS NOT NULL").await, 1);
    assert_eq!(s.door.until("said good-bye").await, ["connected", "monitor offers a key", "monitor signs", "is in"]);

    // What replaces it is used from the next look on.
    s.replace(&text(&users(2))).await;
    for _ in 0..2 {
        s.looks().await;
    }
    assert_eq!((s.verdict().await.as_str(), s.door.heard().contains(&"is in".to_owned())), ("critical", false));
    assert_eq!(s.w.list(DETAIL).await, ["it does not let the user in with this key"]);

    s.set("other", Kind::SshKey, &text(&users(1))).await;
    s.w.change("UPDATE secrets s SET sealed = o.sealed FROM secrets o WHERE s.name = 'way-in' AND o.name = 'other'")
        .await;
    s.looks().await;
    assert_eq!(s.w.list(WHY).await, ["its secret “way-in” does not open: somebody has to replace it"]);
    for user in [users(1), users(2)] {
        s.tells_nothing_of(&user).await;
    }
}

#[tokio::test]
async fn a_host_that_comes_back_with_another_key_is_told_of_although_it_was_down_before() {
    let mut s = Scene::new().await;
    s.set("way-in", Kind::SshKey, &text(&users(2))).await;
    // Bad for long: a further bad look changes nothing but what is said of it.
    for _ in 0..4 {
        s.looks().await;
    }
    assert_eq!(s.w.list(DETAIL).await, ["it does not let the user in with this key"]);
    s.door.heard();
    s.door.shows(host(2));
    s.looks().await;
    let (shown, pinned) = (fingerprint(&host(2)), fingerprint(&host(1)));
    assert_eq!(
        s.w.list(DETAIL).await,
        [format!("its host key differs: it shows {shown} (ssh-ed25519), and {pinned} is pinned")]
    );
    assert_eq!(s.door.until("broke off").await, ["connected"]);
    s.w.work(&Classify).await;
    assert_eq!(s.w.list("SELECT title FROM incidents").await, ["“Way in” failed on h1"]);
    s.tells_nothing_of(&users(2)).await;
}

#[tokio::test]
async fn a_host_inside_is_no_data_without_the_operators_word() {
    let mut s = Scene::new().await;
    s.set("way-in", Kind::SshKey, &text(&users(1))).await;
    s.probes.connector = connector(&[], Names::system());
    s.looks().await;
    assert!(s.w.one::<String>(WHY).await.contains("--allow-egress"));
    assert_eq!((s.verdict().await.as_str(), s.door.heard().len()), ("no_data", 0));
}
