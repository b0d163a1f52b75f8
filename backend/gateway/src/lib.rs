//! The agents' links: reports up, jobs and permits down.
//!
//! One task a link. It holds the host's evaluators, so a reading is judged in memory and the database is written
//! only when something changed; every change is committed before it is acknowledged. Whatever the database says
//! that cannot be had now ends the link: the agent comes back and sends again what is not acknowledged.
#![forbid(unsafe_code)]

mod convert;
mod crash;
mod diagnose;
mod dispatch;
mod enroll;
mod hello;
mod ingest;
mod inventory;
mod jobs;
mod keyring;
mod link;
mod links;
mod metrics;
pub mod outcome;
mod progress;
mod rotation;
mod socket;
mod watches;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Router};
use store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::v1::{ENROLL_PATH, LINK_PATH, MAX_MESSAGE_BYTES};

pub use keyring::{DispatchKey, DispatchKeys};
use links::Links;

/// The links may take this long to end.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// What a gateway needs to know.
#[derive(Clone)]
pub struct GatewayConfig {
    /// This process, as table `nodes` knows it.
    pub node_id: Uuid,
    /// What the server calls itself; part of what a host signs.
    pub server_name: String,
    /// Sign envelopes; links notice when there is a newer one.
    pub dispatch_keys: watch::Receiver<DispatchKeys>,
    /// The monotonic clock: the time since some instant of this process.
    pub elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// The random source: 32 fresh bytes.
    pub random: Arc<dyn Fn() -> [u8; 32] + Send + Sync>,
}

impl std::fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayConfig").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

/// The gateway of one node; clones share.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    config: GatewayConfig,
    links: Links,
    plans: ingest::Plans,
    /// Ends every link when the gateway stops.
    stopping: CancellationToken,
}

impl Gateway {
    /// A gateway without links. Merge its [`Gateway::router`] and spawn its [`Gateway::run`].
    pub fn new(store: Store, config: GatewayConfig) -> Gateway {
        let (links, stopping) = (Links::default(), CancellationToken::new());
        Gateway(Arc::new(Inner { store, config, links, plans: ingest::Plans::default(), stopping }))
    }

    /// The paths of the agents: each of [`routes`].
    pub fn router(&self) -> Router {
        table().into_iter().fold(Router::new(), |router, (path, at)| router.route(&path, at)).with_state(self.clone())
    }

    /// Hands work to the links until `cancel`; then ends the links and waits a little for their rows to be closed.
    pub async fn run(self, cancel: CancellationToken) {
        dispatch::run(&self.0, &cancel).await;
        self.0.stopping.cancel();
        let ended = async {
            while self.0.links.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(STOP_LIMIT, ended).await.is_err() {
            tracing::warn!(links = self.0.links.count(), "not every link ended in time");
        }
    }

    /// How many hosts are linked here.
    pub fn count_links(&self) -> usize {
        self.0.links.count()
    }
}

fn table() -> [(String, MethodRouter<Gateway>); 2] {
    [(ENROLL_PATH.to_owned(), get(enroll_path)), (format!("{LINK_PATH}/{{key_id}}"), get(link_path))]
}

/// Every path there is, with its parameters in braces; a test tries each as a stranger.
pub fn routes() -> Vec<String> {
    table().into_iter().map(|(path, _)| path).collect()
}

/// Who a request comes from: the other end of a connection, or whom a trusted proxy there names; whoever accepts connections puts it into each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What is to be done once a request's connection is the link of a host that has proven who it is; whoever accepts connections may
/// put it into each request's extensions.
#[derive(Clone)]
pub struct OnLinked(pub Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for OnLinked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnLinked").finish_non_exhaustive()
    }
}

async fn enroll_path(
    State(gateway): State<Gateway>,
    peer: Option<Extension<Peer>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let from = peer.map(|Extension(Peer(peer))| peer.ip());
    limited(upgrade).on_upgrade(move |socket| async move { enroll::serve(&gateway.0, socket, from).await })
}

async fn link_path(
    State(gateway): State<Gateway>,
    Path(key_id): Path<String>,
    linked: Option<Extension<OnLinked>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let linked = linked.map(|Extension(linked)| linked);
    limited(upgrade).on_upgrade(move |socket| async move { link::serve(&gateway.0, &key_id, linked, socket).await })
}

fn limited(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .max_write_buffer_size(4 * MAX_MESSAGE_BYTES)
}
