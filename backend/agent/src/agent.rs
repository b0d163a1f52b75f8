//! The agent's state, owned by one task, and what it does about messages and events.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;
use wire::v1::{Challenge, Diagnose, Diagnosed, Down, Found, Hello, Job, PROTOCOL, Prove, Up, constants};

use crate::checks::Checks;
use crate::collect::{self, Collected};
use crate::diagnose;
use crate::inventory;
use crate::jobs::{Act, Host, Jobs};
use crate::outbox::{Looked, Outbox};
use crate::service::{self, Look, process};

/// The most events that wait to be handled.
pub const EVENTS: usize = 256;

/// What reaches the agent from its own tasks.
#[derive(Debug)]
pub enum Event {
    /// A check looked: by itself.
    Looked(Looked),
    /// A check looked because the server asked.
    Answered {
        /// The server's name for the question.
        request_id: Uuid,
        /// What was seen.
        looked: Looked,
    },
    /// A check looked because a job is about to act on it.
    JobLooked {
        /// The job's fence.
        fence: i64,
        /// What was seen.
        looked: Looked,
    },
    /// Services were looked at because a job is about to act on them.
    ServicesLooked {
        /// The job's fence.
        fence: i64,
        /// Each by its name.
        looks: Vec<(String, Look)>,
    },
    /// The host's metrics were read.
    Collected(Collected),
    /// How the host looks was read because the server asked.
    Diagnosed(Diagnosed),
    /// What the host is was read.
    Inventoried(Box<Found>),
    /// A runner that this process spawned has ended.
    RunnerEnded {
        /// Its job's fence.
        fence: i64,
    },
}

/// The agent's state.
pub struct Agent {
    jobs: Jobs,
    outbox: Outbox,
    checks: Checks,
    /// A job that came before the checks did, and when.
    early: Option<(Job, Duration)>,
    events: mpsc::Sender<Event>,
    /// How often the server asked how the host looks.
    asked: diagnose::Asked,
    /// When what the host is was last told on this link, or is being read.
    told: Option<Duration>,
    /// How often metrics are read.
    every: watch::Sender<Duration>,
    /// The fence of the job whose steps were last seen to run.
    running: Option<i64>,
}

/// What the link does about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Goes on.
    Stay,
    /// Closes, and comes back after that many seconds or more.
    Leave(u64),
}

