//! Tokens for many hosts, where they may be used from, and the same machine enrolled again.

use std::net::SocketAddr;

use super::*;
use store::enrolment_tokens::{self, For, New};
use store::{hosts, newcomers};

const MANY: &str = "mw_enroll_a_token_for_many_of_this_test";
const MACHINE: &str = "0123456789abcdef0123456789abcdef";

impl World {
    async fn make_token(&self, token: &str, whom: &For, networks: &[&str]) -> Uuid {
        let mut tx = self.tx().await;
        let networks: Vec<String> = networks.iter().map(|network| (*network).to_owned()).collect();
        let new = New {
            client_id: self.client,
            site_id: None,
            tags: &json!({"role": "web"}),
            networks: &networks,
            whom,
            begins: "mw_enroll_test",
            hash: keys::token::hash(token),
            lives: Duration::from_secs(3600),
            by: "test",
        };
        let token_id = enrolment_tokens::insert(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        token_id
    }

    async fn uses_left(&mut self, token_id: Uuid) -> i32 {
        sqlx::query_scalar("SELECT uses_left FROM credentials WHERE subject_id = $1")
            .bind(token_id)
            .fetch_one(&mut self.rows)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn fifty_agents_at_once_with_one_token_become_as_many_hosts_as_it_has_uses() {
    let mut world = world().await;
    let token_id = world.make_token(MANY, &For::Many(3), &[]).await;
    let one = world.make_token("mw_enroll_one", &For::Host("single".into()), &[]).await;
    for (token, wins) in [(MANY, 3), ("mw_enroll_one", 1)] {
        let asking = (0..50).map(|n| {
            let key = key(100 + n);
            let world = &world;
            async move { world.enrol_as(&key, token, &format!("many-{n}"), None).await }
        });
        let answers = futures_util::future::join_all(asking).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), wins, "{token}");
        assert!(
            answers.iter().all(|answer| matches!(answer, Ok(_) | Err(close::TOKEN | close::HOST_KEY))),
            "{answers:?}"
        );
        // The keys of those who won are free for the next round.
        world.rows.execute("UPDATE hosts SET public_key = decode(md5(host_id::text), 'hex')").await.unwrap();
        world.rows.execute("DELETE FROM credentials WHERE kind = 'host_key'").await.unwrap();
    }
    assert_eq!((world.uses_left(token_id).await, world.uses_left(one).await), (0, 0));
}

#[tokio::test]
async fn a_host_of_a_token_for_many_gets_nothing_to_do_until_a_person_accepts_it() {
    let mut world = world().await;
    let token_id = world.make_token(MANY, &For::Many(2), &[]).await;
    let key = key(1);
    let enrolled = world.enrol_as(&key, MANY, "lab-01", None).await.unwrap();
    let host = enrolled.host_id;
    let row = "hosts WHERE state = 'quarantined' AND name = 'lab-01' AND token_id IS NOT NULL AND accepted_at IS NULL";
    assert_eq!(world.count(row).await, 1);
    let waits =
        "audit WHERE action = 'host.waits' AND before->>'state' = 'trusted' AND after->>'state' = 'quarantined'";
    let spent =
        "audit WHERE action = 'enrolment_token.spent' AND before->>'uses_left' = '2' AND after->>'uses_left' = '1'";
    assert_eq!((world.count(waits).await, world.count(spent).await), (1, 1));
    let (_, welcome) = world.link(host, Uuid::from_u128(1), 0).await;
    assert!(welcome.quarantined, "no jobs");
    // Its answer is given again, and takes no second use... of a key that is known only with a machine's name.
    assert_eq!(world.uses_left(token_id).await, 1);
    let mut tx = world.tx().await;
    assert!(newcomers::accept(&mut tx, world.client, host, "test").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.count("hosts WHERE state = 'trusted' AND accepted_at IS NOT NULL").await, 1);
    let (_, welcome) = world.link(host, Uuid::from_u128(2), 0).await;
    assert!(!welcome.quarantined);
    let mut tx = world.tx().await;
    assert!(!newcomers::refuse(&mut tx, world.client, host).await.unwrap(), "what is accepted is not sent away");
}

#[tokio::test]
async fn a_newcomer_that_is_refused_links_no_more_and_leaves_its_name() {
    let mut world = world().await;
    world.make_token(MANY, &For::Many(2), &[]).await;
    let host = world.enrol_as(&key(1), MANY, "lab-01", None).await.unwrap().host_id;
    let mut tx = world.tx().await;
    assert!(newcomers::refuse(&mut tx, world.client, host).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.count("credentials WHERE kind = 'host_key' AND revoked_at IS NULL").await, 0);
    assert_eq!(world.count("audit WHERE action = 'host.refused'").await, 1);
    assert!(world.enrol_as(&key(3), MANY, "lab-01", None).await.is_ok(), "the name is free again");
}

/// Where a gateway of this world answers that sees all its requests come from `address`.
async fn door(world: &World, address: [u8; 4]) -> String {
    let config = GatewayConfig {
        node_id: world.node,
        server_name: "test".into(),
        dispatch_keys: watch::channel(DispatchKeys::from(key(8))).1,
        elapsed: crate::support::monotonic(),
        random: Arc::new(|| [5; 32]),
    };
    let peer = gateway::Peer(SocketAddr::from((address, 4_000)));
    let router = Gateway::new(world.store.clone(), config).router().layer(axum::Extension(peer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("ws://{at}")
}

#[tokio::test]
async fn a_token_of_a_network_is_used_from_there_only() {
    let mut world = world().await;
    let token_id = world.make_token(MANY, &For::Many(5), &["192.0.2.0/24", "198.51.100.7/32"]).await;
    // The test's requests carry no address: in no network.
    assert_eq!(world.enrol_as(&key(1), MANY, "lab-01", None).await.unwrap_err(), close::TOKEN);
    for (n, (address, is_let_in)) in
        [([203, 0, 113, 9], false), ([192, 0, 3, 9], false), ([192, 0, 2, 9], true), ([198, 51, 100, 7], true)]
            .into_iter()
            .enumerate()
    {
        world.url = door(&world, address).await;
        let name = format!("net-{n}");
        let answer = world.enrol_as(&key(20 + u8::try_from(n).unwrap()), MANY, &name, None).await;
        match is_let_in {
            true => assert!(answer.is_ok(), "from {address:?}: {answer:?}"),
            false => assert_eq!(answer.unwrap_err(), close::TOKEN, "from {address:?}"),
        }
    }
    assert_eq!((world.count("hosts").await, world.uses_left(token_id).await), (2, 3), "who is refused takes no use");
    let from = "audit WHERE action = 'host.enrolled' AND source IN ('192.0.2.9', '198.51.100.7')";
    assert_eq!(world.count(from).await, 2, "and the audit says from where the others came");
}

#[tokio::test]
async fn a_revoked_token_and_one_of_an_archived_client_enrol_nobody() {
    let mut world = world().await;
    let token_id = world.make_token(MANY, &For::Many(5), &[]).await;
    let mut tx = world.tx().await;
    assert!(enrolment_tokens::revoke(&mut tx, world.client, token_id).await.unwrap());
    assert!(!enrolment_tokens::revoke(&mut tx, world.client, token_id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.enrol_as(&key(1), MANY, "lab-01", None).await.unwrap_err(), close::TOKEN);
    let mut tx = world.tx().await;
    store::clients::archive(&mut tx, world.client, "test").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.enrol(&key(1)).await.unwrap_err(), close::TOKEN);
    assert_eq!(world.count("hosts").await, 0);
}

#[tokio::test]
async fn the_same_machine_enrolled_again_keeps_its_host_once_a_person_says_so() {
    let mut world = world().await;
    world.make_token(MANY, &For::Many(9), &[]).await;
    let first = world.enrol_as(&key(7), MANY, "web-01", Some(MACHINE)).await.unwrap();
    let again = world.enrol_as(&key(7), MANY, "web-01", Some(MACHINE)).await.unwrap();
    assert_eq!(again.host_id, first.host_id, "the same key is answered the same");
    // Reinstalled: another key.
    let new = key(1);
    assert_eq!(world.enrol_as(&new, MANY, "fresh", Some(MACHINE)).await.unwrap_err(), close::TOKEN);
    assert_eq!(world.count("hosts").await, 1);
    let mut tx = world.tx().await;
    let claim = newcomers::find_claim(&mut tx, first.host_id).await.unwrap().unwrap();
    assert_eq!((claim.hostname.as_str(), claim.public_key == new.public().to_bytes()), ("fresh", true));
    // It asks again and again; that it does is news once.
    assert_eq!(world.enrol_as(&new, MANY, "fresh", Some(MACHINE)).await.unwrap_err(), close::TOKEN);
    let claimed = "audit WHERE action = 'host.claimed' AND actor LIKE 'enrolment %' AND before IS NULL AND after->>'hostname' = 'fresh'";
    assert_eq!(world.count(claimed).await, 1);
    let other = key(5).public().to_bytes();
    assert!(!newcomers::accept_claim(&mut tx, world.client, first.host_id, &other, "test").await.unwrap());
    tx.rollback().await.unwrap();
    let mut tx = world.tx().await;
    let asked = new.public().to_bytes();
    assert!(newcomers::accept_claim(&mut tx, world.client, first.host_id, &asked, "test").await.unwrap());
    tx.commit().await.unwrap();
    let enrolled = world.enrol_as(&new, MANY, "fresh", Some(MACHINE)).await.unwrap();
    assert_eq!(enrolled.host_id, first.host_id);
    let (_, welcome) = world.link_with(first.host_id, Uuid::from_u128(1), 0, JournalState::New).await;
    assert!(!welcome.quarantined, "a new journal of the same machine is trusted");
    assert_eq!(
        world.count("credentials WHERE kind = 'host_key' AND revoked_at IS NULL").await,
        1,
        "the old key opens nothing"
    );
    let mut tx = world.tx().await;
    assert_eq!(hosts::find(&mut tx, first.host_id).await.unwrap().unwrap().name, "web-01");
}

#[tokio::test]
async fn a_machine_that_is_said_to_be_another_one_changes_nothing() {
    let mut world = world().await;
    world.make_token(MANY, &For::Many(9), &[]).await;
    let first = world.enrol_as(&key(7), MANY, "web-01", Some(MACHINE)).await.unwrap();
    assert!(world.enrol_as(&key(1), MANY, "copy", Some(MACHINE)).await.is_err());
    let mut tx = world.tx().await;
    assert!(newcomers::refuse_claim(&mut tx, world.client, first.host_id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.count("host_claims").await, 0);
    let again = world.enrol_as(&key(7), MANY, "web-01", Some(MACHINE)).await.unwrap();
    assert_eq!(again.host_id, first.host_id);
}

#[tokio::test]
async fn a_full_plan_refuses_new_hosts_keeps_their_token_and_takes_what_enrolled_hosts_say() {
    let mut world = world().await;
    let token_id = world.make_token(MANY, &For::Many(5), &[]).await;
    let first = world.enrol_as(&key(1), MANY, "lab-01", Some(MACHINE)).await.unwrap();
    let (tenant, plan) = (world.tenant, "INSERT INTO plans (plan, max_hosts) VALUES ('one', 1)");
    world.rows.execute(plan).await.unwrap();
    world
        .rows
        .execute(sqlx::AssertSqlSafe(format!("UPDATE tenants SET plan = 'one' WHERE tenant_id = '{tenant}'")))
        .await
        .unwrap();
    assert_eq!(world.enrol_as(&key(2), MANY, "lab-02", None).await.unwrap_err(), close::TOKEN);
    assert_eq!(world.uses_left(token_id).await, 4, "the token lost no use");
    assert_eq!(world.count("hosts").await, 1);
    // The host that is there is answered and linked as before.
    assert_eq!(world.enrol_as(&key(1), MANY, "lab-01", Some(MACHINE)).await.unwrap().host_id, first.host_id);
    world.link(first.host_id, Uuid::from_u128(1), 0).await;
    world.rows.execute("UPDATE plans SET max_hosts = 2 WHERE plan = 'one'").await.unwrap();
    world.enrol_as(&key(2), MANY, "lab-02", None).await.unwrap();
}

#[tokio::test]
async fn the_hosts_of_a_client_that_is_deleted_are_cut_off_and_their_keys_and_tokens_open_nothing() {
    let mut world = world().await;
    world.make_token(MANY, &For::Many(5), &[]).await;
    let host = world.enrol_as(&key(1), TOKEN, "alder-web", None).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let subject = store::deletions::Subject::Client(world.client);
    let mut tx = world.tx().await;
    assert!(store::clients::archive(&mut tx, world.client, "test").await.unwrap());
    assert!(store::deletions::insert(&mut tx, subject, "Alder", "test", Duration::ZERO).await.unwrap());
    store::deletions::begin_due(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_ne!(peer.until_closed().await, 0, "its link is ended with a word");
    assert_eq!(world.count("host_links WHERE unlinked_at IS NULL").await, 0);
    let mut again = Peer::open(&format!("{}{LINK_PATH}/{}", world.url, key(1).public().id())).await;
    assert_eq!(again.next().await.unwrap_err(), close::HOST_KEY);
    assert_eq!(world.enrol_as(&key(2), MANY, "alder-new", None).await.unwrap_err(), close::TOKEN);
}

#[tokio::test]
async fn a_host_that_is_retired_is_cut_off_and_its_machine_is_a_new_host_with_another_key_only() {
    let mut world = world().await;
    world.make_token(MANY, &For::Many(5), &[]).await;
    let host = world.enrol_as(&key(1), TOKEN, "alder-web", Some(MACHINE)).await.unwrap().host_id;
    let (mut peer, _) = world.link(host, Uuid::from_u128(1), 0).await;
    let mut tx = world.tx().await;
    let retired = store::retiring::retire(&mut tx, world.client, host).await.unwrap();
    assert_eq!(retired, store::retiring::Retired::Yes);
    tx.commit().await.unwrap();
    assert_ne!(peer.until_closed().await, 0, "its link is ended with a word");
    assert_eq!(world.count("host_links WHERE unlinked_at IS NULL").await, 0);
    let mut again = Peer::open(&format!("{}{LINK_PATH}/{}", world.url, key(1).public().id())).await;
    assert_eq!(again.next().await.unwrap_err(), close::HOST_KEY);
    // Neither the token that it came by nor a fresh one takes its key again.
    assert_eq!(world.enrol_as(&key(1), TOKEN, "alder-web", Some(MACHINE)).await.unwrap_err(), close::TOKEN);
    assert_eq!(world.enrol_as(&key(1), MANY, "alder-web", Some(MACHINE)).await.unwrap_err(), close::TOKEN);
    let new = world.enrol_as(&key(2), MANY, "alder-web", Some(MACHINE)).await.unwrap();
    assert_ne!(new.host_id, host, "the same machine is another host, and nobody is asked whether it is the old one");
    assert_eq!(world.count("hosts WHERE name = 'alder-web' AND state = 'quarantined'").await, 1);
    assert_eq!(world.count("host_claims").await, 0);
}
