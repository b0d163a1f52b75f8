//! Queues of due work, and waking the loops after a commit: this node's in memory, the others' by `NOTIFY`.
//!
//! A loop sleeps until it is woken, until the next wake-up row is due, or until the poll, which backs both up. Nothing
//! is lost with a notification. `NOTIFY` and `LISTEN` are spoken here and nowhere else: after the commit, never in it,
//! for inside a transaction it makes the whole database commit one after the other.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::{Notify, broadcast};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::live::{Change, Live};
use crate::{Result, Store};

/// How often a loop looks without being woken.
const POLL: Duration = Duration::from_secs(1);
/// The others are told at most this often.
const COALESCE: Duration = Duration::from_millis(10);
/// The others' readers of pages are told at most this often.
const COALESCE_PAGES: Duration = Duration::from_millis(250);
/// Where they are told.
const PAGES: &str = "mendwright.pages";
/// The longest text of one notification; PostgreSQL takes less than 8,000 bytes.
const TEXT: usize = 7_900;
/// A due row that another claimer is just taking: look again after this.
const AGAIN: Duration = Duration::from_millis(10);
/// A listener that could not be had, or was lost, is tried again after this.
const RECONNECT: Duration = Duration::from_secs(1);
/// A listener that heard nothing for this long is asked whether it lives.
const QUIET: Duration = Duration::from_secs(30);
/// It must answer within this.
const ANSWER: Duration = Duration::from_secs(5);

/// A kind of due work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Probes of the server's own.
    Detect,
    /// Which probes there are to be: new checks, new hosts.
    Plan,
    /// Signals.
    Classify,
    /// Planned and held runs, ended leases, overdue permits.
    Remediate,
    /// Runs to verify.
    Verify,
    /// Jobs and questions for hosts linked to a node.
    Dispatch(Uuid),
    /// The outbox.
    Notify,
    /// Hosts that fell silent.
    Silence,
    /// Due rows whose wake-up is gone.
    Sweep,
    /// Confirmed changes that take effect, proposals that lapse.
    Changes,
    /// Audit entries to link.
    Audit,
    /// Letters to people about their accounts; they are no tenant's and have no wake-ups.
    Letters,
}

impl Queue {
    /// Every queue that a node of this id works on.
    fn all(node_id: Uuid) -> [Queue; 12] {
        use Queue::{
            Audit, Changes, Classify, Detect, Dispatch, Letters, Notify, Plan, Remediate, Silence, Sweep, Verify,
        };
        [Detect, Plan, Classify, Remediate, Verify, Dispatch(node_id), Notify, Silence, Sweep, Changes, Audit, Letters]
    }

    /// Whether tenants' wake-ups say that it has work; the others' rows are no tenant's.
    pub(crate) fn has_wakeups(self) -> bool {
        self != Queue::Letters
    }

    /// Its name in `tenant_wakeups`.
    pub fn name(self) -> String {
        match self {
            Queue::Detect => "detect".into(),
            Queue::Plan => "plan".into(),
            Queue::Classify => "classify".into(),
            Queue::Remediate => "remediate".into(),
            Queue::Verify => "verify".into(),
            Queue::Dispatch(node) => format!("dispatch@{node}"),
            Queue::Notify => "notify".into(),
            Queue::Silence => "silence".into(),
            Queue::Sweep => "sweep".into(),
            Queue::Changes => "changes".into(),
            Queue::Audit => "audit".into(),
            Queue::Letters => "letters".into(),
        }
    }

    /// The channel on which the other nodes' loops are woken.
    fn channel(self) -> String {
        format!("mendwright.{}", self.name())
    }
}

/// What this node's loops and its relay share; clones share.
#[derive(Clone, Debug)]
pub struct Wake {
    shared: Arc<Shared>,
    poll: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    loops: Mutex<HashMap<Queue, Arc<Notify>>>,
    /// What the other nodes have not been told yet.
    untold: Mutex<HashSet<Queue>>,
    news: Notify,
    live: Live,
}

