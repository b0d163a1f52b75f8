//! What an agent that starts does about the jobs of the one before: the last record decides.

use std::collections::VecDeque;
use std::time::Duration;

use runner::record;

use super::pool::{self, Pool, Recovered};
use super::rate::Rate;
use super::settle::{self, Outcome, Settled};
use super::{Current, Host, Jobs, Phase, Unacked};

impl Jobs {
    /// Takes up what journal and records hold.
    ///
    /// # Errors
    /// Journal or records cannot be read or made.
    pub fn recover(host: Host) -> Result<Self, record::Error> {
        let pool::Found { pool, journal, state, starts, recovered } = Pool::open(&host.dir, host.boot_id)?;
        let mut jobs = Self {
            host,
            pool,
            journal,
            state,
            rate: Rate::new(starts.into_iter()),
            current: None,
            unacked: Vec::new(),
            refused: None,
            frozen: false,
            told: None,
            leftover: Vec::new(),
            unscoped: None,
        };
        for (slot, found) in recovered {
            jobs.take_up(slot, found)?;
        }
        Ok(jobs)
    }

    pub(super) fn take_up(&mut self, slot: u16, found: Recovered) -> Result<(), record::Error> {
        let (job, order, notes) = match found {
            Recovered::Finished { job, fence } => {
                self.unacked.push(Unacked { slot, job, fence });
                return Ok(());
            }
            Recovered::Intended { job, order, notes } => {
                if order.boot_id != self.host.boot_id.to_string() {
                    let why = Outcome::not_run("the machine was booted before the permit came");
                    return self.finish(slot, job, &order, &notes, why).map(|_| ());
                }
                self.current = Some(Current {
                    job,
                    fence: order.fence,
                    digest: notes.digest,
                    deadline: Duration::from_nanos(notes.deadline_nanos),
                    phase: Phase::Waiting { slot, asks: VecDeque::new() },
                });
                return Ok(());
            }
            Recovered::Started { job, order, notes } => (job, order, notes),
        };
        match settle::settle(&self.pool.dir, slot, order.fence, self.host.clock.now())? {
            Settled::Over(outcome) => self.finish(slot, job, &order, &notes, outcome).map(|_| ()),
            Settled::Lives => {
                tracing::info!(fence = order.fence, "a runner of an earlier agent lives; attached");
                self.current = Some(Current {
                    job,
                    fence: order.fence,
                    digest: notes.digest,
                    deadline: Duration::from_nanos(notes.deadline_nanos),
                    phase: Phase::Running { slot, asked: Duration::ZERO, child: None },
                });
                Ok(())
            }
        }
    }
}
