//! All checks of the host: what the server configured, each watched by a task of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use runner::Clock;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;
use wire::v1::{CheckKind, CheckSpec, MAX_REPORTED, Reading, Seen, ServiceState, Value};

use crate::agent::Event;
use crate::gauge::Gauge;
use crate::limits::Limits;
use crate::outbox::Looked;
use crate::service::declared::{Commands, Service};
use crate::service::lookout::{Ask, Lookout};
use crate::service::process::{self, Life};
use crate::service::systemd;

/// The most checks that are watched.
const MOST: usize = 256;
/// The most looks that may be asked for at once, of one check.
const ASKS: usize = 16;
/// The longest wait for a look that was asked for.
const ANSWER: Duration = Duration::from_secs(30);

struct Watch {
    spec: CheckSpec,
    asks: mpsc::Sender<Ask>,
    task: JoinHandle<()>,
    level: Option<Looked>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All checks of the host.
pub struct Checks {
    watches: BTreeMap<Uuid, Watch>,
    configured: bool,
    events: mpsc::Sender<Event>,
    clock: Clock,
    bus: systemd::line::Bus,
    /// The units that a run of ours acts on now.
    acting: watch::Sender<Vec<String>>,
}

impl Checks {
    /// None yet. systemd is asked at the D-Bus address `bus`.
    pub fn new(events: mpsc::Sender<Event>, clock: Clock, bus: Option<String>) -> Self {
        let (bus, acting) = (systemd::line::Bus::new(bus), watch::Sender::default());
        Self { watches: BTreeMap::new(), configured: false, events, clock, bus, acting }
    }

    /// From now on a run of ours acts on exactly these units.
    pub fn acting_on(&self, units: Vec<String>) {
        self.acting.send_if_modified(|before| {
            *before != units && {
                *before = units;
                true
            }
        });
    }

    /// Whether the server has said what they are, since the agent's start.
    pub fn configured(&self) -> bool {
        self.configured
    }

    /// Watches exactly `specs` from now on. A check that did not change goes on undisturbed.
    pub fn configure(&mut self, specs: Vec<CheckSpec>, limits: &Limits) {
        self.configured = true;
        let mut before = std::mem::take(&mut self.watches);
        for spec in specs.into_iter().take(MOST) {
            let watch = match before.remove(&spec.check_id) {
                Some(watch) if watch.spec == spec => watch,
                _ => self.watch(spec.clone(), limits),
            };
            self.watches.insert(spec.check_id, watch);
        }
    }

    fn watch(&self, spec: CheckSpec, limits: &Limits) -> Watch {
        let (sender, asks) = mpsc::channel(ASKS);
        let (events, clock) = (self.events.clone(), self.clock);
        let task = match spec.kind {
            CheckKind::Service => match limits.services.get(&spec.target).cloned() {
                Some(Service::Unit(unit)) => {
                    let (spec, bus, acting) = (spec.clone(), self.bus.clone(), self.acting.subscribe());
                    tokio::spawn(systemd::lookout::Lookout { spec, unit, bus, acting, asks, events, clock }.watch())
                }
                Some(Service::Commands(commands)) => {
                    tokio::spawn(Lookout { spec: spec.clone(), service: Some(commands), asks, events, clock }.watch())
                }
                None => tokio::spawn(Lookout { spec: spec.clone(), service: None, asks, events, clock }.watch()),
            },
            CheckKind::Disk | CheckKind::Process => {
                tokio::spawn(Gauge { spec: spec.clone(), asks, events, clock }.watch())
            }
        };
        Watch { spec, asks: sender, task, level: None }
    }

    /// Notes the newest state; false if the check is no longer ours.
    pub fn note(&mut self, looked: &Looked) -> bool {
        match self.watches.get_mut(&looked.check_id) {
            Some(watch) if watch.spec.target == looked.target => {
                watch.level = Some(looked.clone());
                true
            }
            _ => false,
        }
    }

    /// The present state of every check that has been looked at.
    pub fn levels(&self) -> Vec<Reading> {
        let now = self.clock.now();
        self.watches.values().filter_map(|watch| Some(watch.level.as_ref()?.reading(now))).collect()
    }

    /// How each service stands: those with a check as it last saw them, other declared ones by their pid file. No
    /// command is run and systemd is not asked for this.
    pub fn services(&self, limits: &Limits) -> Vec<ServiceState> {
        let watched = self.watches.values().filter(|watch| watch.spec.kind == CheckKind::Service).map(|watch| {
            let state = watch.level.as_ref().and_then(|looked| state(&looked.seen)).unwrap_or("unknown");
            ServiceState { name: watch.spec.target.clone(), state: state.to_owned(), watched: true }
        });
        let mut all: Vec<ServiceState> = watched.collect();
        for (name, service) in &limits.services {
            if !all.iter().any(|known| known.name == *name) {
                all.push(ServiceState { name: name.clone(), state: by_pid_file(service).to_owned(), watched: false });
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        all.truncate(MAX_REPORTED);
        all
    }

    /// Whether what was looked at has recovered; none if that cannot be told.
    pub fn has_recovered(&self, looked: &Looked) -> Option<bool> {
        let watch = self.watches.get(&looked.check_id).filter(|watch| watch.spec.target == looked.target)?;
        match &looked.seen {
            Seen::Data(readings) => watch.spec.has_recovered(readings),
            Seen::NoData { .. } => None,
        }
    }

    /// Looks now. No answer, or no such check, is no data.
    pub fn look(&self, check_id: Uuid, target: &str) -> impl Future<Output = Looked> + Send + use<> {
        let asks = self.watches.get(&check_id).filter(|w| w.spec.target == target).map(|w| w.asks.clone());
        let (target, clock) = (target.to_owned(), self.clock);
        async move {
            let why = match asks {
                None => "the agent has no such check",
                Some(asks) => {
                    let (sender, answer) = oneshot::channel();
                    let ask = async {
                        asks.send(sender).await.ok()?;
                        answer.await.ok()
                    };
                    match tokio::time::timeout(ANSWER, ask).await {
                        Ok(Some(looked)) => return looked,
                        Ok(None) => "the check was changed meanwhile",
                        Err(_) => "the check did not answer in time",
                    }
                }
            };
            Looked { check_id, target, seen: Seen::NoData { why: why.to_owned() }, at: clock.now() }
        }
    }
}

/// The state that a look read.
fn state(seen: &Seen) -> Option<&str> {
    match seen {
        Seen::Data(readings) => match readings.get("state")? {
            Value::Text(state) => Some(state),
            Value::Number(_) => None,
        },
        Seen::NoData { .. } => None,
    }
}

/// A pid file that names a dead process was left by a service that died; none is left by one that was stopped.
fn by_pid_file(service: &Service) -> &'static str {
    let Service::Commands(Commands { pid_file, .. }) = service else { return "unknown" };
    let Some(path) = pid_file else { return "unknown" };
    match crate::service::read_pid(path).map(process::life) {
        Some(Life::Alive) => "running",
        Some(Life::Zombie | Life::Gone) => "failed",
        None if path.exists() => "unknown",
        None => "stopped",
    }
}
