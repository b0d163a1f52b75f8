//! Watches one unit: at once when systemd says that it changed, at its interval, and when asked.

use std::time::Duration;

use runner::Clock;
use tokio::sync::{mpsc, watch};
use wire::v1::{CheckSpec, Seen, constants};

use super::judge::{Acting, Before, Judged, hear, judge};
use super::line::Bus;
use super::{proxy, words};
use crate::agent::Event;
use crate::outbox::Looked;
use crate::service::declared::Unit;
use crate::service::lookout::Ask;

/// How soon it is tried again when bus or systemd do not answer.
const RETRY: Duration = Duration::from_secs(1);
/// How soon it is looked again after a run of ours has ended.
const SOON: Duration = Duration::from_millis(100);

/// What one watch needs.
pub struct Lookout {
    /// The check.
    pub spec: CheckSpec,
    /// Its unit.
    pub unit: Unit,
    /// Where systemd is asked.
    pub bus: Bus,
    /// The units that a run of ours acts on now.
    pub acting: watch::Receiver<Vec<String>>,
    /// Where looks are asked for.
    pub asks: mpsc::Receiver<Ask>,
    /// Where what is seen goes.
    pub events: mpsc::Sender<Event>,
    /// The time.
    pub clock: Clock,
}

/// What is kept from look to look, over lost connections too.
#[derive(Default)]
struct Memory {
    before: Before,
    told: Option<(Judged, Duration)>,
    waiting: Vec<Ask>,
    /// A run of ours was acting at the last look.
    was_acting: bool,
}

/// Nobody listens any more.
struct Unheard;

impl Lookout {
    /// Watches until nobody listens any more.
    pub async fn watch(mut self) {
        let mut memory = Memory::default();
        loop {
            let why = match self.follow(&mut memory).await {
                Ok(Unheard) => return,
                Err(error) => words(&error),
            };
            let why = format!("{}: systemd does not answer: {why}", self.unit.name());
            if self.tell(&mut memory, &Judged::no_data(why)).await.is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                ask = self.asks.recv() => match ask {
                    Some(ask) => memory.waiting.push(ask),
                    None => return,
                },
            }
        }
    }

    /// Looks again and again as long as bus and systemd answer.
    async fn follow(&mut self, memory: &mut Memory) -> zbus::Result<Unheard> {
        let turns = self.bus.turn();
        // In boxes, here and below, because what these need is large and soon over.
        let first = turns.lock().await;
        let line = Box::pin(self.bus.get()).await?;
        let (path, mut signals) = Box::pin(line.attend(self.unit.name())).await?;
        drop(first);
        let limit = Duration::from_millis(self.spec.limit_ms).min(Duration::from_secs(constants::CHECK_LIMIT_SECS));
        let interval = Duration::from_secs(self.spec.interval_secs.max(1));
        let mut heard = Vec::new();
        loop {
            let before_this = heard.len();
            let read = async {
                let _turn = turns.lock().await;
                let unit = tokio::time::timeout(limit, Box::pin(proxy::read(line.bus(), &path))).await;
                line.settled().await;
                unit
            };
            tokio::pin!(read);
            // Signals are heard first: what led to this answer was sent before it.
            let unit = loop {
                tokio::select! {
                    biased;
                    signal = signals.recv() => heard.push(signal.ok_or_else(gone)?),
                    unit = &mut read => break unit.map_err(std::io::Error::from)??,
                }
            };
            while let Ok(signal) = signals.try_recv() {
                heard.push(signal);
            }
            // What was heard meanwhile may be newer than the answer, which is worth another look.
            let again = heard.len() > before_this;
            let is_acting = self.acting.borrow_and_update().iter().any(|unit| unit == self.unit.name());
            // What it did last may be seen only now that it has ended.
            let has_ended = std::mem::replace(&mut memory.was_acting, is_acting) && !is_acting;
            let acting = if is_acting || has_ended { Acting::Ours } else { Acting::Nobody };
            for one in heard.drain(..) {
                hear(&one, &mut memory.before, acting);
            }
            let judged = judge(&unit, &mut memory.before, acting, self.clock.now());
            if self.tell(memory, &judged).await.is_err() {
                return Ok(Unheard);
            }
            if again {
                continue;
            }
            let then = memory.told.as_ref().map_or(Duration::ZERO, |(_, at)| *at);
            let rest = then.saturating_add(interval).saturating_sub(self.clock.now()).max(Duration::from_millis(1));
            tokio::select! {
                () = tokio::time::sleep(if has_ended { SOON } else { rest }) => {}
                signal = signals.recv() => heard.push(signal.ok_or_else(gone)?),
                changed = self.acting.changed() => if changed.is_err() {
                    return Ok(Unheard);
                },
                ask = self.asks.recv() => match ask {
                    Some(ask) => memory.waiting.push(ask),
                    None => return Ok(Unheard),
                },
            }
            while let Ok(ask) = self.asks.try_recv() {
                memory.waiting.push(ask);
            }
        }
    }

    /// Tells what changed or is due, and answers who asked.
    async fn tell(&self, memory: &mut Memory, judged: &Judged) -> Result<(), Unheard> {
        let (at, interval) = (self.clock.now(), Duration::from_secs(self.spec.interval_secs.max(1)));
        let is_news = memory
            .told
            .as_ref()
            .is_none_or(|(before, then)| !before.is_same(judged) || at.saturating_sub(*then) >= interval);
        if is_news {
            self.events.send(Event::Looked(self.looked(judged.seen(), at))).await.map_err(|_| Unheard)?;
            memory.told = Some((judged.clone(), at));
        }
        for ask in memory.waiting.drain(..) {
            let _ = ask.send(self.looked(judged.answer(), at));
        }
        Ok(())
    }

    fn looked(&self, seen: Seen, at: Duration) -> Looked {
        Looked { check_id: self.spec.check_id, target: self.spec.target.clone(), seen, at }
    }
}

/// The bus went away.
fn gone() -> zbus::Error {
    std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
}