impl Default for Wake {
    fn default() -> Self {
        Wake { shared: Arc::default(), poll: POLL }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Wake {
    pub(crate) fn polling(self, poll: Duration) -> Wake {
        Wake { poll, ..self }
    }

    /// What a loop on `queue` waits for, with [`Wake::idle`]; a wake-up sent while nobody waits is kept.
    pub fn subscribe(&self, queue: Queue) -> Arc<Notify> {
        locked(&self.shared.loops).entry(queue).or_default().clone()
    }

    /// Waits until `woken`, until something is due in `next` from now on, or until it is time to poll.
    pub async fn idle(&self, woken: &Notify, next: Option<Duration>) {
        let pause = next.map_or(self.poll, |next| next.max(AGAIN).min(self.poll));
        let _ = timeout(pause, woken.notified()).await;
    }

    /// What changes from now on, of all tenants; none once this node stops.
    pub fn watch(&self) -> Option<broadcast::Receiver<Change>> {
        self.shared.live.subscribe()
    }

    pub(crate) fn live(&self) -> &Live {
        &self.shared.live
    }

    /// Wakes this node's loop on `queue`, if it has one.
    pub fn wake(&self, queue: Queue) {
        if let Some(woken) = locked(&self.shared.loops).get(&queue) {
            woken.notify_one();
        }
    }

    /// Wakes this node's loop, and soon the other nodes' loops.
    pub(crate) fn wake_everywhere(&self, queue: Queue) {
        self.wake(queue);
        locked(&self.shared.untold).insert(queue);
        self.shared.news.notify_one();
    }

    fn wake_all_here(&self) {
        for woken in locked(&self.shared.loops).values() {
            woken.notify_one();
        }
    }
}

/// Tells the other nodes what this one made due and changed, and wakes this node's loops and readers for what the others
/// did. Never ends; with it end the readers.
pub async fn relay(store: &Store, node_id: Uuid) {
    let _ends = EndsReaders(store.wake());
    tokio::join!(tell(store, node_id), tell_pages(store, node_id), hear(store, node_id));
}

/// A node that stops has no stream left that waits for more.
struct EndsReaders<'a>(&'a Wake);

impl Drop for EndsReaders<'_> {
    fn drop(&mut self) {
        self.0.live().close();
    }
}

async fn tell_pages(store: &Store, node_id: Uuid) {
    let live = store.wake().live();
    let ours = node_id.to_string();
    loop {
        live.news.notified().await;
        for text in live.take(&ours, TEXT) {
            if let Err(error) = notify(store, vec![PAGES.to_owned()], text).await {
                // Their pages are read again a little later.
                tracing::debug!(error = &error as &dyn std::error::Error, "other nodes' readers could not be told");
            }
        }
        sleep(COALESCE_PAGES).await;
    }
}

async fn tell(store: &Store, node_id: Uuid) {
    let shared = &store.wake().shared;
    loop {
        shared.news.notified().await;
        let mut queues = std::mem::take(&mut *locked(&shared.untold));
        queues.remove(&Queue::Dispatch(node_id));
        if !queues.is_empty()
            // The text says who speaks, so that nobody wakes itself.
            && let Err(error) = notify(store, queues.iter().map(|queue| queue.channel()).collect(), node_id.to_string()).await
        {
            // The others' polls find it.
            tracing::debug!(error = &error as &dyn std::error::Error, "other nodes could not be told");
        }
        sleep(COALESCE).await;
    }
}

/// One transaction of its own; a notification that a crash loses is found by the polls.
async fn notify(store: &Store, channels: Vec<String>, text: String) -> Result<()> {
    let mut tx = store.system().await?;
    tx.commit_soon().await?;
    sqlx::query!("SELECT pg_notify(channel, $2) FROM unnest($1::text[]) AS channel", &channels, text)
        .execute(tx.conn())
        .await?;
    tx.commit().await
}

async fn hear(store: &Store, node_id: Uuid) {
    loop {
        if let Err(error) = listen(store, node_id).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "this node does not hear the others now; it polls"
            );
        }
        sleep(RECONNECT).await;
    }
}

/// One connection, until it is lost.
async fn listen(store: &Store, node_id: Uuid) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let pool = pool.connect_lazy_with(store.system_options());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    let queues: HashMap<String, Queue> =
        Queue::all(node_id).into_iter().map(|queue| (queue.channel(), queue)).collect();
    listener.listen_all(queues.keys().map(String::as_str).chain([PAGES])).await?;
    // Whatever was said before anybody listened: every loop looks once.
    store.wake().wake_all_here();
    let ours = node_id.to_string();
    loop {
        let heard = match timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(Some(heard))) => heard,
            Ok(Ok(None)) => return Err(lost()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {
                let asked = sqlx::query!("SELECT 1 AS alive").fetch_one(&mut listener);
                timeout(ANSWER, asked).await.map_err(|_| lost())??;
                continue;
            }
        };
        if heard.channel() == PAGES {
            store.wake().live().hear(&ours, heard.payload());
        } else if let Some(queue) = queues.get(heard.channel()).filter(|_| heard.payload() != ours) {
            store.wake().wake(*queue);
        }
    }
}

fn lost() -> crate::StoreError {
    sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into()).into()
}
