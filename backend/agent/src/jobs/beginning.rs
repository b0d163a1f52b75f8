//! How a job begins: `INTENT`, the permit, `STARTED`, the runner, each on disk before the next.

use std::collections::VecDeque;
use std::process::Child;
use std::time::Duration;

use runner::crash::{Point, reach};
use runner::record::{self, Record};
use wire::v1::{JobKey, RefusedReason, Start, Up, constants};

use super::admission::Refusal;
use super::{Act, Current, Jobs, Phase, launch};
use crate::journal::Entry;
use crate::service::systemd::act;

/// An answer that took longer than this is asked for again.
pub(super) const PERMIT_ANSWER: Duration = Duration::from_secs(constants::PERMIT_ANSWER_SECS);

/// What is told of a run that is where its agent is, before the reason.
const UNSCOPED: &str = "a run has no scope of its own and goes on in the agent's unit";

impl Jobs {
    /// Writes order and `INTENT`, and asks for the permit.
    pub(super) fn intend(&mut self) -> Vec<Act> {
        let Some(mut current) = self.current.take() else { return Vec::new() };
        let Phase::Checking { envelope, steps, .. } = &current.phase else {
            self.current = Some(current);
            return Vec::new();
        };
        let (job, fence) = (current.job, current.fence);
        if self.host.clock.now() >= current.deadline {
            let detail = "the envelope's time to live was over after the check".to_owned();
            return self.refuse(job, fence, Refusal { reason: RefusedReason::Stale, detail }, None);
        }
        let (boot_id, confinement) = (self.host.boot_id, &self.host.confinement);
        let order = launch::order(envelope, steps.clone(), boot_id, &current.digest, current.deadline, confinement);
        let written = self.pool.write_order(&order).and_then(|slot| {
            let digest = current.digest.clone();
            self.append(&Entry::Intent { job, fence, digest, slot })?;
            Ok(slot)
        });
        match written {
            Ok(slot) => {
                reach(Point::AfterIntent);
                current.phase = Phase::Waiting { slot, asks: VecDeque::new() };
                self.current = Some(current);
                self.ask()
            }
            Err(error) => {
                tracing::error!(%error, "the job cannot be written down");
                let detail = format!("the agent cannot write the job down: {}", crate::link::chain(&error));
                self.refuse(job, fence, Refusal { reason: RefusedReason::Unable, detail }, None)
            }
        }
    }

    pub(super) fn ask(&mut self) -> Vec<Act> {
        let now = self.host.clock.now();
        let Some(Current { job, fence, digest, phase: Phase::Waiting { asks, .. }, .. }) = &mut self.current else {
            return Vec::new();
        };
        if self.frozen {
            return Vec::new();
        }
        asks.push_back(now);
        vec![Act::Send(Up::Start(Start { job: *job, fence: *fence, digest: digest.clone() }))]
    }

    /// The job may begin.
    pub fn permit(&mut self, job: JobKey, fence: i64) -> Vec<Act> {
        let now = self.host.clock.now();
        let Some(current) = self.current.as_mut().filter(|c| (c.job, c.fence) == (job, fence)) else {
            return Vec::new();
        };
        let Phase::Waiting { slot, asks } = &mut current.phase else { return Vec::new() };
        let slot = *slot;
        // Answers come in the order of the questions: this one is to the oldest.
        let Some(asked) = asks.pop_front() else { return Vec::new() };
        if self.frozen {
            return Vec::new();
        }
        if now >= current.deadline {
            return self.not_run("the envelope's time to live was over when the permit came");
        }
        if now.saturating_sub(asked) >= PERMIT_ANSWER {
            return if asks.is_empty() { self.ask() } else { Vec::new() };
        }
        match self.begin(slot, fence, asked) {
            Ok(act) => vec![act],
            Err(error) => {
                tracing::error!(error = crate::link::chain(&error), "the runner cannot be started");
                let phase = Phase::Running { slot, asked, child: None };
                if let Some(current) = &mut self.current {
                    current.phase = phase;
                }
                self.settle()
            }
        }
    }

    /// Writes `STARTED` and spawns the runner.
    pub(super) fn begin(&mut self, slot: u16, fence: i64, asked: Duration) -> Result<Act, record::Error> {
        let record = Record::open(&self.pool.dir, slot)?;
        record.set_permit_asked(asked)?;
        let now = self.host.clock.now();
        self.append(&Entry::Started { fence, boot: self.host.boot_id, at_secs: now.as_secs() })?;
        self.rate.note(now);
        reach(Point::AfterStarted);
        let current = self.current.as_ref();
        let scope = self.host.scopes.as_ref().zip(current).map(|(scopes, current)| scopes.of_job(&current.job));
        let child = launch::spawn(&self.host.program, &self.pool.dir, slot, fence, scope.as_ref())?;
        let pid = i32::try_from(child.id()).unwrap_or(0);
        if let Some(current) = &mut self.current {
            current.phase = Phase::Running { slot, asked, child: Some(child) };
        }
        tracing::info!(fence, pid, "a run begins");
        Ok(Act::Watch { pid, fence })
    }

    /// Hears from the runner whether it had a scope of its own. What keeps it from one is said once, until it changes.
    pub(super) fn hear(&mut self, runner: &mut Child) {
        let Some(why) = launch::unscoped(runner) else { return };
        let why = (!why.is_empty()).then(|| format!("{UNSCOPED}: {why}"));
        if let Some(why) = why.as_ref().filter(|why| self.unscoped.as_ref() != Some(*why)) {
            tracing::warn!("{why}");
        }
        self.unscoped = why;
    }

    /// The units of systemd that the steps which run now act on, as their order says.
    pub fn units(&self) -> Vec<String> {
        let Some(Current { phase: Phase::Running { slot, .. }, .. }) = &self.current else { return Vec::new() };
        let order = Record::open(&self.pool.dir, *slot).and_then(|record| record.order()).ok().flatten();
        let steps = order.into_iter().flat_map(|order| order.steps);
        steps.filter_map(|step| act::unit_of(&step.argv).map(str::to_owned)).collect()
    }
}
