//! One link, from its opening to its end.

use std::time::Duration;

use axum::extract::ws::WebSocket;
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval, sleep};
use wire::v1::{Config, Down, Observed, Up, Welcome, close, constants};

use crate::diagnose;
use crate::hello::{self, Begun};
use crate::inventory::Told;
use crate::jobs::{self, Again, Sent};
use crate::links::Nudge;
use crate::metrics::Metrics;
use crate::progress;
use crate::rotation;
use crate::socket::{End, Socket};
use crate::watches::{Look, replaced};
use crate::{Inner, OnLinked, crash};

/// A ping is sent this often.
const PING: Duration = Duration::from_secs(10);
/// A link that was silent for this long is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// Messages a second, in the long run.
const MESSAGES_PER_SEC: u32 = 50;
/// Messages at once: an agent's whole ring of kept readings, and more.
const BURST: f64 = 2048.0;

/// Looks that have come in already share a transaction, at most so many: many checks answer at once.
const GATHERED: usize = 64;

/// Serves the link path.
pub async fn serve(gateway: &Inner, key_id: &str, linked: Option<OnLinked>, socket: WebSocket) {
    let mut socket = Socket::new(socket);
    let opening = tokio::select! {
        begun = hello::begin(gateway, key_id, &mut socket) => begun,
        () = gateway.stopping.cancelled() => Err(stopping()),
    };
    let mut link = match opening {
        Ok(link) => link,
        Err(end) => return socket.end(end, "link").await,
    };
    if let Some(OnLinked(linked)) = linked {
        linked();
    }
    let (host_id, epoch) = (link.identity.host_id, link.epoch);
    let mut goodbye = None;
    let mut metrics = Metrics::new((gateway.config.elapsed)());
    let end = match talk(gateway, &mut link, &mut socket, &mut metrics, &mut goodbye).await {
        Ok(()) => End::Gone,
        Err(end) => end,
    };
    metrics.end(&gateway.store, &link).await;
    if let Err(error) = close_row(gateway, &link, goodbye.as_deref()).await {
        tracing::warn!(%host_id, error = &error as &dyn std::error::Error, "the end of a link could not be stored");
    }
    gateway.links.leave(host_id, epoch);
    socket.end(end, &host_id.to_string()).await;
}

fn stopping() -> End {
    End::close(close::UNAVAILABLE, "the server is stopping")
}

async fn close_row(gateway: &Inner, link: &Begun, goodbye: Option<&str>) -> store::Result<()> {
    let mut tx = gateway.store.begin(&link.identity.scope).await?;
    store::host_links::mark_unlinked(&mut tx, link.identity.host_id, link.epoch, goodbye).await?;
    tx.commit().await
}

/// Everything after the link's row is committed.
async fn talk(
    gateway: &Inner,
    link: &mut Begun,
    socket: &mut Socket,
    metrics: &mut Metrics,
    goodbye: &mut Option<String>,
) -> Result<(), End> {
    let elapsed = || (gateway.config.elapsed)();
    let began = elapsed();
    // The link's time: the database's at its beginning, and from there on the monotonic clock.
    let at = |began_at: Timestamp| began_at + elapsed().saturating_sub(began);
    let mut nudges = gateway.links.enter(link.identity.scope.tenant_id(), link.identity.host_id, link.epoch);
    let (mut sent, mut told) = (Sent::default(), Told::default());
    let mut dispatch_keys = gateway.config.dispatch_keys.clone();
    dispatch_keys.mark_unchanged();
    socket
        .send(&Down::Welcome(Welcome {
            report_secs: constants::REPORT_SECS,
            max_messages_per_sec: MESSAGES_PER_SEC,
            quarantined: link.quarantined,
            epoch: link.epoch,
        }))
        .await?;
    socket.send(&Down::Config(config(link))).await?;
    let levels = std::mem::take(&mut link.hello.checks).into_iter().map(|r| Look::of(r, None)).collect();
    take(gateway, link, levels, at(link.began_at)).await?;
    if let Some(down) = rotation::tell(gateway, &mut link.held) {
        socket.send(&down).await?;
    }
    for down in jobs::open(gateway, link, &mut sent, Again::No).await? {
        socket.send(&down).await?;
    }

    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut quota) = (elapsed(), Quota { left: BURST, at: began });
    // What came in behind looks that were gathered.
    let mut behind: Option<Result<Up, End>> = None;
    loop {
        let now = at(link.began_at);
        let timer = link.watches.next_timer().map(|t| Duration::try_from(t.duration_since(now)).unwrap_or_default());
        tokio::select! {
            up = async { if let Some(up) = behind.take() { up.map(Some) } else { socket.next().await } } => {
                heard = elapsed();
                let Some(up) = up? else { continue };
                quota.take(heard)?;
                let up = match up {
                    Up::Observed(first) => {
                        let mut looks = vec![first];
                        while behind.is_none() && looks.len() < GATHERED {
                            match socket.next_now() {
                                None => break,
                                Some(Ok(None)) => {}
                                Some(Ok(Some(Up::Observed(next)))) => {
                                    quota.take(heard)?;
                                    looks.push(next);
                                }
                                Some(Ok(Some(other))) => behind = Some(Ok(other)),
                                Some(Err(end)) => behind = Some(Err(end)),
                            }
                        }
                        let ack = observed(gateway, link, looks, at(link.began_at)).await?;
                        socket.send(&ack).await?;
                        continue;
                    }
                    Up::Report(report) => {
                        metrics.take(gateway, link, report, at(link.began_at), heard).await;
                        continue;
                    }
                    Up::Found(found) => {
                        told.take(&gateway.store, link, *found, heard).await?;
                        continue;
                    }
                    up => up,
                };
                match receive(gateway, link, &mut sent, up, at(link.began_at)).await? {
                    After::Send(downs) => for down in downs {
                        socket.send(&down).await?;
                    },
                    After::Goodbye(reason) => {
                        *goodbye = Some(reason);
                        return Ok(());
                    }
                }
            }
            nudge = nudges.recv() => match nudge {
                Some(Nudge::Due) => {
                    if hello::configure(gateway, link).await? {
                        socket.send(&Down::Config(config(link))).await?;
                    }
                    for down in jobs::open(gateway, link, &mut sent, Again::No).await? {
                        socket.send(&down).await?;
                    }
                }
                Some(Nudge::Replaced) | None => return Err(replaced()),
            },
            () = sleep(timer.unwrap_or(Duration::from_secs(3600))), if timer.is_some() => {
                let at = at(link.began_at);
                let due = link.watches.due(at);
                take(gateway, link, due, at).await?;
            }
            _ = ping.tick() => {
                if elapsed().saturating_sub(heard) > SILENCE {
                    return Err(End::Gone);
                }
                socket.ping().await?;
            }
            Ok(()) = dispatch_keys.changed() => {
                let told = rotation::tell(gateway, &mut link.held);
                let open = jobs::open(gateway, link, &mut sent, Again::No).await?;
                for down in told.into_iter().chain(open) {
                    socket.send(&down).await?;
                }
            }
            () = gateway.stopping.cancelled() => return Err(stopping()),
        }
    }
}

