//! What is looked at before anything is written: the triggering check again, and the services that the fix names.

use std::time::Duration;

use wire::v1::{Purpose, RefusedReason, Seen, Value};

use super::admission::{Admitted, Refusal};
use super::{Act, Current, Jobs, Phase};
use crate::outbox::Looked;
use crate::service::{Look, stopped_on_purpose};

impl Jobs {
    /// An admitted job is taken, in place of one that the server leased anew.
    pub(super) fn accept(&mut self, admitted: Admitted, received: Duration) -> Vec<Act> {
        let Admitted { envelope, digest, steps, services } = admitted;
        let (job, fence) = (envelope.job, envelope.fence);
        let unable = |detail: &str| Refusal { reason: RefusedReason::Unable, detail: detail.to_owned() };
        if self.journal.is_none() {
            return self.refuse(job, fence, unable("the agent's journal is missing or damaged"), None);
        }
        match self.current.take() {
            Some(current) if matches!(current.phase, Phase::Running { .. }) => {
                self.current = Some(current);
                return self.refuse(job, fence, unable("another job is under way"), None);
            }
            // The server leased anew: what it had not started before is over.
            Some(current) => self.abandon(&current),
            None => {}
        }
        if self.pool.free().is_none() {
            let refusal = unable("the results of earlier jobs are not acked; there is no room for another");
            return self.refuse(job, fence, refusal, None);
        }
        let look = Act::Look { check_id: envelope.check_id, target: envelope.target.clone(), fence };
        let (purpose, server_looked) = (envelope.job.purpose, envelope.server_looked);
        let deadline = received.saturating_add(Duration::from_secs(envelope.ttl_secs));
        let phase = Phase::Checking { envelope: Box::new(envelope), steps, services };
        self.current = Some(Current { job, fence, digest, deadline, phase });
        match purpose {
            Purpose::Fix if !server_looked => vec![look],
            // The trigger is the server's own check, and it has looked.
            Purpose::Fix => self.look_at_services(),
            // Undo and diagnostics have no trigger that could have gone away.
            Purpose::Undo | Purpose::Diagnostics => self.intend(),
        }
    }

    /// The triggering check of the job with `fence` was looked at again; `recovered`: whether it is ok again, if that
    /// can be told.
    pub fn looked(&mut self, fence: i64, looked: &Looked, recovered: Option<bool>) -> Vec<Act> {
        let Some(job) = self.checked(fence) else { return Vec::new() };
        let refusal = match (&looked.seen, recovered) {
            (Seen::NoData { why }, _) => Some((RefusedReason::NoData, why.clone())),
            (Seen::Data(_), None) => {
                Some((RefusedReason::NoData, "the agent does not know when the check has recovered".to_owned()))
            }
            (Seen::Data(_), Some(true)) => {
                Some((RefusedReason::Recovered, "the check finds nothing to be fixed any more".to_owned()))
            }
            (Seen::Data(readings), Some(false)) => {
                if let Some(Current { phase: Phase::Checking { services, .. }, .. }) = &mut self.current
                    && readings.get("state").is_some_and(|state| matches!(state, Value::Text(_)))
                {
                    // This look was at that very service, and did not find it stopped.
                    services.retain(|service| *service != looked.target);
                }
                None
            }
        };
        let Some((reason, detail)) = refusal else { return self.look_at_services() };
        self.current = None;
        let reading = looked.reading(self.host.clock.now());
        self.refuse(job, fence, Refusal { reason, detail }, Some(reading))
    }

    /// The services that the fix of the job with `fence` names were looked at.
    pub fn services_looked(&mut self, fence: i64, looks: &[(String, Look)]) -> Vec<Act> {
        let Some(job) = self.checked(fence) else { return Vec::new() };
        let Some(detail) = stopped_on_purpose(looks) else { return self.intend() };
        self.current = None;
        self.refuse(job, fence, Refusal { reason: RefusedReason::Precondition, detail }, None)
    }

    /// A fix that some other check raised must not start what a person has stopped.
    fn look_at_services(&mut self) -> Vec<Act> {
        let Some(Current { fence, phase: Phase::Checking { services, .. }, .. }) = &self.current else {
            return Vec::new();
        };
        let declared = &self.host.limits.services;
        let services: Vec<_> =
            services.iter().filter_map(|name| Some((name.clone(), declared.get(name)?.clone()))).collect();
        if services.is_empty() {
            return self.intend();
        }
        vec![Act::LookAtServices { services, fence: *fence }]
    }

    /// The job with `fence`, if it is the one that is being looked at.
    fn checked(&self, fence: i64) -> Option<wire::v1::JobKey> {
        let current = self.current.as_ref().filter(|current| current.fence == fence)?;
        matches!(current.phase, Phase::Checking { .. }).then_some(current.job)
    }
}
