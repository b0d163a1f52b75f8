//! Real sockets on loopback against the listener.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Extension;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::visitor::network;

/// Against a test that hangs.
const GUARD: Duration = Duration::from_secs(60);

struct Listening {
    at: SocketAddr,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Listening {
    async fn new(routes: Router, limits: Limits) -> Listening {
        Listening::behind(&[], routes, limits).await
    }

    /// With these trusted proxies before it.
    async fn behind(proxies: &[&str], routes: Router, limits: Limits) -> Listening {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let certificate = ServerCertificate { chain_pem: certificate.pem(), key_pem: key.serialize_pem().into() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let tls = tls_config(&certificate).unwrap();
        let (how, trusted) =
            (Transport::InsecureLoopback, proxies.iter().map(|proxy| network(proxy).unwrap()).collect());
        let task = tokio::spawn(serve(listener, tls, how, routes, limits, trusted, cancel.clone()));
        Listening { at, cancel, task }
    }

    /// Connects and says so much.
    async fn says(&self, text: &str) -> TcpStream {
        let mut tcp = TcpStream::connect(self.at).await.unwrap();
        tcp.write_all(text.as_bytes()).await.unwrap();
        tcp
    }

    /// What a whole request is answered with.
    async fn asks(&self) -> String {
        let tcp = self.says("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        heard(tcp).await
    }
}

/// All that comes until the other end closes.
async fn heard(mut tcp: TcpStream) -> String {
    let mut all = Vec::new();
    let read = tokio::time::timeout(GUARD, tcp.read_to_end(&mut all)).await.expect("it is let go");
    // One that closes while we still say something resets the connection.
    drop(read);
    String::from_utf8_lossy(&all).into_owned()
}

fn hello() -> Router {
    Router::new().fallback(async || "hello")
}

const LIMITS: Limits = Limits {
    connections: 4_000,
    of_source: 4_000,
    of_proxy: 4_000,
    handshake: Duration::from_secs(600),
    head: Duration::from_secs(600),
};

#[tokio::test]
async fn two_thousand_slow_sockets_hold_up_nobody() {
    places::raise_handles();
    let listening = Listening::new(hello(), LIMITS).await;
    let mut slow = Vec::new();
    for n in 0..2_000 {
        // Silent, in the middle of a TLS handshake, in the middle of a head.
        let text = ["", "\u{16}\u{3}\u{1}", "GET / HTTP/1.1\r\nhost: x\r\nx: "][n % 3];
        slow.push(listening.says(text).await);
    }
    assert!(listening.asks().await.ends_with("hello"));
    drop(slow);
}

#[tokio::test]
async fn who_says_nothing_or_half_a_head_or_nothing_more_is_let_go() {
    let limits = Limits { handshake: Duration::from_millis(50), head: Duration::from_millis(50), ..LIMITS };
    let listening = Listening::new(hello(), limits).await;
    assert_eq!(heard(listening.says("").await).await, "");
    assert_eq!(heard(listening.says("\u{16}\u{3}\u{1}").await).await, "");
    let half = heard(listening.says("GET / HTTP/1.1\r\nhost: x\r\nx: ").await).await;
    assert!(!half.contains("hello"), "{half}");
    // Answered, and then idle.
    let idle = heard(listening.says("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await).await;
    assert!(idle.ends_with("hello"), "{idle}");
}

#[tokio::test]
async fn there_is_room_for_so_many_and_again_when_one_goes() {
    let listening = Listening::new(hello(), Limits { connections: 2, ..LIMITS }).await;
    let (one, _two) = (listening.says("GET").await, listening.says("GET").await);
    // The first two have their places once the third is closed.
    assert_eq!(heard(listening.says("").await).await, "");
    drop(one);
    let room = async {
        while !listening.asks().await.ends_with("hello") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(GUARD, room).await.expect("its place is free again");
}

#[tokio::test]
async fn what_is_being_answered_when_the_server_stops_is_answered_and_the_idle_are_let_go() {
    let (began, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let routes = Router::new().fallback({
        let (began, goes_on) = (began.clone(), goes_on.clone());
        async move || {
            began.notify_one();
            goes_on.notified().await;
            "hello"
        }
    });
    let listening = Listening::new(routes, LIMITS).await;
    let silent = listening.says("").await;
    let asking = tokio::spawn(heard(listening.says("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await));
    tokio::time::timeout(GUARD, began.notified()).await.unwrap();
    listening.cancel.cancel();
    assert_eq!(heard(silent).await, "");
    goes_on.notify_one();
    assert!(asking.await.unwrap().ends_with("hello"));
    tokio::time::timeout(GUARD, listening.task).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn a_head_without_an_end_is_refused() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    let routes = Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::Relaxed);
        pending::<()>().await;
    });
    let listening = Listening::new(routes, LIMITS).await;
    let mut tcp = listening.says("GET / HTTP/1.1\r\nx: ").await;
    let flood = async { while tcp.write_all(&[b'x'; 4096]).await.is_ok() {} };
    tokio::time::timeout(GUARD, flood).await.expect("it is closed before it is endless");
    assert_eq!(served.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_request_comes_from_whom_a_trusted_proxy_names_and_a_header_of_anybody_else_says_nothing() {
    let routes = Router::new().fallback(
        async |Extension(web::Peer(page)): Extension<web::Peer>,
               Extension(gateway::Peer(link)): Extension<gateway::Peer>,
               Extension(gateway::OnLinked(linked)): Extension<gateway::OnLinked>| {
            linked();
            format!("{} and {}", page.ip(), link.ip())
        },
    );
    let asks =
        |from: &str, end: &str| format!("GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 127.0.0.9, {from}\r\n{end}\r\n");
    let both = asks("203.0.113.9", "") + &asks("203.0.113.10", "connection: close\r\n");
    let cases: [(&[&str], [&str; 2]); 3] = [
        (&["127.0.0.1"], ["203.0.113.9", "203.0.113.10"]),
        (&["192.0.2.0/24"], ["127.0.0.1", "127.0.0.1"]),
        (&[], ["127.0.0.1", "127.0.0.1"]),
    ];
    for (proxies, says) in cases {
        let listening = Listening::behind(proxies, routes.clone(), LIMITS).await;
        // Two visitors over one connection of the proxy.
        let answers = heard(listening.says(&both).await).await;
        let bodies: Vec<&str> = answers.split("\r\n").filter(|line| line.contains(" and ")).collect();
        let [one, two] = says.map(|from| format!("{from} and {from}"));
        assert!(bodies[0].starts_with(&one) && bodies[1].starts_with(&two), "{proxies:?}: {answers}");
    }
}

/// What is no request never comes to the routes, and so not to the layers that add the security headers. The HTTP library
/// answers it by itself (ARCHITECTURE.md, Known limits): with nothing that a browser could show, frame, run or keep.
#[tokio::test]
async fn what_is_no_request_is_answered_without_a_body_and_with_no_header_but_length_time_and_end() {
    let listening = Listening::new(hello(), LIMITS).await;
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
    for (head, status) in [
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/9.9\r\nhost: x\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nho st: x\r\n\r\n", "400 Bad Request"),
        ("GET /\u{1} HTTP/1.1\r\nhost: x\r\n\r\n", "400 Bad Request"),
        (many.as_str(), "431 Request Header Fields Too Large"),
    ] {
        let answer = heard(listening.says(head).await).await;
        let (lines, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{head:?}: {answer:?}"));
        let (first, headers) = lines.split_once("\r\n").unwrap_or((lines, ""));
        assert_eq!((first, body), (format!("HTTP/1.1 {status}").as_str(), ""), "{head:?}");
        for header in headers.split("\r\n").filter(|header| !header.is_empty()) {
            let (name, value) = header.split_once(": ").unwrap();
            let is_known = match name {
                "content-length" => value == "0",
                "connection" => value == "close",
                "date" => true,
                _ => false,
            };
            assert!(is_known, "{head:?}: {header}");
        }
    }
    assert!(listening.asks().await.ends_with("hello"));
}

#[tokio::test]
async fn whoever_is_asked_hears_whether_proxies_are_named() {
    let routes = Router::new()
        .fallback(async |named: Option<Extension<web::ProxiesNamed>>| if named.is_some() { "named" } else { "none" });
    let cases: [(&[&str], &str); 3] = [(&["127.0.0.1"], "named"), (&["192.0.2.0/24"], "named"), (&[], "none")];
    for (proxies, says) in cases {
        let listening = Listening::behind(proxies, routes.clone(), LIMITS).await;
        let answer = heard(listening.says("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await).await;
        assert!(answer.ends_with(says), "{proxies:?}: {answer}");
    }
}
