//! A run's states, and every edge between them with its cause: the one table from which SQL, page and test are made.

use State::*;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the words are the vocabulary's")]
pub enum State {
    Planned,
    Held,
    AwaitingApproval,
    Observed,
    Admitted,
    Running,
    Unknown,
    Verifying,
    Fixed,
    NotFixed,
    CannotTell,
    MadeWorse,
    Undoing,
    Undone,
    UndoFailed,
    Refused,
    NotRun,
    Denied,
    Expired,
    Cancelled,
}

impl State {
    /// All states with their stored words.
    pub const ALL: [(State, &'static str); 20] = [
        (Planned, "planned"),
        (Held, "held"),
        (AwaitingApproval, "awaiting_approval"),
        (Observed, "observed"),
        (Admitted, "admitted"),
        (Running, "running"),
        (Unknown, "unknown"),
        (Verifying, "verifying"),
        (Fixed, "fixed"),
        (NotFixed, "not_fixed"),
        (CannotTell, "cannot_tell"),
        (MadeWorse, "made_worse"),
        (Undoing, "undoing"),
        (Undone, "undone"),
        (UndoFailed, "undo_failed"),
        (Refused, "refused"),
        (NotRun, "not_run"),
        (Denied, "denied"),
        (Expired, "expired"),
        (Cancelled, "cancelled"),
    ];

    /// The stored word.
    pub fn word(self) -> &'static str {
        State::ALL.iter().find(|(s, _)| *s == self).map_or("planned", |(_, w)| w)
    }

    /// The state of a stored word.
    pub fn parse(word: &str) -> Option<State> {
        State::ALL.iter().find(|(_, w)| *w == word).map(|(s, _)| *s)
    }

    /// Whether the run has ended here (`not_fixed` and `made_worse` may still go on to an undo).
    pub fn is_end(self) -> bool {
        matches!(
            self,
            Observed
                | Denied
                | Expired
                | Cancelled
                | Refused
                | NotRun
                | Fixed
                | NotFixed
                | CannotTell
                | MadeWorse
                | Undone
                | UndoFailed
        )
    }

    /// Whether an end here hands the incident to a person.
    pub fn escalates(self) -> bool {
        self.is_end() && !matches!(self, Observed | Fixed | Cancelled | Denied)
    }
}

/// Every edge, with the causes that may take it.
pub const EDGES: &[(State, State, &str)] = &[
    (Planned, Held, "a guardrail holds it"),
    (Planned, AwaitingApproval, "its mapping asks first"),
    (Planned, Observed, "its mapping only watches"),
    (Planned, Admitted, "all guardrails allow it"),
    (Planned, Expired, "it waited too long"),
    (Planned, Cancelled, "the alert cleared"),
    (Held, Planned, "the hold is over"),
    (Held, Expired, "it waited too long"),
    (Held, Cancelled, "the alert cleared"),
    (AwaitingApproval, Planned, "a member said yes"),
    (AwaitingApproval, Denied, "a member said no"),
    (AwaitingApproval, Expired, "nobody answered"),
    (AwaitingApproval, Cancelled, "the alert cleared"),
    (Admitted, Running, "the permit was given"),
    (Admitted, Refused, "the host refused it"),
    (Admitted, Held, "something forbids it since"),
    (Admitted, Expired, "the host never asked for it"),
    (Admitted, Cancelled, "recovered by itself"),
    (Running, Verifying, "the job ended"),
    (Running, Unknown, "it is in doubt whether it ran"),
    (Running, Planned, "nothing was executed"),
    (Running, NotRun, "nothing was executed for the third time"),
    (Unknown, Verifying, "a late result, a host that is done with it, or a person's word"),
    (Unknown, NotRun, "a person said that it did not run"),
    (Verifying, Fixed, "the check is ok and stays ok"),
    (Verifying, NotFixed, "the check is still bad"),
    (Verifying, CannotTell, "the check gave no answer"),
    (Verifying, MadeWorse, "another check turned critical"),
    (NotFixed, Undoing, "the playbook declares an undo"),
    (MadeWorse, Undoing, "the playbook declares an undo"),
    (Undoing, Undone, "the undo was verified"),
    (Undoing, UndoFailed, "the undo was not verified"),
];

/// Whether a run may go from `from` to `to`.
pub fn may_go(from: State, to: State) -> bool {
    EDGES.iter().any(|(f, t, _)| *f == from && *t == to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_but_the_first_is_reached_and_every_living_state_is_left() {
        for (state, word) in State::ALL {
            assert_eq!(State::parse(word), Some(state));
            assert!(state == Planned || EDGES.iter().any(|(_, t, _)| *t == state), "{word} is never reached");
            let left = EDGES.iter().any(|(f, _, _)| *f == state);
            assert!(left || state.is_end(), "{word} is never left");
        }
    }

    #[test]
    fn an_end_is_left_only_for_an_undo() {
        for (from, to, _) in EDGES {
            assert!(!from.is_end() || *to == Undoing);
        }
    }
}
