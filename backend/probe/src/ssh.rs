//! Whether SSH still lets in: the key exchange, the host's key beside the one that is pinned, a sign-in. No command is run.
//!
//! The library speaks to one end of a pipe in memory, and we carry what is said between its other end and the socket. So
//! what a peer may say is bounded, and whatever the library still does ends with the pipe, when the probe ends.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::{self, AuthResult, Config, Handle};
use russh::keys::ssh_key::Fingerprint;
use russh::keys::{self, Algorithm, EcdsaCurve, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Disconnect, Preferred, SshId, compression, kex};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, copy, sink};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use url::Host;

use crate::{Connector, Failure, Stage};

/// What stands before a server's greeting and the greeting itself are no longer than this.
const GREETING: u64 = 8 * 1024;
/// No server says more than this until it lets somebody in: its greeting, what it can do, keys, a banner.
const MOST: u64 = 256 * 1024;
/// What the pipe holds.
const PIPE: usize = 32 * 1024;
/// How long a good-bye may take; that it goes wrong means nothing.
const GOODBYE: Duration = Duration::from_millis(250);
/// The types of keys that hosts and users are known by here. RSA is none of them: the library's is a release candidate of a
/// crate with an open advisory (RUSTSEC-2023-0071).
const TYPES: [Algorithm; 4] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
];

/// A private key that can sign in. Wiped when the last of its holders is dropped; has no `Debug`.
#[derive(Clone)]
pub struct SshKey(Arc<PrivateKey>);

impl SshKey {
    /// Of its text, as OpenSSH or PKCS #8 write it.
    ///
    /// # Errors
    /// What is wrong with it: the end of a sentence, which holds nothing of it.
    pub fn parse(text: &str) -> Result<SshKey, &'static str> {
        const LOCKED: &str = "is locked by a passphrase, which nobody could type here";
        const OTHER: &str = "is not of a type that signs in from here: ed25519 or ECDSA";
        if text.starts_with("-----BEGIN RSA ") || text.starts_with("-----BEGIN DSA ") {
            return Err(OTHER);
        }
        if text.starts_with("-----BEGIN ENCRYPTED ") || text.contains("\nProc-Type: 4,ENCRYPTED") {
            return Err(LOCKED);
        }
        // OpenSSH's own form is read without a copy that nobody wipes; the library reads the others.
        let read = match text.starts_with("-----BEGIN OPENSSH ") {
            true => PrivateKey::from_openssh(text).map_err(keys::Error::from),
            false => keys::decode_secret_key(text, None),
        };
        let key = match read {
            Ok(key) if key.is_encrypted() => return Err(LOCKED),
            Ok(key) => key,
            Err(keys::Error::KeyIsEncrypted) => return Err(LOCKED),
            Err(_) => {
                return Err("is no private key that can be read: ed25519 or ECDSA, as OpenSSH or PKCS #8 write it");
            }
        };
        if TYPES.contains(&key.algorithm()) { Ok(SshKey(Arc::new(key))) } else { Err(OTHER) }
    }
}

/// Who signs in, and with what. It is secret: no `Debug`.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// Its key.
    pub key: SshKey,
}

impl Connector {
    /// Asks for SSH at `port` of `host` within `limit`: its key must be the one whose SHA-256 is `pinned`, and whoever signs
    /// in must be let in. To a host with another key nobody signs in. How long that took.
    ///
    /// # Errors
    /// It is down, shows another key or lets nobody in; or it cannot be known.
    pub async fn ssh(
        &self,
        host: &Host<String>,
        port: u16,
        pinned: [u8; 32],
        login: Option<&Login>,
        limit: Duration,
    ) -> Result<Duration, Failure> {
        let began = (self.elapsed)();
        let stage = Stage::default();
        let entering = async {
            let stream = self.connect(host, port, limit, &stage).await?;
            let (ours, theirs) = tokio::io::duplex(PIPE);
            let hung_up = Arc::new(Notify::new());
            let mut carrying = Box::pin(carry(stream, theirs, hung_up.clone()));
            let session = tokio::select! {
                session = enter(ours, pinned, login, &stage) => session?,
                failure = &mut carrying => return Err(failure),
            };
            Ok((session, carrying, hung_up, (self.elapsed)().saturating_sub(began)))
        };
        let (session, carrying, hung_up, took) = match tokio::time::timeout(limit, entering).await {
            Ok(entered) => entered?,
            Err(_) => return Err(stage.out_of_time(limit)),
        };
        leave(session, carrying, &hung_up).await;
        Ok(took)
    }
}

/// What looks at the host's key.
struct Eyes {
    pinned: Fingerprint,
    /// What is said of a key that is not the pinned one.
    differs: Arc<OnceLock<String>>,
}

impl client::Handler for Eyes {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let key = key.public_key();
        let shown = key.fingerprint(HashAlg::Sha256);
        let is_pinned = shown == self.pinned;
        if !is_pinned {
            let (pinned, algorithm) = (self.pinned, key.algorithm());
            self.differs.get_or_init(|| {
                format!("its host key differs: it shows {shown} ({algorithm}), and {pinned} is pinned")
            });
        }
        Ok(is_pinned)
    }
}

