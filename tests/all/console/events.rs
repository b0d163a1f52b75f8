//! The stream of what changed: who hears of what, and when it ends. Over real connections, as a browser has them.

use std::time::Duration;

use store::auth::OperatorTx;
use store::{Store, decisions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;
use web::{Config, router};

use super::Console;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A stream as a browser reads it.
pub(super) struct Stream {
    connection: TcpStream,
    pub(super) got: String,
}

impl Stream {
    pub(super) async fn open(addr: std::net::SocketAddr, cookie: &str) -> Stream {
        Stream::ask(addr, "/events", &format!("cookie: {cookie}")).await
    }

    async fn ask(addr: std::net::SocketAddr, path: &str, header: &str) -> Stream {
        let mut connection = TcpStream::connect(addr).await.unwrap();
        let ask = format!(
            "GET {path} HTTP/1.1\r\nhost: mend.example\r\naccept: text/event-stream\r\naccept-encoding: gzip\r\n{header}\r\n\r\n"
        );
        connection.write_all(ask.as_bytes()).await.unwrap();
        let mut stream = Stream { connection, got: String::new() };
        // The first sign of life: from here on nothing is missed.
        stream.until(|got| got.contains("\r\n\r\n") && (got.contains("\n:") || !got.starts_with("HTTP/1.1 200"))).await;
        stream
    }

    /// Reads until `seen` is so, or the other side ends it.
    async fn until(&mut self, seen: impl Fn(&str) -> bool) -> bool {
        let mut part = [0; 4096];
        // As a whole: a stream that says nothing still gives signs of life.
        let read = async {
            while !seen(&self.got) {
                let n = self.connection.read(&mut part).await.unwrap();
                if n == 0 {
                    return false;
                }
                self.got.push_str(&String::from_utf8_lossy(&part[..n]));
            }
            true
        };
        tokio::time::timeout(LONG, read).await.expect("in time")
    }

    pub(super) async fn hears(&mut self, what: &str) {
        assert!(self.until(|got| got.contains(what)).await, "{what} is missing in {}", self.got);
    }

    /// Whether the server ends it: the last chunk has no bytes.
    async fn ends(&mut self) {
        self.until(|got| got.ends_with("0\r\n\r\n")).await;
    }
}

impl Console {
    /// A real server on this console's rows whose streams look at their sessions this often, and its relay.
    pub(super) async fn serve(&self, beat: Duration) -> std::net::SocketAddr {
        let mut config = Config::new("https://mend.example");
        config.events_beat = beat;
        let routes = router(self.app(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        addr
    }

    /// Decides something on an incident, as a stage does, in the tenant of that incident.
    pub(super) async fn decide(&self, store: &Store, tenant: Uuid, client: Uuid, incident: Uuid) {
        let operator = OperatorTx::begin(store, &self.db.owner_url()).await.unwrap();
        let mut tx = operator.into_tenant(tenant).await.unwrap();
        let record = serde_json::json!({"a": "secret of theirs"});
        let decision = decisions::NewDecision {
            client_id: client,
            stage: "classify",
            incident_id: Some(incident),
            subject_id: incident,
            outcome: "mapped",
            record,
        };
        decisions::insert(&mut tx, decision).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_change_is_heard_by_its_members_and_by_nobody_else() {
    let mut console = Console::new().await;
    let addr = console.serve(Duration::from_secs(15)).await;
    let (ours, theirs) = (console.sign_in("sam@ours.example").await, console.sign_in("tess@theirs.example").await);
    // An owner of ours who is limited to another client.
    let limited = console.sign_in("owner@ours.example").await;
    let tenant = console.ours.tenant;
    console
        .execute(format!(
            "UPDATE memberships SET client_ids = ARRAY[gen_random_uuid()] WHERE tenant_id = '{tenant}' AND role = 'owner'"
        ))
        .await;
    let mut ours = Stream::open(addr, &ours).await;
    let mut theirs = Stream::open(addr, &theirs).await;
    let mut limited = Stream::open(addr, &limited).await;
    let head = ours.got.to_lowercase();
    assert!(head.contains("content-type: text/event-stream") && !head.contains("content-encoding"), "{head}");
    assert!(head.contains("cache-control: no-store") || head.contains("cache-control: no-cache"), "{head}");

    let (a, b) = (&console.ours, &console.theirs);
    console.decide(&console.store, a.tenant, a.client, a.incident).await;
    ours.hears(&format!("event: change\ndata: incident {}\n", a.incident)).await;
    console.decide(&console.store, b.tenant, b.client, b.incident).await;
    theirs.hears(&format!("data: incident {}\n", b.incident)).await;
    // What stops everything is for everybody of the organization, and comes after whatever came before.
    let mut tx = console.tx().await;
    store::audit::insert(&mut tx, None, store::audit::Entry::done("test", ("tenant", tenant))).await.unwrap();
    tx.commit().await.unwrap();
    limited.hears("data: guardrail\n").await;
    ours.hears("data: guardrail\n").await;
    for (stream, not) in [(&limited, a.incident), (&theirs, a.incident), (&ours, b.incident)] {
        assert!(!stream.got.contains(&not.to_string()) && !stream.got.contains("secret"), "{}", stream.got);
    }
    assert!(!theirs.got.contains("guardrail"));
}

#[tokio::test]
async fn what_another_node_did_is_heard_too() {
    let console = Console::new().await;
    let addr = console.serve(Duration::from_secs(15)).await;
    let cookie = console.sign_in("sam@ours.example").await;
    let other = console.db.store(store::Clock::Moved(console.clock.clone()));
    let relays = [console.store.clone(), other.clone()]
        .map(|store| tokio::spawn(async move { store::wake::relay(&store, Store::new_id()).await }));
    let mut stream = Stream::open(addr, &cookie).await;
    let told = format!("data: incident {}\n", console.ours.incident);
    let ours = &console.ours;
    // The nodes may not listen yet: it is said until it is heard.
    for _ in 0..200 {
        console.decide(&other, ours.tenant, ours.client, ours.incident).await;
        if let Ok(true) =
            tokio::time::timeout(Duration::from_millis(100), stream.until(|got| got.contains(&told))).await
        {
            break;
        }
    }
    assert!(stream.got.contains(&told), "{}", stream.got);
    // A node that stops ends its streams, so that it can stop.
    relays.iter().for_each(tokio::task::JoinHandle::abort);
    stream.ends().await;
    let mut late = Stream::open(addr, &cookie).await;
    late.hears("HTTP/1.1 503").await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_its_membership() {
    let mut console = Console::new().await;
    let addr = console.serve(Duration::from_millis(50)).await;
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let mut stream = Stream::open(addr, &cookie).await;
    stream.until(|got| got.matches("\n:").count() > 2).await;
    console.post("/sign-out", &cookie, format!("csrf={csrf}")).await;
    stream.hears("event: end").await;
    stream.ends().await;

    let cookie = console.sign_in("sam@ours.example").await;
    let mut stream = Stream::open(addr, &cookie).await;
    console.execute("DELETE FROM memberships WHERE name = 'A member'".to_owned()).await;
    stream.hears("event: end").await;

    // Looking whether it lasts does not make it last: eight hours later a session that did nothing else is over.
    let cookie = console.sign_in("viewer@ours.example").await;
    let mut stream = Stream::open(addr, &cookie).await;
    console.clock.advance(jiff::SignedDuration::from_hours(9));
    stream.hears("event: end").await;
}

#[tokio::test]
async fn a_client_taken_away_is_not_heard_of_any_more() {
    let mut console = Console::new().await;
    let addr = console.serve(Duration::from_millis(50)).await;
    let cookie = console.sign_in("sam@ours.example").await;
    let mut stream = Stream::open(addr, &cookie).await;
    let tenant = console.ours.tenant;
    console
        .execute(format!(
            "UPDATE memberships SET client_ids = ARRAY[gen_random_uuid()] WHERE tenant_id = '{tenant}' AND name = 'A member'"
        ))
        .await;
    // Two more beats: the seat was read anew in between.
    let beats = stream.got.matches("\n:").count();
    stream.until(|got| got.matches("\n:").count() > beats + 2).await;
    let ours = &console.ours;
    console.decide(&console.store, ours.tenant, ours.client, ours.incident).await;
    let mut tx = console.tx().await;
    store::audit::insert(&mut tx, None, store::audit::Entry::done("test", ("tenant", tenant))).await.unwrap();
    tx.commit().await.unwrap();
    stream.hears("data: guardrail\n").await;
    assert!(!stream.got.contains("incident"), "{}", stream.got);
}

#[tokio::test]
async fn too_many_streams_are_refused_in_words_and_one_that_closes_makes_room() {
    let console = Console::new().await;
    let addr = console.serve(Duration::from_millis(50)).await;
    let cookie = console.sign_in("sam@ours.example").await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(Stream::open(addr, &cookie).await);
    }
    let mut fifth = Stream::open(addr, &cookie).await;
    fifth.hears("HTTP/1.1 429").await;
    fifth.hears("4 pages of this browser are live already").await;
    assert!(fifth.got.contains("retry-after") && !fifth.got.contains("<html"));
    // Another browser of the same person has its own.
    let second = console.sign_in("sam@ours.example").await;
    assert!(Stream::open(addr, &second).await.got.starts_with("HTTP/1.1 200"));
    open.pop();
    // The server notices at its next sign of life.
    let mut is_open = false;
    for _ in 0..200 {
        is_open = Stream::open(addr, &cookie).await.got.starts_with("HTTP/1.1 200");
        if is_open {
            break;
        }
    }
    assert!(is_open);
}

#[tokio::test]
async fn a_token_hears_what_its_maker_may_read_until_it_is_revoked_and_has_four_streams() {
    let mut console = Console::new().await;
    let addr = console.serve(Duration::from_millis(50)).await;
    let (id, ours) = console.token("sam@ours.example", &["read"], &[]).await;
    let (_, theirs) = console.token("tess@theirs.example", &["read"], &[]).await;
    let (_, limited) = console.token("owner@ours.example", &["read"], &[]).await;
    let (_, blind) = console.token("owner@ours.example", &["work"], &[]).await;
    let tenant = console.ours.tenant;
    console
        .execute(format!(
            "UPDATE memberships SET client_ids = ARRAY[gen_random_uuid()] WHERE tenant_id = '{tenant}' AND role = 'owner'"
        ))
        .await;
    let open = |token: &str| {
        let header = format!("authorization: Bearer {token}");
        async move { Stream::ask(addr, "/api/v1/events", &header).await }
    };
    let (mut hears, mut others, mut less) = (open(&ours).await, open(&theirs).await, open(&limited).await);
    assert!(open(&blind).await.got.starts_with("HTTP/1.1 403"), "no scope, no stream");
    assert!(open("mw_api_nonsense").await.got.starts_with("HTTP/1.1 401"));
    let (a, b) = (&console.ours, &console.theirs);
    console.decide(&console.store, a.tenant, a.client, a.incident).await;
    hears.hears(&format!("event: change\ndata: incident {}\n", a.incident)).await;
    console.decide(&console.store, b.tenant, b.client, b.incident).await;
    others.hears(&format!("data: incident {}\n", b.incident)).await;
    let mut tx = console.tx().await;
    store::audit::insert(&mut tx, None, store::audit::Entry::done("test", ("tenant", tenant))).await.unwrap();
    tx.commit().await.unwrap();
    less.hears("data: guardrail\n").await;
    hears.hears("data: guardrail\n").await;
    for (stream, not) in [(&less, a.incident), (&others, a.incident), (&hears, b.incident)] {
        assert!(!stream.got.contains(&not.to_string()), "{}", stream.got);
    }

    let more = [open(&ours).await, open(&ours).await, open(&ours).await];
    let fifth = open(&ours).await;
    assert!(fifth.got.starts_with("HTTP/1.1 429") && fifth.got.contains("this token has 4 streams"), "{}", fifth.got);
    drop(more);
    let mut tx = console.tx().await;
    assert!(store::tokens::mark_revoked(&mut tx, id, "Ours").await.unwrap());
    tx.commit().await.unwrap();
    hears.hears("event: end\ndata: the token may read no more\n").await;
    hears.ends().await;
}
