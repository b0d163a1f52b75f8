//! How a job ends: its outcome is signed, kept in its record, told, and sent until acked.

use runner::crash::{Point, reach};
use runner::record::{self, Order, Record};
use wire::v1::{JobKey, Up};

use super::settle::{self, Outcome, Settled};
use super::{Act, Current, Jobs, Notes, Phase, Unacked};
use crate::journal::Entry;

impl Jobs {
    /// Ends the running job if its record says that it is over.
    pub(super) fn settle(&mut self) -> Vec<Act> {
        let Some(Current { job, fence, phase: Phase::Running { slot, .. }, .. }) = &self.current else {
            return Vec::new();
        };
        let (job, fence, slot) = (*job, *fence, *slot);
        match settle::settle(&self.pool.dir, slot, fence, self.host.clock.now()) {
            Ok(Settled::Lives) => Vec::new(),
            Ok(Settled::Over(outcome)) => self.over(slot, job, outcome),
            Err(error) => {
                tracing::error!(error = crate::link::chain(&error), "the run's record cannot be read; trying again");
                Vec::new()
            }
        }
    }

    /// Ends the waiting job as not run.
    pub(super) fn not_run(&mut self, why: &str) -> Vec<Act> {
        match &self.current {
            Some(Current { job, phase: Phase::Waiting { slot, .. }, .. }) => {
                let (slot, job) = (*slot, *job);
                self.over(slot, job, Outcome::not_run(why))
            }
            _ => Vec::new(),
        }
    }

    /// Keeps and sends the result of the job in `slot`; it stays the current one if it cannot be kept.
    pub(super) fn over(&mut self, slot: u16, job: JobKey, outcome: Outcome) -> Vec<Act> {
        let read = Record::open(&self.pool.dir, slot).and_then(|record| record.order());
        let kept = read.and_then(|order| {
            let order = order.ok_or(record::Error::Damaged)?;
            let notes = serde_json::from_value(order.notes.clone())?;
            self.finish(slot, job, &order, &notes, outcome)
        });
        match kept {
            Ok(act) => {
                let current = self.current.take();
                if let Some(Current { phase: Phase::Running { child: Some(mut child), .. }, .. }) = current {
                    self.hear(&mut child);
                    self.leftover.push(child);
                }
                act.into_iter().collect()
            }
            Err(error) => {
                tracing::error!(error = crate::link::chain(&error), "a result cannot be kept; trying again");
                Vec::new()
            }
        }
    }

    pub(super) fn finish(
        &mut self,
        slot: u16,
        job: JobKey,
        order: &Order,
        notes: &Notes,
        outcome: Outcome,
    ) -> Result<Option<Act>, record::Error> {
        let fence = order.fence;
        tracing::info!(fence, ended = ?outcome.ended, "a job ended");
        let ids = (self.host.identity.host_id, job, notes.digest.as_str());
        settle::keep(&self.pool.dir, slot, order, ids, outcome, &self.host.key)?;
        if self.journal.is_some() {
            self.append(&Entry::Finished { fence })?;
        }
        reach(Point::AfterFinished);
        self.unacked.push(Unacked { slot, job, fence });
        Ok(self.unacked.last().and_then(|unacked| self.send(unacked)))
    }

    pub(super) fn send(&self, unacked: &Unacked) -> Option<Act> {
        match settle::load(&self.pool.dir, unacked.slot) {
            Ok(result) => result.map(|result| Act::Send(Up::Result(result))),
            Err(error) => {
                tracing::error!(error = crate::link::chain(&error), "a kept result cannot be read");
                None
            }
        }
    }
}
