//! Watches one service: at its interval, at once when its process ends, and when asked.

use std::time::Duration;

use runner::Clock;
use tokio::sync::{mpsc, oneshot};
use wire::v1::{CheckSpec, constants};

use super::declared::Commands;
use super::{Look, look, process};
use crate::agent::Event;
use crate::outbox::Looked;

/// How often a service that is not running is looked at: a recovery is to be seen soon.
const DOWN_POLL: Duration = Duration::from_secs(1);
/// How often it is looked at while its stop command lives, or when a look is to be repeated.
const SOON: Duration = Duration::from_millis(100);

/// Asks for a look now.
pub type Ask = oneshot::Sender<Looked>;

/// A look that waits for its judgement: the service is dead, and its stop command lives.
#[derive(Debug, Clone, Copy)]
struct Unjudged {
    since: Duration,
}

/// What one watch needs.
pub struct Lookout {
    /// The check.
    pub spec: CheckSpec,
    /// Its service as the host declared it; none if it did not.
    pub service: Option<Commands>,
    /// Where looks are asked for.
    pub asks: mpsc::Receiver<Ask>,
    /// Where what is seen goes.
    pub events: mpsc::Sender<Event>,
    /// The time.
    pub clock: Clock,
}

impl Lookout {
    /// Watches until nobody listens any more.
    pub async fn watch(mut self) {
        let limit = Duration::from_millis(self.spec.limit_ms).min(Duration::from_secs(constants::CHECK_LIMIT_SECS));
        let interval = Duration::from_secs(self.spec.interval_secs.max(1));
        let mut told: Option<(Look, Duration)> = None;
        let mut unjudged: Option<Unjudged> = None;
        let mut waiting: Vec<Ask> = Vec::new();
        loop {
            let seen = self.judged(limit, &mut unjudged).await;
            let at = self.clock.now();
            let (shown, wait) = match seen {
                Some(seen) => {
                    let due = told.as_ref().is_none_or(|(_, then)| at.saturating_sub(*then) >= interval);
                    let changed = told.as_ref().is_none_or(|(before, _)| !before.same_state(&seen));
                    if due || changed {
                        if self.events.send(Event::Looked(self.looked(&seen, at))).await.is_err() {
                            return;
                        }
                        told = Some((seen.clone(), at));
                    }
                    let then = told.as_ref().map_or(at, |(_, then)| *then);
                    let rest = then.saturating_add(interval).saturating_sub(at).max(Duration::from_millis(1));
                    let wait = if matches!(seen, Look::Running(_)) { rest } else { rest.min(DOWN_POLL) };
                    (seen, wait)
                }
                None => (Look::NoData("its stop command is at work".to_owned()), SOON),
            };
            for ask in waiting.drain(..) {
                let _ = ask.send(self.looked(&shown, at));
            }
            let pid = match shown {
                Look::Running(pid) => pid,
                _ => None,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = death(pid) => {}
                ask = self.asks.recv() => match ask {
                    Some(ask) => waiting.push(ask),
                    None => return,
                },
            }
            while let Ok(ask) = self.asks.try_recv() {
                waiting.push(ask);
            }
        }
    }

    /// One look, judged: none while a death is not to be judged because the stop command is at work.
    async fn judged(&self, limit: Duration, unjudged: &mut Option<Unjudged>) -> Option<Look> {
        let Some(service) = &self.service else {
            return Some(Look::NoData(format!("{} is not declared in the host's agent.toml", self.spec.target)));
        };
        let mut seen = look(service, limit).await;
        if matches!(&seen, Look::Failed(_)) {
            // The status command and the process table are two looks: only what both still say counts.
            tokio::time::sleep(Duration::from_millis(20)).await;
            seen = look(service, limit).await;
        }
        if !matches!(&seen, Look::Failed(_)) || !process::runs(&service.stop) {
            *unjudged = None;
            return Some(seen);
        }
        let now = self.clock.now();
        let since = unjudged.get_or_insert(Unjudged { since: now }).since;
        (now.saturating_sub(since) >= service.stop_limit).then_some(seen)
    }

    fn looked(&self, look: &Look, at: Duration) -> Looked {
        Looked { check_id: self.spec.check_id, target: self.spec.target.clone(), seen: look.seen(), at }
    }
}

/// Returns when the process has ended; never if there is none to wait for.
async fn death(pid: Option<i32>) {
    match pid {
        Some(pid) => {
            if process::ended(pid).await.is_err() {
                tokio::time::sleep(DOWN_POLL).await;
            }
        }
        None => std::future::pending().await,
    }
}
