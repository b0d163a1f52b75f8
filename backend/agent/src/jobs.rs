//! One job at a time, from its offer to its acked result.
//!
//! Everything here is decided at once and without waiting; what takes time (a look, a runner's end) is asked
//! for as an [`Act`] and comes back as a call. The order of writes is the protocol's: order, `INTENT`,
//! permit, `STARTED`, runner; what became of a run is read from its record.

pub mod admission;
mod beginning;
pub mod binding;
mod checking;
mod ending;
pub mod launch;
pub mod pool;
mod progress;
pub mod rate;
mod recovery;
mod rotation;
pub mod settle;

use std::collections::VecDeque;
use std::process::Child;
use std::time::{Duration, SystemTime};

use keys::SigningKey;
use runner::confine::Confinement;
use runner::crash::{Point, reach};
use runner::record::Record;
use runner::{Clock, record};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wire::v1::{
    Envelope, Job, JobKey, JournalState, JournaledJob, Reached, Reading, Refused, RefusedReason, ResultAck, Up,
    constants,
};

use crate::hours::LocalTime;
use crate::journal::{Entry, Journal};
use crate::limits::Limits;
use crate::service::declared::Service;
use crate::service::systemd::scope::Scopes;
use crate::state::{Identity, Pinned, StateDir};
use admission::{Ground, Refusal, Steps, admit, claimed};
use beginning::PERMIT_ANSWER;
use pool::Pool;
use rate::Rate;

/// A runner that has not begun this long after the permit was asked for will not: its own limit is shorter.
const NEVER_BEGAN: Duration = Duration::from_secs(constants::PERMIT_USE_SECS + 5);

/// What is to be done for a job.
#[derive(Debug)]
pub enum Act {
    /// Send this on the present link.
    Send(Up),
    /// Look at this check now, and call [`Jobs::looked`].
    Look {
        /// The check.
        check_id: Uuid,
        /// Its target.
        target: String,
        /// The job's fence.
        fence: i64,
    },
    /// Look at these services now, and call [`Jobs::services_looked`].
    LookAtServices {
        /// The services, as the host declared them, by name.
        services: Vec<(String, Service)>,
        /// The job's fence.
        fence: i64,
    },
    /// When this process has ended, call [`Jobs::runner_ended`].
    Watch {
        /// The process.
        pid: i32,
        /// The job's fence.
        fence: i64,
    },
}

/// What jobs need of the host.
pub struct Host {
    /// The state directory.
    pub dir: StateDir,
    /// Who the host is.
    pub identity: Identity,
    /// Its pinned keys.
    pub pinned: Pinned,
    /// Its key.
    pub key: SigningKey,
    /// Its own limits.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Reads the clock on the host's wall: its own hours, and the dates of its files, are told by it.
    pub wall: fn() -> SystemTime,
    /// What confined steps are held to.
    pub confinement: Confinement,
    /// What the host cannot promise, as sentences.
    pub notes: Vec<String>,
    /// The agent's instance.
    pub instance_id: Uuid,
    /// This boot.
    pub boot_id: Uuid,
    /// The program that has the runner as a subcommand.
    pub program: std::path::PathBuf,
    /// Whom its runners ask for scopes of their own.
    pub scopes: Option<Scopes>,
}

/// What is kept with an order, to know the job again after a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub digest: String,
    /// Nanoseconds since boot at which the envelope's time to live is over.
    pub deadline_nanos: u64,
}

/// The job under way.
struct Current {
    job: JobKey,
    fence: i64,
    digest: String,
    deadline: Duration,
    phase: Phase,
}

enum Phase {
    /// The triggering check, or a service that the fix names, is being looked at; nothing is written.
    Checking { envelope: Box<Envelope>, steps: Steps, services: Vec<String> },
    /// `INTENT` is written; when the permit was asked for on this link, oldest first.
    Waiting { slot: u16, asks: VecDeque<Duration> },
    /// `STARTED` is written. The runner, if it is a child of this process that still lives.
    Running { slot: u16, asked: Duration, child: Option<Child> },
}

/// A result that is kept until acked.
struct Unacked {
    slot: u16,
    job: JobKey,
    fence: i64,
}

/// All about jobs.
pub struct Jobs {
    host: Host,
    pool: Pool,
    journal: Option<Journal>,
    state: JournalState,
    rate: Rate,
    current: Option<Current>,
    unacked: Vec<Unacked>,
    refused: Option<Refused>,
    frozen: bool,
    /// How much of the output of the job with that fence was told on this link.
    told: Option<(i64, u64)>,
    /// Runners whose job is settled and that have not ended yet; reaped by and by.
    leftover: Vec<Child>,
    /// Why the last run had no scope of its own, though it was to have one.
    unscoped: Option<String>,
}

