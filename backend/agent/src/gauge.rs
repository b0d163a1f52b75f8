//! Watches what has no event to wait for: looks at its interval and when asked.

pub mod disk;
pub mod process;

use std::collections::BTreeMap;
use std::time::Duration;

use runner::Clock;
use tokio::sync::mpsc;
use wire::v1::{CheckKind, CheckSpec, Seen, Value, constants};

use crate::agent::Event;
use crate::outbox::Looked;
use crate::service::lookout::Ask;

/// Named readings, or why there are none.
pub type Look = Result<BTreeMap<String, Value>, String>;

/// What one watch needs.
pub struct Gauge {
    /// The check.
    pub spec: CheckSpec,
    /// Where looks are asked for.
    pub asks: mpsc::Receiver<Ask>,
    /// Where what is seen goes.
    pub events: mpsc::Sender<Event>,
    /// The time.
    pub clock: Clock,
}

impl Gauge {
    /// Watches until nobody listens any more.
    pub async fn watch(mut self) {
        let interval = Duration::from_secs(self.spec.interval_secs.max(1));
        let mut cpu = None;
        loop {
            let looked = self.look(&mut cpu).await;
            if self.events.send(Event::Looked(looked)).await.is_err() {
                return;
            }
            let rest = tokio::time::sleep(interval);
            tokio::pin!(rest);
            loop {
                tokio::select! {
                    () = &mut rest => break,
                    ask = self.asks.recv() => match ask {
                        Some(ask) => {
                            let _ = ask.send(self.look(&mut cpu).await);
                        }
                        None => return,
                    },
                }
            }
        }
    }

    /// One look. It is made beside the others' tasks: a file system that is gone may never answer.
    async fn look(&self, cpu: &mut Option<process::Used>) -> Looked {
        let limit = Duration::from_millis(self.spec.limit_ms).min(Duration::from_secs(constants::CHECK_LIMIT_SECS));
        let (kind, target, before, now) = (self.spec.kind, self.spec.target.clone(), *cpu, self.clock.now());
        let look = tokio::task::spawn_blocking(move || match kind {
            CheckKind::Disk => (disk::look(&target), None),
            CheckKind::Process => process::look(&target, before, now),
            CheckKind::Service => (Err("a service is watched by its lookout".to_owned()), None),
        });
        let (look, used) = match tokio::time::timeout(limit, look).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => (Err("the look failed".to_owned()), None),
            Err(_) => (Err(format!("the look took longer than {} ms", limit.as_millis())), None),
        };
        *cpu = used.or(*cpu);
        let seen = match look {
            Ok(readings) => Seen::Data(readings),
            Err(why) => Seen::NoData { why },
        };
        Looked { check_id: self.spec.check_id, target: self.spec.target.clone(), seen, at: self.clock.now() }
    }
}

fn number(value: f64) -> Value {
    Value::Number((value * 1000.0).round() / 1000.0)
}
