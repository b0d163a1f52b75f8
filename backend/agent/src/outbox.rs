//! What goes up: readings that are kept until acked, and messages that matter on this link only.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;
use wire::v1::{Observed, Reading, Seen, ServiceState, Up};

use crate::collect::Collected;

/// The most readings that are kept. They are levels: when there are more, the oldest say nothing new.
const KEPT: usize = 1024;
/// The most messages that wait to be sent on this link.
const WAITING: usize = 256;
/// The most reports that wait for a link: at the usual interval, ten minutes of them.
const REPORTS: usize = 60;

/// A reading and when it was made, on the boot-time clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// The check.
    pub check_id: Uuid,
    /// What it looked at.
    pub target: String,
    /// What was seen.
    pub seen: Seen,
    /// When.
    pub at: Duration,
}

impl Looked {
    /// As it is sent at `now`.
    pub fn reading(&self, now: Duration) -> Reading {
        let age = now.saturating_sub(self.at).as_millis();
        Reading {
            check_id: self.check_id,
            target: self.target.clone(),
            age_ms: u64::try_from(age).unwrap_or(u64::MAX),
            seen: self.seen.clone(),
        }
    }
}

struct Kept {
    seq: u64,
    looked: Looked,
    request_id: Option<Uuid>,
}

/// What goes up.
#[derive(Default)]
pub struct Outbox {
    last_seq: u64,
    sent_seq: u64,
    kept: VecDeque<Kept>,
    direct: VecDeque<Up>,
    reports: VecDeque<(Collected, Vec<ServiceState>)>,
}

impl Outbox {
    /// Keeps a reading until it is acked.
    pub fn observe(&mut self, looked: Looked, request_id: Option<Uuid>) {
        self.last_seq += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { seq: self.last_seq, looked, request_id });
    }

    /// Sends `up` on this link, if it lasts.
    pub fn direct(&mut self, up: Up) {
        if self.direct.len() == WAITING {
            self.direct.pop_front();
        }
        self.direct.push_back(up);
    }

    /// Sends metrics when there is a link; while there is none the oldest are dropped.
    pub fn report(&mut self, collected: Collected, services: Vec<ServiceState>) {
        if self.reports.len() == REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back((collected, services));
    }

    /// Drops the readings up to and including `seq`.
    pub fn ack(&mut self, seq: u64) {
        while self.kept.front().is_some_and(|kept| kept.seq <= seq) {
            self.kept.pop_front();
        }
    }

    /// A new link: everything that is not acked is sent again, nothing that was meant for the old one.
    pub fn relink(&mut self) {
        self.sent_seq = 0;
        self.direct.clear();
    }

    /// The next message to send, at `now`: what somebody waits for first, metrics last.
    pub fn next(&mut self, now: Duration) -> Option<Up> {
        if let Some(up) = self.direct.pop_front() {
            return Some(up);
        }
        if let Some(kept) = self.kept.iter().find(|kept| kept.seq > self.sent_seq) {
            self.sent_seq = kept.seq;
            let reading = kept.looked.reading(now);
            return Some(Up::Observed(Observed { seq: kept.seq, reading, request_id: kept.request_id }));
        }
        let (collected, services) = self.reports.pop_front()?;
        let mut report = collected.report(now);
        report.services = services;
        Some(Up::Report(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(target: &str) -> Looked {
        let seen = Seen::NoData { why: String::new() };
        Looked { check_id: Uuid::nil(), target: target.into(), seen, at: Duration::from_secs(1) }
    }

    fn sent(outbox: &mut Outbox) -> Vec<u64> {
        std::iter::from_fn(|| outbox.next(Duration::from_secs(3)))
            .map(|up| match up {
                Up::Observed(observed) => {
                    assert_eq!(observed.reading.age_ms, 2000);
                    observed.seq
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn readings_are_sent_once_a_link_until_they_are_acked() {
        let mut outbox = Outbox::default();
        outbox.observe(looked("a"), None);
        outbox.observe(looked("b"), None);
        assert_eq!(sent(&mut outbox), [1, 2]);
        assert!(sent(&mut outbox).is_empty());
        outbox.relink();
        outbox.ack(1);
        outbox.observe(looked("c"), None);
        assert_eq!(sent(&mut outbox), [2, 3]);
    }

    #[test]
    fn reports_come_last_and_while_there_is_no_link_the_oldest_are_dropped() {
        let mut outbox = Outbox::default();
        for second in 0..REPORTS as u64 + 5 {
            outbox.report(Collected { at: Duration::from_secs(second), ..Collected::default() }, Vec::new());
        }
        outbox.relink();
        outbox.observe(looked("a"), None);
        let now = Duration::from_secs(REPORTS as u64 + 5);
        assert!(matches!(outbox.next(now), Some(Up::Observed(_))));
        let ages: Vec<u64> = std::iter::from_fn(|| outbox.next(now))
            .map(|up| match up {
                Up::Report(report) => report.age_ms / 1000,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((ages.len(), ages[0], ages[REPORTS - 1]), (REPORTS, 60, 1));
    }

    #[test]
    fn the_ring_is_bounded_and_drops_the_oldest() {
        let mut outbox = Outbox::default();
        for _ in 0..KEPT + 5 {
            outbox.observe(looked("a"), None);
        }
        let sent = sent(&mut outbox);
        assert_eq!((sent.len(), sent[0]), (KEPT, 6));
    }
}
