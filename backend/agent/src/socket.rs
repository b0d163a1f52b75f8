//! One WebSocket to the server, and messages on it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use wire::v1::{Challenge, Down, MAX_MESSAGE_BYTES, Up};

use crate::address::{Server, Transport};
use crate::resolve::addresses;
use crate::tls::{self, Trust};

/// The longest wait for a TCP connection to one address, for TLS and upgrade, and for a message to be sent.
const LIMIT: Duration = Duration::from_secs(10);

/// What carries the WebSocket.
pub trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carrier for T {}

/// An open link.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Carrier>>,
    /// The authority that was found by its fingerprint in the handshake.
    pub authority: Option<CertificateDer<'static>>,
}

/// Why there is no link, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name has no address.
    #[error("cannot resolve {0}")]
    Resolve(String, #[source] Box<hickory_resolver::net::NetError>),
    /// No address takes the connection.
    #[error("cannot connect to {0}")]
    Connect(Server, #[source] io::Error),
    /// The server is not the one that is trusted.
    #[error("the server's certificate is not accepted")]
    Tls(#[source] io::Error),
    /// The trusted certificate cannot be used.
    #[error("the trusted certificate cannot be used")]
    Trust(#[from] rustls::Error),
    /// The host part of the address cannot be in a certificate.
    #[error("{0} is no name for a certificate")]
    Name(String),
    /// The server does not speak our protocol there, or the link broke.
    #[error("the link failed")]
    WebSocket(#[from] Box<tungstenite::Error>),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The server closed the link.
    #[error("closed by the server: {reason} (code {code})")]
    Closed {
        /// One of [`wire::v1::close`], or a WebSocket code.
        code: u16,
        /// A sentence.
        reason: String,
    },
    /// A message came that has no place here.
    #[error("the server sent an unexpected message")]
    Unexpected,
}

impl From<tungstenite::Error> for Error {
    fn from(error: tungstenite::Error) -> Self {
        Error::WebSocket(Box::new(error))
    }
}

/// What arrived.
#[derive(Debug)]
pub enum Incoming {
    /// A message.
    Message(Box<Down>),
    /// A sign of life: a ping, a pong.
    Alive,
    /// Text that is no message of this version; why, for the log.
    Unknown(String),
}

impl Socket {
    /// Connects to `path` on `server`.
    ///
    /// # Errors
    /// Any of the steps on the way fails.
    pub async fn open(server: &Server, path: &str, trust: &Trust) -> Result<Self, Error> {
        let tcp = connect(server).await?;
        // Small messages, each of which someone waits for.
        let _ = tcp.set_nodelay(true);
        timeout(LIMIT, Self::upgrade(server, path, trust, tcp)).await.map_err(|_| Error::Timeout)?
    }

    async fn upgrade(server: &Server, path: &str, trust: &Trust, tcp: TcpStream) -> Result<Self, Error> {
        let mut authority = None;
        let carrier: Box<dyn Carrier> = match server.transport {
            Transport::Plain => Box::new(tcp),
            Transport::Tls => {
                let (config, seen) = tls::config(trust)?;
                let name = ServerName::try_from(server.host.clone()).map_err(|_| Error::Name(server.host.clone()))?;
                let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
                let stream = connector.connect(name, tcp).await.map_err(Error::Tls)?;
                authority = seen.lock().ok().and_then(|mut seen| seen.take());
                Box::new(stream)
            }
        };
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let (stream, _) = tokio_tungstenite::client_async_with_config(server.url(path), carrier, Some(limits)).await?;
        Ok(Self { stream, authority })
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The link is broken or stuck.
    pub async fn send(&mut self, up: &Up) -> Result<(), Error> {
        let text = serde_json::to_string(up).map_err(|_| Error::Unexpected)?;
        self.send_raw(Message::text(text)).await
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// The link is broken or stuck.
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.send_raw(Message::Ping(Default::default())).await
    }

    async fn send_raw(&mut self, message: Message) -> Result<(), Error> {
        Ok(timeout(LIMIT, self.stream.send(message)).await.map_err(|_| Error::Timeout)??)
    }

    /// Closes the link, without waiting long for the other side.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.stream.close(None)).await;
    }

    /// Waits for what comes next. Nothing is lost if the wait is given up.
    ///
    /// # Errors
    /// The link is closed or broken.
    pub async fn next(&mut self) -> Result<Incoming, Error> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Ok(match serde_json::from_str(text.as_str()) {
                Ok(down) => Incoming::Message(Box::new(down)),
                Err(error) => Incoming::Unknown(error.to_string()),
            }),
            Some(Ok(Message::Close(frame))) => Err(match frame {
                Some(frame) => Error::Closed { code: frame.code.into(), reason: frame.reason.to_string() },
                None => Error::Closed { code: 1005, reason: "no reason given".to_owned() },
            }),
            Some(Ok(_)) => Ok(Incoming::Alive),
            Some(Err(error)) => Err(error.into()),
            None => Err(Error::Closed { code: 1006, reason: "the connection ended".to_owned() }),
        }
    }

    /// Waits for the next message, at most `limit`.
    ///
    /// # Errors
    /// The link is closed or broken, or it took too long.
    pub async fn message(&mut self, limit: Duration) -> Result<Down, Error> {
        let message = async {
            loop {
                if let Incoming::Message(down) = self.next().await? {
                    return Ok(*down);
                }
            }
        };
        timeout(limit, message).await.map_err(|_| Error::Timeout)?
    }

    /// Waits for the challenge that begins both paths.
    ///
    /// # Errors
    /// As [`Socket::message`], or something else comes.
    pub async fn challenge(&mut self) -> Result<Challenge, Error> {
        match self.message(LIMIT).await? {
            Down::Challenge(challenge) => Ok(challenge),
            _ => Err(Error::Unexpected),
        }
    }
}

async fn connect(server: &Server) -> Result<TcpStream, Error> {
    let resolved = timeout(LIMIT, addresses(&server.host, server.port)).await.map_err(|_| Error::Timeout)?;
    let addresses = resolved.map_err(|error| Error::Resolve(server.host.clone(), Box::new(error)))?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match timeout(LIMIT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Error::Connect(server.clone(), last))
}
