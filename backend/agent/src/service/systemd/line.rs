//! The one connection to the bus that all lookouts share, and the one pair of signal streams on it.
//!
//! zbus compares every message with the rule of every stream, and each has a queue: streams of its own for each unit
//! cost more than everything else that the unit needs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use wire::v1::constants;
use zbus::{Connection, MessageStream, OwnedObjectPath};

use super::judge::Heard;
use super::proxy;

/// So many signals of a unit wait to be heard. One more is dropped: who has any waiting looks again anyway.
const QUEUE: usize = 8;
/// So many lookouts wait at once for what was sent before an answer.
const WAITING: usize = 8;

/// The bus, whose connection is made when it is needed.
#[derive(Clone)]
pub struct Bus {
    address: Option<String>,
    line: Arc<tokio::sync::Mutex<Option<Arc<Line>>>>,
    /// Held while systemd is asked: one after the other needs the memory of one.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Bus {
    /// Of the bus at `address`, or of the system's.
    pub fn new(address: Option<String>) -> Self {
        Self { address, line: Arc::default(), turn: Arc::default() }
    }

    /// Who holds this asks systemd now.
    pub(super) fn turn(&self) -> Arc<tokio::sync::Mutex<()>> {
        self.turn.clone()
    }

    /// The line; made anew if it is gone.
    pub(super) async fn get(&self) -> zbus::Result<Arc<Line>> {
        let mut kept = self.line.lock().await;
        if let Some(line) = kept.as_ref().filter(|line| line.is_up()) {
            return Ok(line.clone());
        }
        let limit = Duration::from_secs(constants::CHECK_LIMIT_SECS);
        let line = tokio::time::timeout(limit, Line::open(self.address.as_deref(), limit)).await;
        let line = Arc::new(line.map_err(std::io::Error::from)??);
        Ok(kept.insert(line).clone())
    }
}

/// A connection and who listens to which unit on it.
pub(super) struct Line {
    bus: Connection,
    listeners: Arc<Listeners>,
    settling: mpsc::Sender<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    async fn open(address: Option<&str>, limit: Duration) -> zbus::Result<Self> {
        let bus = proxy::connect(address, limit).await?;
        let (changes, over) = proxy::signals(&bus).await?;
        let listeners = Arc::<Listeners>::default();
        let (settling, asked) = mpsc::channel(WAITING);
        let task = tokio::spawn(dispatch(changes, over, asked, listeners.clone()));
        Ok(Self { bus, listeners, settling, task })
    }

    fn is_up(&self) -> bool {
        !self.bus.is_closed() && !self.task.is_finished()
    }

    /// The connection.
    pub(super) fn bus(&self) -> &Connection {
        &self.bus
    }

    /// The object of the unit `name`, and what systemd says of it from now on.
    pub(super) async fn attend(&self, name: &str) -> zbus::Result<(OwnedObjectPath, mpsc::Receiver<Heard>)> {
        let path = proxy::attend(&self.bus, name).await?;
        let (sender, heard) = mpsc::channel(QUEUE);
        self.listeners.add(path.as_str(), sender);
        Ok((path, heard))
    }

    /// Waits until every signal that came before this is where it is listened to.
    pub(super) async fn settled(&self) {
        let (sender, done) = oneshot::channel();
        if self.settling.send(sender).await.is_ok() {
            let _ = done.await;
        }
    }
}

/// Who listens, by the object's path.
#[derive(Default)]
struct Listeners(Mutex<Vec<(String, mpsc::Sender<Heard>)>>);

impl Listeners {
    fn all(&self) -> std::sync::MutexGuard<'_, Vec<(String, mpsc::Sender<Heard>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, path: &str, sender: mpsc::Sender<Heard>) {
        let mut all = self.all();
        all.retain(|(_, other)| !other.is_closed());
        all.push((path.to_owned(), sender));
    }

    /// Tells those who listen to `path`; what was `heard` is read only if somebody does.
    fn tell(&self, path: &str, heard: impl FnOnce() -> Option<Heard>) {
        let all = self.all();
        let mut listening = all.iter().filter(|(of, _)| of == path).peekable();
        if listening.peek().is_none() {
            return;
        }
        let Some(heard) = heard() else { return };
        for (_, sender) in listening {
            let _ = sender.try_send(heard.clone());
        }
    }

    /// Nothing more will be heard.
    fn end(&self) {
        self.all().clear();
    }
}

/// Tells each listener what is said of its unit, until the bus is gone.
async fn dispatch(
    mut changes: MessageStream,
    mut over: MessageStream,
    mut settling: mpsc::Receiver<oneshot::Sender<()>>,
    listeners: Arc<Listeners>,
) {
    loop {
        tokio::select! {
            biased;
            change = changes.next() => {
                let Some(Ok(signal)) = change else { break };
                if let Some(path) = signal.header().path() {
                    listeners.tell(path.as_str(), || proxy::change(&signal));
                }
            }
            ended = over.next() => {
                let Some(Ok(signal)) = ended else { break };
                if let Some((unit, heard)) = proxy::job_over(&signal) {
                    listeners.tell(&proxy::path_of(&unit), || Some(heard));
                }
            }
            // Last: what is asked for here is that nothing waits above.
            Some(asked) = settling.recv() => {
                let _ = asked.send(());
            }
        }
    }
    listeners.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_to_a_unit_hears_of_no_other_and_a_full_queue_holds_nobody_up() {
        let listeners = Listeners::default();
        let (sender, mut one) = mpsc::channel(2);
        listeners.add("/a", sender);
        let (sender, mut other) = mpsc::channel(2);
        listeners.add("/b", sender);
        let over = |job| move || Some(Heard::Over { job, result: "done".into() });
        for job in 1..=3 {
            listeners.tell("/a", over(job));
        }
        listeners.tell("/c", || panic!("nobody listens"));
        assert_eq!(one.try_recv().ok(), over(1)());
        assert_eq!(one.try_recv().ok(), over(2)());
        assert!(one.try_recv().is_err() && other.try_recv().is_err());
        listeners.end();
        assert_eq!(one.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }
}
