//! The evaluators of one host: readings in, stored changes and signals out.

use std::collections::HashMap;

use domain::detect::{Check, Event, Seen, State, evaluate};
use jiff::Timestamp;
use store::detect::check_requests;
use store::detect::check_states::Subject;
use store::detect::evaluations::{self, Behind};
use store::{Store, TenantScope, host_links};
use tokio::time::Duration;
use uuid::Uuid;
use wire::v1::{CheckSpec, Reading};

use crate::convert;
use crate::socket::End;

/// One check on one target.
struct Watch {
    check: Check,
    state: State,
    /// When to evaluate again without an observation.
    timer: Option<Timestamp>,
    /// The newest stored look.
    observation: Option<Uuid>,
}

/// All of a host.
pub struct Watches {
    client_id: Uuid,
    host_id: Uuid,
    epoch: i64,
    booted_at: Timestamp,
    watches: HashMap<(Uuid, String), Watch>,
}

/// Something to evaluate.
pub struct Look {
    key: (Uuid, String),
    /// `None`: a timer.
    seen: Option<Seen>,
    age: Duration,
    request_id: Option<Uuid>,
}

impl Look {
    /// A reading, and the question it answers.
    pub fn of(reading: Reading, request_id: Option<Uuid>) -> Look {
        Look {
            key: (reading.check_id, reading.target),
            seen: Some(convert::seen(reading.seen)),
            age: Duration::from_millis(reading.age_ms.min(86_400_000)),
            request_id,
        }
    }
}

impl Watches {
    /// The checks that select a host, with their stored states.
    pub fn new(
        (client_id, host_id, epoch): (Uuid, Uuid, i64),
        booted_at: Timestamp,
        checks: Vec<(Uuid, Check)>,
        mut states: HashMap<(Uuid, String), State>,
        now: Timestamp,
    ) -> Watches {
        let watches = checks
            .into_iter()
            .map(|(id, check)| {
                let key = (id, check.target.clone());
                let state = states.remove(&key).unwrap_or_else(|| State::unseen(now));
                (key, Watch { check, state, timer: None, observation: None })
            })
            .collect();
        Watches { client_id, host_id, epoch, booted_at, watches }
    }

    /// Other checks, or the same, from now on. One that did not change goes on undisturbed, its hold time included; what is
    /// known of the others is judged anew at once.
    pub fn configure(&mut self, fresh: Watches, now: Timestamp) {
        let mut before = std::mem::replace(&mut self.watches, fresh.watches);
        for (key, watch) in &mut self.watches {
            match before.remove(key) {
                Some(old) if old.check == watch.check => *watch = old,
                Some(_) => watch.timer = Some(now),
                None => {}
            }
        }
    }

    /// When the host booted.
    pub fn booted_at(&self) -> Timestamp {
        self.booted_at
    }

    /// As the agent is told.
    pub fn specs(&self) -> Vec<CheckSpec> {
        let mut specs: Vec<_> = self
            .watches
            .iter()
            .filter_map(|(key, w)| Some((key, w, convert::kind(w.check.kind)?)))
            .map(|((check_id, target), w, kind)| CheckSpec {
                check_id: *check_id,
                kind,
                target: target.clone(),
                interval_secs: w.check.interval_secs.into(),
                limit_ms: w.check.limit_ms.into(),
                ok_when: w.check.ok_when.iter().map(convert::comparison).collect(),
                bad_when: [&w.check.critical_when, &w.check.warning_when]
                    .into_iter()
                    .filter(|list| w.check.ok_when.is_empty() && !list.is_empty())
                    .map(|list| list.iter().map(convert::comparison).collect())
                    .collect(),
            })
            .collect();
        specs.sort_by(|a, b| (a.check_id, &a.target).cmp(&(b.check_id, &b.target)));
        specs
    }

    /// The earliest timer.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.watches.values().filter_map(|w| w.timer).min()
    }

    /// What is due at `at` without an observation.
    pub fn due(&self, at: Timestamp) -> Vec<Look> {
        let due = self.watches.iter().filter(|(_, w)| w.timer.is_some_and(|timer| timer <= at));
        due.map(|(key, _)| Look { key: key.clone(), seen: None, age: Duration::ZERO, request_id: None }).collect()
    }

    /// What this look of the host says now, and of what; nothing for a target it is not asked about.
    pub fn judge(&self, reading: &Reading, at: Timestamp) -> Option<(Subject, Seen, domain::detect::Verdict)> {
        let watch = self.watches.get(&(reading.check_id, reading.target.clone()))?;
        let seen = convert::seen(reading.seen.clone());
        let look = evaluate(&watch.check, &watch.state, Event::Observed(&seen), at, Some(self.booted_at)).look;
        Some((self.subject(&(reading.check_id, reading.target.clone())), seen, look))
    }

    fn subject(&self, key: &(Uuid, String)) -> Subject {
        Subject { client_id: self.client_id, host_id: self.host_id, check_id: key.0, target: key.1.clone() }
    }

    /// Evaluates `looks` at `at` (the link's monotonic time) and commits what changed, in one transaction. An error
    /// leaves this value behind what is stored: end the link.
    pub async fn take(
        &mut self,
        store: &Store,
        scope: &TenantScope,
        looks: Vec<Look>,
        at: Timestamp,
    ) -> Result<(), End> {
        let mut changes = Vec::new();
        for look in looks {
            let Some(watch) = self.watches.get_mut(&look.key) else { continue }; // a check that is no more
            let event = look.seen.as_ref().map_or(Event::Timer, Event::Observed);
            let mut evaluation = evaluate(&watch.check, &watch.state, event, at, Some(self.booted_at));
            if evaluation.changed {
                evaluation.state.version += 1;
            }
            watch.state = evaluation.state.clone();
            watch.timer = evaluation.next_timer;
            if evaluation.changed || look.request_id.is_some() {
                changes.push((look, evaluation));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let mut tx = store.begin(scope).await?;
        if !host_links::holds(&mut tx, self.host_id, self.epoch).await? {
            return Err(replaced());
        }
        let now = tx.now().await?;
        for (look, evaluation) in changes {
            let subject = self.subject(&look.key);
            let Some(watch) = self.watches.get_mut(&look.key) else { continue };
            let request_id = match look.request_id {
                Some(id) if check_requests::mark_answered(&mut tx, &subject, id).await? => Some(id),
                _ => None,
            };
            if !evaluation.changed && request_id.is_none() {
                continue; // an answer nobody waits for any more
            }
            let behind = match watch.observation.filter(|_| look.seen.is_none()) {
                Some(id) => Behind::Stored(id),
                None => Behind::Look { observed_at: now - look.age, request_id },
            };
            watch.observation = Some(evaluations::save(&mut tx, &subject, &evaluation, behind).await?);
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The end of a link that is not the newest any more.
pub fn replaced() -> End {
    End::close(wire::v1::close::REPLACED, "a newer link of this host took over")
}
