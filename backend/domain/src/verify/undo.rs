//! Whether an undo worked: what was ok before the fix is ok again. The triggering check was bad before it, and may stay so.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::judge::{Look, Neighbour, Outcome};
use crate::detect::Verdict;

/// What fresh data say of the state before the fix: `Ok` when it is back.
///
/// `own` is the look at the triggering check: any answer will do, for a host that gives none cannot be judged.
pub fn restored(exited_ok: bool, own: Look, neighbours: &[Neighbour]) -> Look {
    match own {
        Look::Unanswered | Look::NoData => own,
        _ if !exited_ok => Look::Bad,
        _ if neighbours.iter().any(|n| matches!(n.after, Some(Verdict::Warning | Verdict::Critical))) => Look::Bad,
        _ if neighbours.iter().any(|n| n.after != Some(Verdict::Ok)) => Look::NoData,
        _ => Look::Ok,
    }
}

/// Whether a judged run is undone: its playbook declares how, and it is certain that the fix ran and did not help, or did harm.
pub fn wants_undo(outcome: Outcome, declared: bool, was_in_doubt: bool, recovered: bool) -> bool {
    declared
        && !was_in_doubt
        && match outcome {
            Outcome::MadeWorse => true,
            Outcome::NotFixed => !recovered,
            Outcome::Fixed | Outcome::CannotTell => false,
        }
}

/// The stored record of an undo's verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoRecord {
    /// When.
    pub at: Timestamp,
    /// Its last step ended with 0.
    pub exited_ok: bool,
    /// The checks that were ok before the fix, as they are after the undo.
    pub neighbours: Vec<Neighbour>,
    /// Whether what was ok before the fix is ok again.
    pub undone: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(after: Option<Verdict>) -> Neighbour {
        Neighbour { check: "till".into(), target: "till".into(), after, seen: None }
    }

    #[test]
    fn an_undo_is_good_when_all_that_was_ok_before_is_ok_again_and_the_host_says_so() {
        let ok = [neighbour(Some(Verdict::Ok))];
        assert_eq!(restored(true, Look::Bad, &ok), Look::Ok);
        assert_eq!(restored(true, Look::Bad, &[]), Look::Ok);
        assert_eq!(restored(false, Look::Ok, &ok), Look::Bad, "its own step failed");
        assert_eq!(restored(true, Look::Unanswered, &ok), Look::Unanswered);
        assert_eq!(restored(true, Look::Bad, &[neighbour(Some(Verdict::Critical))]), Look::Bad);
        assert_eq!(restored(true, Look::Bad, &[neighbour(None)]), Look::NoData, "no data is not good data");
    }

    #[test]
    fn whether_a_run_is_undone_depends_on_evidence_and_on_the_playbook() {
        let wanted = |outcome, declared| wants_undo(outcome, declared, false, false);
        assert!(wanted(Outcome::NotFixed, true) && wanted(Outcome::MadeWorse, true));
        assert!(!wanted(Outcome::NotFixed, false) && !wanted(Outcome::Fixed, true));
        assert!(!wanted(Outcome::CannotTell, true), "what is not known is not undone");
        assert!(!wants_undo(Outcome::NotFixed, true, true, false), "in doubt");
        assert!(!wants_undo(Outcome::NotFixed, true, false, true), "it is ok again meanwhile");
        assert!(wants_undo(Outcome::MadeWorse, true, false, true));
    }
}
