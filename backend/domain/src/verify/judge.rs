//! Fixed, not fixed, cannot tell or made worse: by checks with fresh data, never by an exit code.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::detect::Verdict;
use crate::seconds::Seconds;

/// What a fresh look said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// The check is ok.
    Ok,
    /// The check is bad.
    Bad,
    /// The check could not tell.
    NoData,
    /// The host did not answer in time.
    Unanswered,
}

/// How a run turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Ok at first and still ok at the end of the stability window.
    Fixed,
    /// Bad with fresh data.
    NotFixed,
    /// No answer that could be judged.
    CannotTell,
    /// A neighbour that was ok before the run is critical after it.
    MadeWorse,
}

impl Outcome {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Fixed => "fixed",
            Outcome::NotFixed => "not_fixed",
            Outcome::CannotTell => "cannot_tell",
            Outcome::MadeWorse => "made_worse",
        }
    }
}

/// What is known when a phase's time has come.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Now.
    pub now: Timestamp,
    /// The look that was asked for in this phase.
    pub look: Look,
    /// The first look's instant, when it was ok.
    pub first_ok_at: Option<Timestamp>,
    /// The check turned bad between the first look and now.
    pub bad_since_first: bool,
    /// The host's other checks have been asked, or there are none.
    pub beside_asked: bool,
    /// Another check of the host that was ok before the run is critical with fresh data.
    pub worse: bool,
    /// The stability window.
    pub stable: SignedDuration,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub enum Next {
    /// Not ok: whether something else is worse too is asked before it is judged.
    AskBeside,
    /// Ok so far: look again at the end of the stability window.
    LookAgain {
        /// When.
        at: Timestamp,
    },
    /// Judged.
    Judged {
        /// How it turned out.
        outcome: Outcome,
    },
}

/// Judges one look. The host's other checks are looked at where a verdict needs them, not before. What is worse at the end outweighs what the triggering check says; a neighbour that was away for a
/// moment inside the window is no harm.
pub fn judge(facts: &Facts) -> Next {
    let judged = |outcome| Next::Judged { outcome: if facts.worse { Outcome::MadeWorse } else { outcome } };
    match facts.look {
        Look::Bad | Look::NoData if !facts.beside_asked => Next::AskBeside,
        Look::NoData | Look::Unanswered => judged(Outcome::CannotTell),
        Look::Bad => judged(Outcome::NotFixed),
        Look::Ok if facts.bad_since_first => judged(Outcome::NotFixed),
        Look::Ok => match facts.first_ok_at {
            None => Next::LookAgain { at: facts.now + facts.stable },
            Some(first) if facts.now >= first + facts.stable => judged(Outcome::Fixed),
            Some(first) => Next::LookAgain { at: first + facts.stable },
        },
    }
}

/// The stored record of a judgement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifyRecord {
    /// When.
    pub at: Timestamp,
    /// The check and its target.
    pub check: String,
    /// The target.
    pub target: String,
    /// What was seen before the run.
    pub before: Option<serde_json::Value>,
    /// Each fresh look with what it saw.
    pub looks: Vec<(Timestamp, Look, Option<serde_json::Value>)>,
    /// The host's other checks that were ok before the run, as they are after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<Neighbour>,
    /// Seconds waited before the first look.
    pub settle_secs: Seconds,
    /// Seconds it had to stay ok.
    pub stable_secs: Seconds,
    /// The outcome.
    pub outcome: Outcome,
}

/// Another check of the host that was ok before the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The check.
    pub check: String,
    /// The target.
    pub target: String,
    /// Its verdict with fresh data after the run; `None`: no answer.
    pub after: Option<Verdict>,
    /// What was seen.
    pub seen: Option<serde_json::Value>,
}

impl Neighbour {
    /// It was ok and is critical now. No data is no evidence, for good or ill.
    pub fn is_worse(&self) -> bool {
        self.after == Some(Verdict::Critical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(look: Look, first: Option<i64>, now: i64) -> Facts {
        let at = |s| Timestamp::from_second(s).expect("a valid second");
        Facts {
            now: at(now),
            look,
            first_ok_at: first.map(at),
            bad_since_first: false,
            beside_asked: true,
            worse: false,
            stable: SignedDuration::from_secs(10),
        }
    }

    #[test]
    fn one_good_look_is_not_yet_fixed() {
        assert!(matches!(judge(&facts(Look::Ok, None, 100)), Next::LookAgain { at } if at.as_second() == 110));
        assert!(matches!(judge(&facts(Look::Ok, Some(100), 105)), Next::LookAgain { at } if at.as_second() == 110));
        assert_eq!(judge(&facts(Look::Ok, Some(100), 110)), Next::Judged { outcome: Outcome::Fixed });
    }

    #[test]
    fn what_looks_bad_is_judged_when_its_neighbours_have_been_asked() {
        let unasked = |look| judge(&Facts { beside_asked: false, ..facts(look, None, 100) });
        assert_eq!([unasked(Look::Bad), unasked(Look::NoData)], [Next::AskBeside; 2]);
        assert!(matches!(unasked(Look::Ok), Next::LookAgain { .. }), "they are asked at the end of the window");
        let cannot_tell = Next::Judged { outcome: Outcome::CannotTell };
        assert_eq!(unasked(Look::Unanswered), cannot_tell, "a host that does not answer has no neighbours to ask");
    }

    #[test]
    fn no_data_is_not_good_data() {
        for look in [Look::NoData, Look::Unanswered] {
            assert_eq!(judge(&facts(look, Some(100), 120)), Next::Judged { outcome: Outcome::CannotTell });
        }
    }

    #[test]
    fn a_fix_that_broke_a_neighbour_made_it_worse_whatever_its_own_check_says() {
        for (look, first) in [(Look::Ok, Some(100)), (Look::Bad, None), (Look::Unanswered, None)] {
            let f = Facts { worse: true, ..facts(look, first, 120) };
            assert_eq!(judge(&f), Next::Judged { outcome: Outcome::MadeWorse });
        }
        let f = Facts { worse: true, ..facts(Look::Ok, None, 100) };
        assert!(matches!(judge(&f), Next::LookAgain { .. }), "a neighbour may be away for a moment");
    }

    #[test]
    fn a_check_that_went_bad_in_between_is_not_fixed() {
        let mut f = facts(Look::Ok, Some(100), 120);
        f.bad_since_first = true;
        assert_eq!(judge(&f), Next::Judged { outcome: Outcome::NotFixed });
    }
}
