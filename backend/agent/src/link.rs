//! The link to the server: opened, proven, kept alive, and opened again.

use std::time::Duration;

use rand::Rng;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use wire::v1::{LINK_PATH, Up, close};

use crate::address::Server;
use crate::agent::{After, Agent, Event};
use crate::backoff::{Backoff, retry};
use crate::socket::{self, Incoming, Socket};
use crate::tls::Trust;

/// A ping is sent this often.
const PING: Duration = Duration::from_secs(10);
/// A link that was silent for this long is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// What only time brings about is looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// A link that stood for this long makes the next failure the first.
const STOOD: Duration = Duration::from_secs(5);

/// How a link ended, other than by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// The server asked to come back after so many seconds.
    Retry(u64),
    /// The agent is to stop.
    Stopping,
}

/// Keeps a link to `server` until `stop` is ready; its output is the reason to give.
pub async fn keep(
    agent: &mut Agent,
    events: &mut mpsc::Receiver<Event>,
    server: &Server,
    trust: &Trust,
    stop: impl Future<Output = &'static str>,
    rng: &mut impl Rng,
) {
    let mut backoff = Backoff::default();
    let mut stop = std::pin::pin!(stop);
    loop {
        let opened = agent.now();
        let wait = match one(agent, events, server, trust, stop.as_mut()).await {
            Ok(Left::Stopping) => return,
            Ok(Left::Retry(secs)) => {
                tracing::info!(after_secs = secs, "the server asked to come back later");
                retry(secs, rng)
            }
            Err(error) => {
                if agent.now().saturating_sub(opened) >= STOOD {
                    backoff.reset();
                }
                let wait = match &error {
                    socket::Error::Closed { code, .. } => backoff.after_close(*code, rng),
                    _ => backoff.next(rng),
                };
                tracing::warn!(again_in_ms = wait.as_millis(), "{}", sentence(&error));
                wait
            }
        };
        if rest(agent, events, wait, stop.as_mut()).await == Rested::Stopping {
            return;
        }
    }
}

/// One link, from its opening to its end.
async fn one(
    agent: &mut Agent,
    events: &mut mpsc::Receiver<Event>,
    server: &Server,
    trust: &Trust,
    mut stop: std::pin::Pin<&mut impl Future<Output = &'static str>>,
) -> Result<Left, socket::Error> {
    let path = format!("{LINK_PATH}/{}", agent.host().key.public().id());
    let opening = async {
        let mut socket = Socket::open(server, &path, trust).await?;
        let challenge = socket.challenge().await?;
        Ok::<_, socket::Error>((socket, challenge))
    };
    let mut opening = std::pin::pin!(opening);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut socket, challenge) = loop {
        tokio::select! {
            opened = &mut opening => break opened?,
            Some(event) = events.recv() => agent.handle(event),
            _ = tick.tick() => agent.tick(),
            _ = stop.as_mut() => return Ok(Left::Stopping),
        }
    };
    socket.send(&agent.prove(&challenge)).await?;
    socket.send(&agent.hello()).await?;
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = agent.now();
    loop {
        while let Some(up) = agent.next_up() {
            socket.send(&up).await?;
        }
        tokio::select! {
            incoming = socket.next() => {
                heard = agent.now();
                match incoming? {
                    Incoming::Message(down) => match agent.receive(*down) {
                        After::Stay => {}
                        After::Leave(secs) => {
                            socket.close().await;
                            return Ok(Left::Retry(secs));
                        }
                    },
                    Incoming::Alive => {}
                    Incoming::Unknown(why) => tracing::warn!(why, "a message that is not understood was ignored"),
                }
            }
            Some(event) = events.recv() => agent.handle(event),
            _ = tick.tick() => agent.tick(),
            _ = ping.tick() => {
                if agent.now().saturating_sub(heard) > SILENCE {
                    return Err(socket::Error::Timeout);
                }
                socket.ping().await?;
            }
            reason = stop.as_mut() => {
                let _ = socket.send(&Up::Goodbye { reason: reason.to_owned() }).await;
                socket.close().await;
                return Ok(Left::Stopping);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rested {
    Enough,
    Stopping,
}

/// Waits, and goes on handling events.
async fn rest(
    agent: &mut Agent,
    events: &mut mpsc::Receiver<Event>,
    wait: Duration,
    mut stop: std::pin::Pin<&mut impl Future<Output = &'static str>>,
) -> Rested {
    let mut wait = std::pin::pin!(sleep(wait));
    let mut tick = interval(TICK);
    loop {
        tokio::select! {
            () = wait.as_mut() => return Rested::Enough,
            Some(event) = events.recv() => agent.handle(event),
            _ = tick.tick() => agent.tick(),
            _ = stop.as_mut() => return Rested::Stopping,
        }
    }
}

/// One line for the person who reads the log.
fn sentence(error: &socket::Error) -> String {
    let socket::Error::Closed { code, reason } = error else { return chain(error) };
    let what = match *code {
        close::HOST_KEY => "the server does not know this host's key",
        close::PROTOCOL => "the server speaks another version of the protocol",
        close::REPLACED => "another agent with this host's key took over the link",
        close::UNAVAILABLE => "the server cannot serve now",
        close::MALFORMED => "the server did not understand the agent",
        _ => "the server closed the link",
    };
    format!("{what}: {reason} (code {code})")
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        // Some libraries repeat their cause.
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = inner.source();
    }
    line
}