impl Jobs {
    /// The host that jobs are for.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The highest fence ever taken.
    pub fn max_fence(&self) -> i64 {
        self.journal.as_ref().map_or(0, Journal::max_fence)
    }

    /// The fence of the job whose steps run now.
    pub fn running(&self) -> Option<i64> {
        let current = self.current.as_ref()?;
        matches!(current.phase, Phase::Running { .. }).then_some(current.fence)
    }

    /// The state of the journal.
    pub fn journal_state(&self) -> JournalState {
        self.state
    }

    /// What the host cannot promise, as sentences.
    pub fn notes(&self) -> Vec<String> {
        self.host.notes.iter().chain(&self.pool.notes).chain(&self.unscoped).cloned().collect()
    }

    /// The jobs that are not acked.
    pub fn journaled(&self) -> Vec<JournaledJob> {
        let current = self.current.iter().filter_map(|current| {
            let reached = match &current.phase {
                Phase::Checking { .. } => return None,
                Phase::Waiting { .. } => Reached::Intent,
                Phase::Running { slot, .. } => {
                    let begun = Record::open(&self.pool.dir, *slot).and_then(|r| r.events(current.fence));
                    if begun.is_ok_and(|events| events.is_empty()) { Reached::Started } else { Reached::Running }
                }
            };
            Some(JournaledJob { job: current.job, fence: current.fence, reached })
        });
        let kept = self.unacked.iter();
        current.chain(kept.map(|u| JournaledJob { job: u.job, fence: u.fence, reached: Reached::Finished })).collect()
    }

    /// A new link stands: results are sent again, a permit is asked for anew.
    pub fn linked(&mut self) -> Vec<Act> {
        self.told = None;
        let mut acts: Vec<Act> = self.unacked.iter().filter_map(|unacked| self.send(unacked)).collect();
        if let Some(Current { phase: Phase::Waiting { asks, .. }, .. }) = &mut self.current {
            asks.clear();
            acts.extend(self.ask());
        }
        acts
    }

    /// The server's word at the beginning of a link, after it has read `Hello`. If it trusts a host whose
    /// journal is gone or damaged, a person has re-attested it: a new journal begins.
    pub fn welcomed(&mut self, quarantined: bool) -> Vec<Act> {
        // The server says again what is frozen; nothing else lifts a freeze that ended while no link stood.
        let mut acts = if self.frozen { self.freeze(false) } else { Vec::new() };
        if !quarantined && matches!(self.state, JournalState::Missing | JournalState::Damaged) {
            match self.pool.renew_journal(&self.host.dir) {
                Ok(journal) => {
                    tracing::warn!("the host was re-attested; a new journal begins");
                    (self.journal, self.state) = (Some(journal), JournalState::Sound);
                }
                Err(error) => tracing::error!(%error, "a new journal cannot be made"),
            }
        }
        let idle = self.current.is_none() && self.journal.is_some() && !quarantined;
        if idle {
            acts.push(Act::Send(Up::Lease {}));
        }
        acts
    }

    /// A job came, at `received`. `known` says whether its check is one of the agent's.
    pub fn offer(&mut self, job: &Job, received: Duration) -> Vec<Act> {
        reach(Point::AfterLease);
        let Some((key, fence)) = claimed(job) else {
            tracing::warn!("a job whose envelope cannot be read was ignored");
            return Vec::new();
        };
        if let Some(unacked) = self.unacked.iter().find(|u| (u.job, u.fence) == (key, fence)) {
            return self.send(unacked).into_iter().collect();
        }
        if let Some(refused) = self.refused.as_ref().filter(|r| (r.job, r.fence) == (key, fence)) {
            return vec![Act::Send(Up::Refused(refused.clone()))];
        }
        if let Some(current) = self.current.as_ref().filter(|c| (c.job, c.fence) == (key, fence)) {
            let unasked = matches!(&current.phase, Phase::Waiting { asks, .. } if asks.is_empty());
            return if unasked { self.ask() } else { Vec::new() };
        }
        let ground = Ground {
            tenant_id: self.host.identity.tenant_id,
            host_id: self.host.identity.host_id,
            instance_id: self.host.instance_id,
            pinned: &self.host.pinned,
            limits: &self.host.limits,
            rate: &self.rate,
            max_fence: self.max_fence().max(self.current.as_ref().map_or(0, |c| c.fence)),
            now: self.host.clock.now(),
            local: LocalTime::of((self.host.wall)()),
        };
        let admitted = match admit(job, &ground) {
            Ok(admitted) => admitted,
            Err(refusal) => return self.refuse(key, fence, refusal, None),
        };
        self.accept(admitted, received)
    }

