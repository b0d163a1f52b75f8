//! The ladder: what follows a rung that did not fix it. A rung is a run of its own, with its own admission and approval.

use serde::{Deserialize, Serialize};

use super::judge::Outcome;
use crate::classify::{Mapping, Mode, Rung};

/// What is known when a rung has been judged.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// How it turned out.
    pub outcome: Outcome,
    /// The rung that was judged, from 1.
    pub rung: i16,
    /// The mode it ran under.
    pub ran_under: Mode,
    /// It was in doubt whether it ran, or how far.
    pub was_in_doubt: bool,
    /// The alert is closed, or its check ok again by its newest signal.
    pub recovered: bool,
    /// The definition of the mapping's version that began the remediation.
    pub mapping: &'a Mapping,
    /// The mapping's mode today; `None`: it is archived.
    pub mode_today: Option<Mode>,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// This rung is planned.
    Climb {
        /// Its number.
        rung: i16,
        /// What it runs.
        what: Rung,
        /// Under the stricter of the mode before and today's.
        mode: Mode,
    },
    /// The ladder ends here.
    End(Why),
}

/// Why a ladder ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is fixed.
    Fixed,
    /// The check is ok again, though not as the rules of a fix want it.
    Recovered,
    /// In doubt, made worse or untold: what is not known is not built upon.
    NotSafe,
    /// The mapping was archived meanwhile.
    Archived,
    /// There is no further rung.
    NoRungLeft,
}

/// Only a plain *not fixed*, with fresh data and nothing in doubt, leads to the next rung.
pub fn next(facts: &Facts<'_>) -> Next {
    match facts.outcome {
        Outcome::Fixed => return Next::End(Why::Fixed),
        Outcome::CannotTell | Outcome::MadeWorse => return Next::End(Why::NotSafe),
        Outcome::NotFixed if facts.was_in_doubt => return Next::End(Why::NotSafe),
        Outcome::NotFixed if facts.recovered => return Next::End(Why::Recovered),
        Outcome::NotFixed => {}
    }
    let Some(today) = facts.mode_today else { return Next::End(Why::Archived) };
    let done = usize::try_from(facts.rung).unwrap_or(usize::MAX);
    match facts.mapping.ladder.get(done) {
        Some(what) => Next::Climb { rung: facts.rung + 1, what: what.clone(), mode: facts.ran_under.min(today) },
        None => Next::End(Why::NoRungLeft),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Verify, When};
    use crate::seconds::Seconds;

    fn mapping() -> Mapping {
        let rung = |playbook: &str| Rung { playbook: playbook.into(), parameters: Default::default(), digest: None };
        Mapping {
            name: "disk".into(),
            when: When::default(),
            ladder: vec![rung("clean"), rung("find-holder")],
            verify: Verify { settle_secs: Seconds::whole(1), stable_secs: Seconds::whole(1) },
        }
    }

    fn facts(mapping: &Mapping) -> Facts<'_> {
        Facts {
            outcome: Outcome::NotFixed,
            rung: 1,
            ran_under: Mode::Auto,
            was_in_doubt: false,
            recovered: false,
            mapping,
            mode_today: Some(Mode::Auto),
        }
    }

    #[test]
    fn not_fixed_climbs_one_rung_and_no_further_than_the_last() {
        let mapping = mapping();
        assert!(
            matches!(next(&facts(&mapping)), Next::Climb { rung: 2, what, mode: Mode::Auto } if what.playbook == "find-holder")
        );
        assert_eq!(next(&Facts { rung: 2, ..facts(&mapping) }), Next::End(Why::NoRungLeft));
    }

    #[test]
    fn what_is_in_doubt_untold_or_worse_is_not_built_upon() {
        let mapping = mapping();
        for outcome in [Outcome::CannotTell, Outcome::MadeWorse] {
            assert_eq!(next(&Facts { outcome, ..facts(&mapping) }), Next::End(Why::NotSafe));
        }
        assert_eq!(next(&Facts { was_in_doubt: true, ..facts(&mapping) }), Next::End(Why::NotSafe));
        assert_eq!(next(&Facts { recovered: true, ..facts(&mapping) }), Next::End(Why::Recovered));
    }

    #[test]
    fn a_mapping_that_was_demoted_or_archived_meanwhile_is_heard() {
        let mapping = mapping();
        let demoted = Facts { mode_today: Some(Mode::Approve), ..facts(&mapping) };
        assert!(matches!(next(&demoted), Next::Climb { mode: Mode::Approve, .. }));
        let promoted = Facts { ran_under: Mode::Approve, ..facts(&mapping) };
        assert!(matches!(next(&promoted), Next::Climb { mode: Mode::Approve, .. }));
        assert_eq!(next(&Facts { mode_today: None, ..facts(&mapping) }), Next::End(Why::Archived));
    }
}
