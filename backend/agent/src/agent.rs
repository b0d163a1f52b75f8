//! The agent's state, owned by one task, and what it does about messages and events.

use std::time::Duration;

use keys::SigningKey;
use runner::Clock;
use tokio::sync::mpsc;
use uuid::Uuid;
use wire::v1::{Challenge, Down, Hello, JournalState, PROTOCOL, Prove, Up};

use crate::checks::Checks;
use crate::limits::Limits;
use crate::outbox::{Looked, Outbox};
use crate::state::{Identity, StateDir};

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
}

/// Who the agent is and what it was given at its start.
pub struct Start {
    /// The state directory.
    pub dir: StateDir,
    /// Who the host is.
    pub identity: Identity,
    /// Its key.
    pub key: SigningKey,
    /// Its own limits.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Random, made at this start.
    pub instance_id: Uuid,
    /// This boot.
    pub boot_id: Uuid,
}

/// The agent's state.
pub struct Agent {
    start: Start,
    outbox: Outbox,
    checks: Checks,
    events: mpsc::Sender<Event>,
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
    /// A starting agent, and where its events come from.
    pub fn new(start: Start) -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let checks = Checks::new(events.clone(), start.clock);
        (Self { start, outbox: Outbox::default(), checks, events }, receiver)
    }

    /// Who the agent is.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The answer to the link's challenge.
    pub fn prove(&self, challenge: &Challenge) -> Up {
        let Start { identity, instance_id, key, .. } = &self.start;
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
        Up::Hello(Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.start.boot_id,
            uptime_secs: self.start.clock.now().as_secs(),
            max_fence: 0,
            journal: JournalState::New,
            jobs: Vec::new(),
            checks: self.checks.levels(),
            limits: self.start.limits.shown(self.start.dir.limits_path()),
            notes: Vec::new(),
        })
    }

    /// Handles a message of the server.
    pub fn receive(&mut self, down: Down) -> After {
        match down {
            Down::Welcome(welcome) => {
                tracing::info!(epoch = welcome.epoch, quarantined = welcome.quarantined, "linked");
            }
            Down::Config(config) => {
                tracing::info!(version = config.version, checks = config.checks.len(), "checks configured");
                self.checks.configure(config.checks, &self.start.limits);
            }
            Down::CheckNow(check) => {
                let (look, events) = (self.checks.look(check.check_id, &check.target), self.events.clone());
                tokio::spawn(async move {
                    let looked = look.await;
                    let _ = events.send(Event::Answered { request_id: check.request_id, looked }).await;
                });
            }
            Down::Ack { observed_seq, result: _ } => {
                if let Some(seq) = observed_seq {
                    self.outbox.ack(seq);
                }
            }
            Down::Retry { after_secs } => return After::Leave(after_secs),
            Down::Challenge(_) | Down::Enrolled(_) => tracing::warn!("a message out of order was ignored"),
            Down::Job(_) | Down::Permit { .. } | Down::Withdraw { .. } | Down::Freeze { .. } => {}
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
        }
    }

    /// Called each second: what only time brings about.
    pub fn tick(&mut self) {}

    /// The next message to send.
    pub fn next_up(&mut self) -> Option<Up> {
        self.outbox.next(self.start.clock.now())
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.start.clock.now()
    }
}