    /// The job must not begin.
    pub fn withdraw(&mut self, job: JobKey, fence: i64, reason: &str) -> Vec<Act> {
        let Some(current) = self.current.as_ref().filter(|c| (c.job, c.fence) == (job, fence)) else {
            return Vec::new();
        };
        tracing::info!(fence, reason, "a job was withdrawn");
        match &current.phase {
            Phase::Checking { .. } => {
                self.current = None;
                Vec::new()
            }
            Phase::Waiting { .. } => self.not_run(&format!("withdrawn: {reason}")),
            // Whoever of runner and agent is at the record first is obeyed.
            Phase::Running { .. } => self.settle(),
        }
    }

    /// Nothing begins, no further step begins, until it is lifted.
    pub fn freeze(&mut self, frozen: bool) -> Vec<Act> {
        self.frozen = frozen;
        match &mut self.current {
            Some(Current { phase: Phase::Running { slot, .. }, .. }) => {
                let told = Record::open(&self.pool.dir, *slot).and_then(|record| record.set_frozen(frozen));
                if let Err(error) = told {
                    tracing::error!(%error, "the runner cannot be told of the freeze");
                }
                Vec::new()
            }
            Some(Current { phase: Phase::Waiting { asks, .. }, .. }) => {
                asks.clear();
                self.ask()
            }
            _ => Vec::new(),
        }
    }

    /// The server has a result.
    pub fn acked(&mut self, ack: &ResultAck) {
        let Some(at) = self.unacked.iter().position(|u| (u.job, u.fence) == (ack.job, ack.fence)) else { return };
        let Unacked { slot, fence, .. } = self.unacked.remove(at);
        if let Err(error) = self.pool.release(slot).and_then(|()| self.append(&Entry::Acked { fence })) {
            tracing::error!(%error, "an ack cannot be written down; the result will be sent again");
        }
    }

    /// The runner of the job with `fence`, a child of this process, has ended.
    pub fn runner_ended(&mut self, fence: i64) -> Vec<Act> {
        match &mut self.current {
            Some(Current { fence: current, phase: Phase::Running { child, .. }, .. }) if *current == fence => {
                if let Some(mut child) = child.take() {
                    let _ = child.wait();
                    self.hear(&mut child);
                }
                self.settle()
            }
            _ => Vec::new(),
        }
    }

    /// Called each second.
    pub fn tick(&mut self) -> Vec<Act> {
        self.leftover.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        let now = self.host.clock.now();
        let Some(current) = &self.current else { return Vec::new() };
        match &current.phase {
            Phase::Checking { .. } => Vec::new(),
            Phase::Waiting { .. } if now >= current.deadline => {
                self.not_run("the envelope's time to live was over before the permit came")
            }
            Phase::Waiting { asks, .. } => match asks.back() {
                Some(last) if now.saturating_sub(*last) >= PERMIT_ANSWER => self.ask(),
                _ => Vec::new(),
            },
            // A living child is on its way to the lock: taking it now would abort the run for no reason.
            Phase::Running { child: Some(_), asked, .. } if now.saturating_sub(*asked) < NEVER_BEGAN => Vec::new(),
            Phase::Running { .. } => self.settle(),
        }
    }

    /// A job that was leased anew before it started. Its slot is free: nothing was begun, nothing is told.
    fn abandon(&mut self, current: &Current) {
        let Phase::Waiting { slot, .. } = &current.phase else { return };
        tracing::info!(fence = current.fence, "a job was leased anew");
        self.pool.forget(*slot);
        if let Err(error) = self.append(&Entry::Aborted { fence: current.fence }) {
            tracing::error!(%error, "an abandoned job cannot be written down");
        }
    }

    fn refuse(&mut self, job: JobKey, fence: i64, refusal: Refusal, reading: Option<Reading>) -> Vec<Act> {
        let Refusal { reason, detail } = refusal;
        tracing::info!(fence, ?reason, detail, "a job was refused");
        // What is not ours is not journaled: a stranger must not turn the ring over.
        let ours = !matches!(reason, RefusedReason::Signature | RefusedReason::Foreign | RefusedReason::Stale);
        if ours && self.journal.is_some() && self.current.is_none() {
            let _ = self.append(&Entry::Refused { job, fence, reason });
        }
        let refused = Refused { job, fence, reason, detail, reading };
        if reason != RefusedReason::Unable {
            self.refused = Some(refused.clone());
        }
        vec![Act::Send(Up::Refused(refused))]
    }

    fn append(&mut self, entry: &Entry) -> Result<(), record::Error> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.append(entry).map_err(|error| record::Error::Io(std::io::Error::other(error)))?;
        self.state = JournalState::Sound;
        Ok(())
    }
}
