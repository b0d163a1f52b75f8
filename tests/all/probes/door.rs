//! An SSH server that lets in whom a test wants it to, and tells what was tried.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use russh::Channel;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use russh::server::{self, Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A key, the same for the same number.
pub fn key(algorithm: Algorithm, seed: u64) -> PrivateKey {
    PrivateKey::random(&mut StdRng::seed_from_u64(seed), algorithm).unwrap()
}

/// A user's key, the same for the same number.
pub fn users(seed: u64) -> PrivateKey {
    key(Algorithm::Ed25519, 100 + seed)
}

/// As a person pastes it.
pub fn text(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

/// What a person pins.
pub fn fingerprint(key: &PrivateKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Lets `monitor` in, with one key.
pub struct Door {
    pub addr: SocketAddr,
    inside: Arc<Inside>,
    task: JoinHandle<()>,
}

struct Inside {
    host: Mutex<PrivateKey>,
    lets_in: Mutex<Lets>,
    heard: Mutex<Vec<String>>,
    told: Notify,
}

/// Who is let in.
#[derive(Clone)]
pub enum Lets {
    /// Whoever holds this key.
    In(Box<PrivateKey>),
    /// Whoever knows more than a key.
    Further,
    /// Nobody knows: it does not answer.
    Silent,
    /// Nobody: it hangs up.
    HungUp,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Door {
    /// A host with this key, which lets the user in who holds [`users`]' first.
    pub async fn new(host: PrivateKey) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let inside = Arc::new(Inside {
            host: Mutex::new(host),
            lets_in: Mutex::new(Lets::In(Box::new(users(1)))),
            heard: Mutex::default(),
            told: Notify::new(),
        });
        let own = inside.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let config = Config {
                    keys: vec![own.host.lock().unwrap().clone()],
                    auth_rejection_time: std::time::Duration::ZERO,
                    ..Config::default()
                };
                let visit = Visit(own.clone());
                tokio::spawn(async move {
                    visit.0.hear("connected");
                    let inside = visit.0.clone();
                    let ended = match server::run_stream(Arc::new(config), stream, visit).await {
                        Ok(session) => session.await,
                        Err(error) => Err(error),
                    };
                    inside.hear(if ended.is_ok() { "said good-bye" } else { "broke off" });
                });
            }
        });
        Door { addr, inside, task }
    }

    /// The host shows this key from now on.
    pub fn shows(&self, host: PrivateKey) {
        *self.inside.host.lock().unwrap() = host;
    }

    pub fn lets(&self, lets: Lets) {
        *self.inside.lets_in.lock().unwrap() = lets;
    }

    /// What was heard since it was asked last, until this.
    pub async fn until(&self, what: &str) -> Vec<String> {
        let ended = async {
            while !self.inside.heard.lock().unwrap().iter().any(|heard| heard == what) {
                self.inside.told.notified().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), ended)
            .await
            .unwrap_or_else(|_| panic!("{what} is not among {:?}", self.heard()));
        let mut heard = self.heard();
        heard.truncate(heard.iter().position(|heard| heard == what).unwrap_or(heard.len()));
        heard
    }

    /// What was heard since it was asked last.
    pub fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.inside.heard.lock().unwrap())
    }
}

impl Inside {
    fn hear(&self, what: &str) {
        self.heard.lock().unwrap().push(what.to_owned());
        self.told.notify_one();
    }
}

struct Visit(Arc<Inside>);

impl Visit {
    async fn judges(&self, user: &str, key: &PublicKey) -> Result<Auth, russh::Error> {
        let lets = self.0.lets_in.lock().unwrap().clone();
        match lets {
            Lets::In(known) if user == "monitor" && key.key_data() == known.public_key().key_data() => Ok(Auth::Accept),
            Lets::In(_) => Ok(Auth::reject()),
            Lets::Further => Ok(Auth::Reject { proceed_with_methods: None, partial_success: true }),
            Lets::Silent => std::future::pending().await,
            Lets::HungUp => Err(russh::Error::Disconnect),
        }
    }
}

impl Handler for Visit {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, russh::Error> {
        self.0.hear(&format!("{user} without anything"));
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, user: &str, _: &str) -> Result<Auth, russh::Error> {
        self.0.hear(&format!("{user} with a password"));
        Ok(Auth::reject())
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        self.0.hear(&format!("{user} offers a key"));
        Ok(match self.judges(user, offer.public_key).await? {
            Auth::Reject { partial_success: true, .. } => Auth::Accept,
            judged => judged,
        })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        self.0.hear(&format!("{user} signs"));
        self.judges(user, key.public_key).await
    }

    async fn auth_succeeded(&mut self, _: &mut Session) -> Result<(), russh::Error> {
        self.0.hear("is in");
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.0.hear("does something");
        Ok(())
    }
}