/// What we are ready to speak.
fn config() -> Config {
    // A group that the server chooses may be so large that one exchange takes a core for seconds.
    let kex = Preferred::DEFAULT.kex.iter().filter(|name| **name != kex::DH_GEX_SHA256 && **name != kex::DH_GEX_SHA1);
    let preferred = Preferred {
        kex: kex.copied().collect(),
        key: TYPES.to_vec().into(),
        compression: vec![compression::NONE].into(),
        ..Preferred::DEFAULT
    };
    Config { client_id: SshId::Standard("SSH-2.0-Mendwright".into()), preferred, ..Config::default() }
}

/// Exchanges keys, and signs in where somebody does.
async fn enter(
    stream: DuplexStream,
    pinned: [u8; 32],
    login: Option<&Login>,
    stage: &Stage,
) -> Result<Handle<Eyes>, Failure> {
    let differs = Arc::new(OnceLock::new());
    let eyes = Eyes { pinned: Fingerprint::Sha256(pinned), differs: differs.clone() };
    let exchanged = client::connect_stream(Arc::new(config()), stream, eyes).await;
    let mut session =
        exchanged.map_err(|error| Failure::Down(differs.get().cloned().unwrap_or_else(|| not_understood(&error))))?;
    let Some(Login { user, key }) = login else { return Ok(session) };
    stage.reach(Stage::SIGNING_IN);
    let key = PrivateKeyWithHashAlg::new(key.0.clone(), None);
    let why = match session.authenticate_publickey(user, key).await {
        Ok(AuthResult::Success) => return Ok(session),
        Ok(AuthResult::Failure { partial_success: true, .. }) => "it takes the key, and asks for more than a key",
        // The library says "refused" of a connection that ended, too.
        Ok(AuthResult::Failure { .. }) if !session.is_closed() => "it does not let the user in with this key",
        Ok(AuthResult::Failure { .. }) | Err(_) => "it broke off while the user signed in",
    };
    Err(Failure::Down(why.into()))
}

/// Why there was no key exchange.
fn not_understood(error: &russh::Error) -> String {
    use russh::{AlgorithmKind, Error};
    match error {
        Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. } => {
            "it has no host key of a type that this server knows: ed25519 or ECDSA".into()
        }
        Error::NoCommonAlgo { .. } => "it speaks no SSH that this server speaks too".into(),
        Error::WrongServerSig => "it does not prove that its host key is its own".into(),
        Error::Disconnect | Error::HUP | Error::IO(_) => "it broke off before the keys were exchanged".into(),
        error => format!("its SSH is not understood: {error}"),
    }
}

/// Says good-bye, so that the host's log holds no connection that broke.
async fn leave(session: Handle<Eyes>, carrying: Pin<Box<impl Future<Output = Failure>>>, hung_up: &Notify) {
    let leaving = async {
        if session.disconnect(Disconnect::ByApplication, "", "").await.is_ok() {
            drop(session.await);
            hung_up.notified().await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(GOODBYE, leaving) => {}
        _ = carrying => {}
    }
}

/// Carries what is said both ways, for as long as it is polled, and tells when the peer has hung up. It ends only with what a
/// peer must not do.
async fn carry(stream: TcpStream, pipe: DuplexStream, hung_up: Arc<Notify>) -> Failure {
    let (from, mut to) = stream.into_split();
    let (mut said, mut heard) = tokio::io::split(pipe);
    let hears = async {
        let mut from = BufReader::new(from.take(MOST));
        let greeting = greeting(&mut from).await?;
        // What goes wrong from here on the library finds out by itself: the pipe ends.
        let is_carried = heard.write_all(&greeting).await.is_ok() && copy(&mut from, &mut heard).await.is_ok();
        if is_carried && from.get_ref().limit() == 0 {
            return Err(Failure::Down("it talks without an end".into()));
        }
        drop(heard.shutdown().await);
        // What is not read when we close makes the peer hear of a broken connection instead of a good-bye.
        drop(copy(&mut from, &mut sink()).await);
        hung_up.notify_one();
        Ok::<Infallible, Failure>(pending().await)
    };
    let says = async {
        drop(copy(&mut said, &mut to).await);
        drop(to.shutdown().await);
        pending::<Infallible>().await
    };
    tokio::select! {
        heard = hears => match heard {
            Ok(never) => match never {},
            Err(failure) => failure,
        },
        never = says => match never {},
    }
}

/// An SSH server's greeting. Lines may stand before it (RFC 4253, 4.2); they are passed over.
async fn greeting(from: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Result<Vec<u8>, Failure> {
    let mut head = from.take(GREETING);
    let mut is_first = true;
    loop {
        let mut line = Vec::new();
        // A connection that breaks ends the line, as one that is closed does.
        let _ = head.read_until(b'\n', &mut line).await;
        let is_whole = line.ends_with(b"\n");
        if is_whole && (line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-")) {
            return Ok(line);
        }
        let why = match line.as_slice() {
            [] if is_first => "it took the connection and closed it without an answer",
            line if is_whole && line.starts_with(b"SSH-") => "it speaks an SSH that is older than 2.0",
            _ if !is_whole => "what it answers is no SSH",
            _ => {
                is_first = false;
                continue;
            }
        };
        return Err(Failure::Down(why.into()));
    }
}
