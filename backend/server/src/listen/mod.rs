//! Accepts connections, with TLS or on loopback without, and serves HTTP on them.
//!
//! Nobody has proven anything yet when they connect, so a stranger gets little: a place among a bounded number, so many for
//! each source, some seconds for the handshake, and some for each request's head. Whoever is slower, or idle, is let go.

mod places;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use keys::authority::ServerCertificate;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::config::Transport;
use crate::visitor::visitor;
use places::{Full, Place, Places, Unheard, Whose};

/// The most bytes of a request's head; more is answered with 431.
const HEAD: usize = 64 * 1024;
/// The first byte of a TLS connection, which no HTTP request begins with.
const TLS_HANDSHAKE: u8 = 22;

/// What a stranger may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, links of agents among them.
    pub connections: usize,
    /// Of one source: an address, or of IPv6 a network of 64 bits. The machine itself (a proxy) may have them all. A host's link
    /// does not count for its source.
    pub of_source: usize,
    /// Of one proxy that the server was told of, and that is on another machine: many are behind it.
    pub of_proxy: usize,
    /// A handshake that takes longer is given up.
    pub handshake: Duration,
    /// A request whose head takes longer is given up, counted from when the connection is idle.
    pub head: Duration,
}

impl Limits {
    /// For as many file handles as the process may have: some are the database's and the files'.
    pub fn of_process() -> Limits {
        let connections = places::raise_handles().saturating_sub(512).clamp(256, 32_768);
        let (handshake, head) = (Duration::from_secs(10), Duration::from_secs(30));
        Limits { connections, of_source: connections / 8, of_proxy: connections / 2, handshake, head }
    }
}

/// The TLS settings for `certificate`: HTTP/1.1 only, because WebSockets are upgrades of it.
pub fn tls_config(certificate: &ServerCertificate) -> Result<Arc<rustls::ServerConfig>> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(certificate.chain_pem.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the server's certificate cannot be used")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What every connection is served with.
#[derive(Clone)]
struct Serving {
    acceptor: TlsAcceptor,
    how: Transport,
    routes: Router,
    limits: Limits,
    trusted: Arc<[IpNet]>,
    cancel: CancellationToken,
}

/// Serves `routes` on `listener` until `cancel`; what is being answered then is answered to its end. Each request says who it
/// comes from: the other end of its connection, or whom that names where it is one of the `trusted` proxies.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    how: Transport,
    routes: Router,
    limits: Limits,
    trusted: Arc<[IpNet]>,
    cancel: CancellationToken,
) {
    let places = Places::new(limits.connections, limits.of_source, limits.of_proxy);
    let (mut unheard, elapsed) = (Unheard::default(), crate::clock::monotonic());
    let serving = Serving { acceptor: TlsAcceptor::from(tls), how, routes, limits, trusted, cancel: cancel.clone() };
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (tcp, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await; // out of file handles: give them time
                continue;
            }
        };
        let place = match places.take(peer.ip(), serving.whose(peer)) {
            Ok(place) => place,
            Err(full) => {
                match (full, unheard.count(full, elapsed())) {
                    (Full::All, Some(n)) => tracing::warn!(%peer, n, "all places for connections are taken"),
                    (Full::Source, Some(n)) => tracing::warn!(%peer, n, "a source has all places that one may have"),
                    (_, None) => tracing::debug!(%peer, "there is no place for one more connection"),
                }
                continue;
            }
        };
        drop(tcp.set_nodelay(true));
        connections.spawn(serving.clone().connection(tcp, peer, place));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

impl Serving {
    /// Who the other end of a connection is.
    fn whose(&self, peer: SocketAddr) -> Whose {
        let address = peer.ip().to_canonical();
        if self.trusted.iter().any(|net| net.contains(&address)) { Whose::Proxys } else { Whose::Strangers }
    }

    async fn connection(self, tcp: TcpStream, peer: SocketAddr, place: Place) {
        let greeting = tokio::time::timeout(self.limits.handshake, greet(tcp, self.acceptor, self.how));
        let inner = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return,
            greeted = greeting => match greeted {
                Ok(Ok(inner)) => inner,
                Ok(Err(error)) => return tracing::debug!(%peer, %error, "no TLS"),
                Err(_) => return tracing::debug!(%peer, "the TLS handshake took too long"),
            },
        };
        let (routes, trusted, place) = (self.routes, self.trusted, Arc::new(place));
        let linked = gateway::OnLinked(Arc::new({
            let place = Arc::downgrade(&place);
            move || {
                if let Some(place) = place.upgrade() {
                    place.set_apart();
                }
            }
        }));
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request = request.map(Body::new);
            // Of one connection of a proxy each request may be from somebody else.
            let from = visitor(peer, request.headers(), &trusted);
            request.extensions_mut().insert(web::Peer(from));
            if !trusted.is_empty() {
                request.extensions_mut().insert(web::ProxiesNamed);
            }
            request.extensions_mut().insert(gateway::Peer(from));
            request.extensions_mut().insert(linked.clone());
            routes.clone().oneshot(request)
        });
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(Stream { inner, _place: place }), service)
            .with_upgrades();
        tokio::pin!(http);
        let ended = tokio::select! {
            biased;
            ended = http.as_mut() => ended,
            () = self.cancel.cancelled() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ended");
        }
    }
}

async fn greet(tcp: TcpStream, acceptor: TlsAcceptor, how: Transport) -> io::Result<Inner> {
    if how == Transport::InsecureLoopback {
        let mut first = [0];
        tcp.peek(&mut first).await?;
        if first[0] != TLS_HANDSHAKE {
            return Ok(Inner::Plain(tcp));
        }
    }
    Ok(Inner::Tls(Box::new(acceptor.accept(tcp).await?)))
}

/// A connection, whose place is free again when it is gone; also as a link, after HTTP has let go of it.
struct Stream {
    inner: Inner,
    _place: Arc<Place>,
}

enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Inner::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().inner {
            Inner::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Inner::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(s) => Pin::new(s).poll_flush(cx),
            Inner::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Inner::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