impl Agent {
    /// A starting agent, and where its events come from. Must be called inside a runtime.
    ///
    /// # Errors
    /// Journal or records cannot be read or made.
    pub fn new(host: Host) -> Result<(Self, mpsc::Receiver<Event>), runner::record::Error> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let checks = Checks::new(events.clone(), host.clock, host.limits.bus.clone());
        let (every, interval) = watch::channel(Duration::from_secs(constants::REPORT_SECS));
        tokio::spawn(collect::run(host.clock, interval, events.clone()));
        let jobs = Jobs::recover(host)?;
        let outbox = Outbox::default();
        let mut agent = Self {
            jobs,
            outbox,
            checks,
            early: None,
            asked: diagnose::Asked::default(),
            events,
            told: None,
            every,
            running: None,
        };
        agent.tell_acting();
        Ok((agent, receiver))
    }

    /// Who the agent is.
    pub fn host(&self) -> &Host {
        self.jobs.host()
    }

    /// The answer to the link's challenge.
    pub fn prove(&self, challenge: &Challenge) -> Up {
        let Host { identity, instance_id, key, .. } = self.host();
        let text = Prove::signed_text(challenge, identity.tenant_id, identity.host_id, *instance_id);
        Up::Prove(Prove {
            protocol: PROTOCOL,
            host_id: identity.host_id,
            instance_id: *instance_id,
            signature: key.sign(keys::Context::Link, &text),
        })
    }

    /// The first message of a new link; what waited for the old one is arranged anew.
    pub fn hello(&mut self) -> Up {
        self.outbox.relink();
        let acts = self.jobs.linked();
        self.perform(acts);
        let host = self.jobs.host();
        Up::Hello(Box::new(Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: host.boot_id,
            uptime_secs: host.clock.now().as_secs(),
            max_fence: self.jobs.max_fence(),
            journal: self.jobs.journal_state(),
            jobs: self.jobs.journaled(),
            checks: self.checks.levels(),
            limits: host.limits.shown(host.dir.limits_path()),
            notes: self.jobs.notes(),
            dispatch_version: Some(host.pinned.dispatch.version),
        }))
    }

    /// Handles a message of the server.
    pub fn receive(&mut self, down: Down) -> After {
        match down {
            Down::Welcome(welcome) => {
                tracing::info!(epoch = welcome.epoch, quarantined = welcome.quarantined, "linked");
                let every = Duration::from_secs(welcome.report_secs.clamp(1, 3600));
                self.every.send_if_modified(|now| std::mem::replace(now, every) != every);
                let acts = self.jobs.welcomed(welcome.quarantined);
                self.perform(acts);
                self.inventory();
            }
            Down::DispatchKeys { chain } => {
                let dispatch_version = self.jobs.follow(&chain);
                self.outbox.direct(Up::Pinned { dispatch_version });
            }
            Down::Config(config) => {
                tracing::info!(version = config.version, checks = config.checks.len(), "checks configured");
                self.checks.configure(config.checks, &self.jobs.host().limits);
                if let Some((job, received)) = self.early.take() {
                    self.offer(job, received);
                }
            }
            Down::CheckNow(check) => {
                let (look, events) = (self.checks.look(check.check_id, &check.target), self.events.clone());
                tokio::spawn(async move {
                    let looked = look.await;
                    let _ = events.send(Event::Answered { request_id: check.request_id, looked }).await;
                });
            }
            Down::Ack { observed_seq, result } => {
                if let Some(seq) = observed_seq {
                    self.outbox.ack(seq);
                }
                if let Some(result) = result {
                    self.jobs.acked(&result);
                }
            }
            Down::Diagnose(question) => self.diagnose(question),
            Down::Job(job) => {
                let received = self.now();
                self.offer(job, received);
            }
            Down::Permit { job, fence } => {
                let acts = self.jobs.permit(job, fence);
                self.perform(acts);
            }
            Down::Withdraw { job, fence, reason } => {
                self.early = None;
                let acts = self.jobs.withdraw(job, fence, &reason);
                self.perform(acts);
            }
            Down::Freeze { frozen } => {
                tracing::info!(frozen, "freeze");
                let acts = self.jobs.freeze(frozen);
                self.perform(acts);
            }
            Down::Retry { after_secs } => return After::Leave(after_secs),
            Down::Challenge(_) | Down::Enrolled(_) => tracing::warn!("a message out of order was ignored"),
        }
        After::Stay
    }

    /// Handles an event of the agent's own tasks.
    pub fn handle(&mut self, event: Event) {
        match event {
            Event::Looked(looked) => {
                if self.checks.note(&looked) {
                    self.outbox.observe(looked, None);
                }
            }
            Event::Answered { request_id, looked } => {
                self.checks.note(&looked);
                self.outbox.observe(looked, Some(request_id));
            }
            Event::JobLooked { fence, looked } => {
                let recovered = self.checks.has_recovered(&looked);
                let acts = self.jobs.looked(fence, &looked, recovered);
                self.perform(acts);
            }
            Event::ServicesLooked { fence, looks } => {
                let acts = self.jobs.services_looked(fence, &looks);
                self.perform(acts);
            }
            Event::Collected(collected) => {
                let services = self.checks.services(&self.jobs.host().limits);
                self.outbox.report(collected, services);
            }
            Event::Diagnosed(diagnosed) => self.outbox.direct(Up::Diagnosed(diagnosed)),
            Event::Inventoried(found) => self.outbox.direct(Up::Found(found)),
            Event::RunnerEnded { fence } => {
                let acts = self.jobs.runner_ended(fence);
                self.perform(acts);
            }
        }
    }

    /// Called each second: what only time brings about.
    pub fn tick(&mut self) {
        let acts = self.jobs.tick();
        self.perform(acts);
        if let Some(progress) = self.jobs.progress() {
            self.outbox.direct(progress);
        }
        if self.told.is_some_and(|told| self.now().saturating_sub(told) >= inventory::AGAIN) {
            self.inventory();
        }
    }

    /// Lets the checks know which units a run acts on: what becomes of them meanwhile is no person's doing.
    fn tell_acting(&mut self) {
        let running = self.jobs.running();
        if std::mem::replace(&mut self.running, running) != running {
            self.checks.acting_on(self.jobs.units());
        }
    }

    /// Reads what the host is, on a thread of its own.
    fn inventory(&mut self) {
        self.told = Some(self.now());
        let Host { limits, clock, boot_id, .. } = self.jobs.host();
        let (limits, clock, boot_id, events) = (limits.clone(), *clock, *boot_id, self.events.clone());
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || inventory::collect(&limits, boot_id, clock));
            if let Ok(found) = read.await {
                let _ = events.send(Event::Inventoried(Box::new(found))).await;
            }
        });
    }

    /// Reads how the host looks, on a thread of its own.
    fn diagnose(&mut self, question: Diagnose) {
        if !self.asked.one_more(self.now()) {
            tracing::warn!("diagnostics were asked for more often than is answered");
            return;
        }
        let Host { limits, clock, wall, .. } = self.jobs.host();
        let (services, limits) = (self.checks.services(limits), limits.clone());
        let (clock, wall, events) = (*clock, wall(), self.events.clone());
        tokio::spawn(async move {
            let subject = diagnose::Subject { question, limits, services };
            let read = tokio::task::spawn_blocking(move || diagnose::collect(&subject, clock, wall));
            if let Ok(diagnosed) = read.await {
                let _ = events.send(Event::Diagnosed(diagnosed)).await;
            }
        });
    }

    /// A job waits for the checks: without them its trigger cannot be looked at again.
    fn offer(&mut self, job: Job, received: Duration) {
        if !self.checks.configured() {
            self.early = Some((job, received));
            return;
        }
        let acts = self.jobs.offer(&job, received);
        self.perform(acts);
    }

    fn perform(&mut self, acts: Vec<Act>) {
        for act in acts {
            let events = self.events.clone();
            match act {
                Act::Send(up) => self.outbox.direct(up),
                Act::Look { check_id, target, fence } => {
                    let look = self.checks.look(check_id, &target);
                    tokio::spawn(async move {
                        let looked = look.await;
                        let _ = events.send(Event::JobLooked { fence, looked }).await;
                    });
                }
                Act::LookAtServices { services, fence } => {
                    let bus = self.jobs.host().limits.bus.clone();
                    tokio::spawn(async move {
                        let looks = service::look_at_all(services, bus).await;
                        let _ = events.send(Event::ServicesLooked { fence, looks }).await;
                    });
                }
                Act::Watch { pid, fence } => {
                    tokio::spawn(async move {
                        // Without process descriptors the tick finds the end by the record's lock.
                        if process::ended(pid).await.is_ok() {
                            let _ = events.send(Event::RunnerEnded { fence }).await;
                        }
                    });
                }
            }
        }
        self.tell_acting();
    }

    /// The next message to send.
    pub fn next_up(&mut self) -> Option<Up> {
        self.outbox.next(self.now())
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.host().clock.now()
    }
}
