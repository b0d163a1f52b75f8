//! A server that does what a test tells it to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use keys::{Context, PublicKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use uuid::Uuid;
use wire::v1::{Challenge, Down, Enroll, Enrolled, Hello, Prove, Up, Welcome};

/// No test waits longer than this for anything.
pub const GUARD: Duration = Duration::from_secs(60);

pub trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carrier for T {}

pub struct Server {
    listener: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

/// One connection.
pub struct Peer {
    socket: WebSocketStream<Box<dyn Carrier>>,
    pub path: String,
}

impl Server {
    pub async fn plain() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), tls: None }
    }

    pub async fn tls(acceptor: tokio_rustls::TlsAcceptor) -> Self {
        Self { tls: Some(acceptor), ..Self::plain().await }
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.listener.local_addr().unwrap())
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next connection that gets as far as a WebSocket.
    pub async fn accept(&self) -> Peer {
        let accept = async {
            loop {
                let (tcp, _) = self.listener.accept().await.unwrap();
                let carrier: Box<dyn Carrier> = match &self.tls {
                    None => Box::new(tcp),
                    Some(acceptor) => match acceptor.accept(tcp).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => continue,
                    },
                };
                let path = Arc::new(Mutex::new(String::new()));
                let seen = path.clone();
                #[allow(clippy::result_large_err)] // the library's own type
                let note = move |request: &Request, response: Response| {
                    *seen.lock().unwrap() = request.uri().path().to_owned();
                    Ok(response)
                };
                if let Ok(socket) = tokio_tungstenite::accept_hdr_async(carrier, note).await {
                    let path = path.lock().unwrap().clone();
                    return Peer { socket, path };
                }
            }
        };
        timeout(GUARD, accept).await.expect("the agent connects")
    }
}

impl Peer {
    pub async fn send(&mut self, down: Down) {
        let text = serde_json::to_string(&down).unwrap();
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// The next message; none at the end of the link.
    pub async fn next(&mut self) -> Option<Up> {
        loop {
            match timeout(GUARD, self.socket.next()).await.expect("the agent says something") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(text.as_str()).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The first message that `pick` takes; others are passed over.
    pub async fn until<T>(&mut self, mut pick: impl FnMut(Up) -> Option<T>) -> T {
        let wait = async {
            loop {
                let up = self.next().await.expect("the link stands");
                if let Some(found) = pick(up) {
                    return found;
                }
            }
        };
        timeout(GUARD, wait).await.expect("the message comes")
    }
}

pub fn challenge(epoch: i64) -> Challenge {
    Challenge { nonce: "ab".repeat(32), server_name: "test server".into(), epoch }
}

/// The server's side of an enrolment; gives what the agent sent.
pub async fn enroll(peer: &mut Peer, enrolled: Enrolled) -> Enroll {
    peer.send(Down::Challenge(challenge(0))).await;
    let Some(Up::Enroll(enroll)) = peer.next().await else { panic!("no Enroll") };
    let key: PublicKey = enroll.public_key.parse().unwrap();
    key.verify(Context::Enroll, &Enroll::signed_text(&challenge(0), &enroll.public_key), &enroll.signature).unwrap();
    peer.send(Down::Enrolled(enrolled)).await;
    enroll
}

/// The server's side of a new link, up to and with `Welcome`.
pub async fn welcome(peer: &mut Peer, key: &PublicKey, tenant: Uuid, quarantined: bool) -> (Prove, Hello) {
    assert_eq!(peer.path, format!("/agent/v1/link/{}", key.id()));
    peer.send(Down::Challenge(challenge(7))).await;
    let Some(Up::Prove(prove)) = peer.next().await else { panic!("no Prove") };
    let text = Prove::signed_text(&challenge(7), tenant, prove.host_id, prove.instance_id);
    key.verify(Context::Link, &text, &prove.signature).unwrap();
    let Some(Up::Hello(hello)) = peer.next().await else { panic!("no Hello") };
    let hello = *hello;
    let welcome = Welcome { report_secs: 1, max_messages_per_sec: 50, quarantined, epoch: 7 };
    peer.send(Down::Welcome(welcome)).await;
    (prove, hello)
}