/// What the agent watches.
fn config(link: &Begun) -> Config {
    Config { version: link.config_version, checks: link.watches.specs() }
}

enum After {
    Send(Vec<Down>),
    Goodbye(String),
}

async fn take(gateway: &Inner, link: &mut Begun, looks: Vec<Look>, at: Timestamp) -> Result<(), End> {
    link.watches.take(&gateway.store, &link.identity.scope, looks, at).await
}

/// Looks of the agent, in one transaction, and what is answered once it is committed.
async fn observed(gateway: &Inner, link: &mut Begun, observed: Vec<Observed>, at: Timestamp) -> Result<Down, End> {
    if observed.iter().any(|one| one.seq == 0) {
        return Err(End::malformed("seq counts from 1"));
    }
    // An agent sends them in their order; whatever it does, nothing is acked that was not stored.
    let last = observed.iter().map(|one| one.seq).max();
    take(gateway, link, observed.into_iter().map(|one| Look::of(one.reading, one.request_id)).collect(), at).await?;
    crash::point("server_before_ack");
    Ok(Down::Ack { observed_seq: last, result: None })
}

/// One message of the agent, and what is answered once its effects are committed.
async fn receive(gateway: &Inner, link: &mut Begun, sent: &mut Sent, up: Up, at: Timestamp) -> Result<After, End> {
    let down = match up {
        Up::Lease {} => jobs::open(gateway, link, sent, Again::Yes).await?,
        Up::Start(start) => vec![jobs::start(gateway, link, &start).await?],
        Up::Refused(refused) => {
            jobs::refused(&gateway.store, link, &refused, at).await?;
            Vec::new()
        }
        Up::Result(result) => {
            let ack = jobs::result(&gateway.store, link, &result).await?;
            // The host's lock is free now: the next job may be waiting.
            let mut down = vec![ack];
            down.extend(jobs::open(gateway, link, sent, Again::No).await?);
            down
        }
        Up::Diagnosed(diagnosed) => {
            diagnose::answered(&gateway.store, link, &diagnosed).await?;
            Vec::new()
        }
        Up::Pinned { dispatch_version } => {
            rotation::answered(gateway, link, dispatch_version).await?;
            // What waited for the answer.
            jobs::open(gateway, link, sent, Again::No).await?
        }
        Up::Goodbye { reason } => return Ok(After::Goodbye(reason.chars().take(40).collect())),
        Up::Progress(piece) => {
            progress::take(&gateway.store, link, &piece).await?;
            Vec::new()
        }
        // They went their own way.
        Up::Observed(_) | Up::Report(_) | Up::Found(_) => Vec::new(), // taken before
        Up::Enroll(_) | Up::Prove(_) | Up::Hello(_) => {
            return Err(End::malformed("this message belongs to the link's beginning"));
        }
    };
    Ok(After::Send(down))
}

/// A bucket of messages that fills with time.
struct Quota {
    left: f64,
    at: Duration,
}

impl Quota {
    /// One message at `now`.
    ///
    /// # Errors
    /// It is one too many.
    fn take(&mut self, now: Duration) -> Result<(), End> {
        let refill = now.saturating_sub(self.at).as_secs_f64() * f64::from(MESSAGES_PER_SEC);
        self.left = (self.left + refill).min(BURST) - 1.0;
        self.at = now;
        if self.left < 0.0 {
            return Err(End::malformed("more messages than the server takes from one host"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_burst_and_then_has_its_rate() {
        let mut quota = Quota { left: BURST, at: Duration::ZERO };
        assert!((0..2048).all(|_| quota.take(Duration::ZERO).is_ok()));
        assert!(quota.take(Duration::ZERO).is_err());
        assert!((0..49).all(|_| quota.take(Duration::from_secs(1)).is_ok()));
        assert!(quota.take(Duration::from_secs(1)).is_err());
    }
}
