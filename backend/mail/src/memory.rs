//! Mail that goes nowhere: tests read it, and say what the next attempts meet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Envelope, SendError, Sent};

#[derive(Debug, Default)]
struct State {
    sent: Vec<Envelope>,
    failures: VecDeque<SendError>,
}

/// Clones share what was sent.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<State>>);

impl Memory {
    /// Every mail that was taken, in order; one in doubt counts as taken.
    pub fn sent(&self) -> Vec<Envelope> {
        self.state().sent.clone()
    }

    /// The next attempt meets this; several are met in turn.
    pub fn fail_next(&self, failure: SendError) {
        self.state().failures.push_back(failure);
    }

    pub(crate) fn send(&self, envelope: &Envelope) -> Result<Sent, SendError> {
        let mut state = self.state();
        let failure = state.failures.pop_front();
        if matches!(failure, None | Some(SendError::InDoubt { .. })) {
            state.sent.push(envelope.clone());
        }
        failure.map_or_else(|| Ok(Sent { answer: "kept in memory".to_owned() }), Err)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
