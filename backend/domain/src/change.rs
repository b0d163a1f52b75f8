//! Changes that loosen: who may confirm them, and when they take effect. Tightening takes effect at once.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::{Act, Role};
use crate::classify::Mode;
use crate::remediate::damage;
use crate::remediate::guardrails::{BucketKind, Numbers, Size, limits};
use crate::remediate::storm;

/// A proposed change that nobody answers lapses: no answer is a no.
pub const LAPSES: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long a confirmed change waits before it takes effect: where one person alone owns the tenant, a day.
pub fn delay(owners: u32) -> SignedDuration {
    if owners > 1 { SignedDuration::from_mins(30) } else { SignedDuration::from_hours(24) }
}

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Nothing becomes looser.
    Tighter,
    /// Something becomes looser.
    Looser,
}

/// Watch only, ask first, fixes by itself: each is looser than the one before.
pub fn of_mode(from: Mode, to: Mode) -> Direction {
    let rank = |mode| match mode {
        Mode::Observe => 0,
        Mode::Approve => 1,
        Mode::Auto => 2,
    };
    if rank(to) > rank(from) { Direction::Looser } else { Direction::Tighter }
}

/// The one that may do less.
pub fn strictest(a: Mode, b: Mode) -> Mode {
    if of_mode(a, b) == Direction::Looser { a } else { b }
}

/// The loosest mode of a mapping whose playbooks have these risks (`L`, `M`, `H`); H asks a person, always.
pub fn loosest_mode<'a>(risks: impl IntoIterator<Item = &'a str>) -> Mode {
    if risks.into_iter().all(|risk| matches!(risk, "L" | "M")) { Mode::Auto } else { Mode::Approve }
}

/// The part of a bucket's numbers that changes as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Most runs in a window, with the window.
    Window,
    /// Most runs at once.
    InFlight,
    /// Most runs of a client that nobody has judged yet.
    Unproven,
    /// Most bad remediations of a client in a day.
    Bad,
    /// The largest wave of a new version at a client.
    Wave,
    /// What makes a storm.
    Storm,
}

impl Part {
    /// All with their stored words.
    pub const ALL: [(Part, &'static str); 6] = [
        (Part::Window, "window"),
        (Part::InFlight, "in_flight"),
        (Part::Unproven, "unproven"),
        (Part::Bad, "bad"),
        (Part::Wave, "wave"),
        (Part::Storm, "storm"),
    ];

    /// The stored word.
    pub fn word(self) -> &'static str {
        Part::ALL.iter().find(|(part, _)| *part == self).map_or("", |(_, word)| word)
    }

    /// The part of a stored word.
    pub fn parse(word: &str) -> Option<Part> {
        Part::ALL.iter().find(|(_, w)| *w == word).map(|(part, _)| *part)
    }

    /// `to` with the other parts of `from`.
    pub fn moved(self, from: Numbers, to: Numbers) -> Numbers {
        let bounds = |damage| Numbers { damage, ..from };
        match self {
            Part::Window => Numbers { max_per_window: to.max_per_window, window_secs: to.window_secs, ..from },
            Part::InFlight => Numbers { max_in_flight: to.max_in_flight, ..from },
            Part::Unproven => bounds(damage::Numbers { max_unproven: to.damage.max_unproven, ..from.damage }),
            Part::Bad => bounds(damage::Numbers { max_bad: to.damage.max_bad, ..from.damage }),
            Part::Storm => Numbers { max_storm: to.max_storm, ..from },
            Part::Wave => bounds(damage::Numbers { max_wave: to.damage.max_wave, ..from.damage }),
        }
    }
}

/// Which way a limit goes, in scopes of these sizes: looser if it is in any of them. What nobody has set is the rule of
/// the scope's size, so a first number may loosen too.
pub fn of_limit(kind: BucketKind, part: Part, from: Numbers, to: Numbers, sizes: &[Size]) -> Direction {
    let looser = sizes.iter().any(|size| {
        let (old, new) = (limits(kind, from, *size), limits(kind, to, *size));
        match part {
            // A shorter window forgets sooner.
            Part::Window => new.max_per_window > old.max_per_window || new.window_secs < old.window_secs,
            Part::InFlight => match (old.max_in_flight, new.max_in_flight) {
                (Some(old), Some(new)) => new > old,
                (Some(_), None) => true,
                (None, _) => false,
            },
            Part::Unproven => {
                let rule = damage::max_unproven(*size);
                to.damage.max_unproven.unwrap_or(rule) > from.damage.max_unproven.unwrap_or(rule)
            }
            Part::Bad => {
                let rule = damage::max_bad(*size);
                to.damage.max_bad.unwrap_or(rule) > from.damage.max_bad.unwrap_or(rule)
            }
            Part::Storm => {
                let rule = if kind == BucketKind::Tenant { storm::CLIENTS } else { storm::hosts_of(*size) };
                to.max_storm.unwrap_or(rule) > from.max_storm.unwrap_or(rule)
            }
            // The rule begins with one host, so no number is known to be below it; and it grows beyond any number.
            Part::Wave => to.damage.max_wave.is_none_or(|to| to > from.damage.max_wave.unwrap_or(1)),
        }
    });
    if looser { Direction::Looser } else { Direction::Tighter }
}

/// How a proposed change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for a second person.
    Proposed,
    /// It waits for its time.
    Confirmed,
    /// It has taken effect.
    Applied,
    /// A person said no.
    Rejected,
    /// What it changes was changed meanwhile.
    Stale,
    /// Nobody answered.
    Lapsed,
}

impl State {
    /// All with their stored words.
    pub const ALL: [(State, &'static str); 6] = [
        (State::Proposed, "proposed"),
        (State::Confirmed, "confirmed"),
        (State::Applied, "applied"),
        (State::Rejected, "rejected"),
        (State::Stale, "stale"),
        (State::Lapsed, "lapsed"),
    ];

    /// The stored word.
    pub fn word(self) -> &'static str {
        State::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    /// The state of a stored word.
    pub fn parse(word: &str) -> Option<State> {
        State::ALL.iter().find(|(_, w)| *w == word).map(|(state, _)| *state)
    }
}

/// What somebody says to a proposed change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It may take effect.
    Yes,
    /// It may not.
    No,
}

/// Why a word does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The role may not.
    Role,
    /// Whoever proposed a change is not its second person.
    Own,
    /// It does not wait for this word any more.
    Over,
}

/// Whether a member may say it, to a change whose yes `asks` for this. A no may also take back a yes that has not taken effect,
/// and one's own proposal.
///
/// # Errors
/// Why not.
pub fn may_answer(
    state: State,
    (author, asks): (Option<Uuid>, Act),
    login_id: Uuid,
    role: Role,
    word: Word,
) -> Result<(), Refusal> {
    if !role.may(Act::ConfirmChanges) || word == Word::Yes && !role.may(asks) {
        return Err(Refusal::Role);
    }
    match (state, word) {
        (State::Proposed, Word::Yes) if author == Some(login_id) => Err(Refusal::Own),
        (State::Proposed, _) | (State::Confirmed, Word::No) => Ok(()),
        _ => Err(Refusal::Over),
    }
}

/// How much of what a change is about a member sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Everything: no client is kept from them.
    All,
    /// Some clients, and that one which it is about.
    ItsClient,
    /// Some clients only, and it is about others or about all.
    Less,
}

/// Whether a member may propose a change that `asks` for this.
pub fn may_propose(asks: Act, role: Role, sees: Sees) -> bool {
    sees != Sees::Less && role.may(asks)
}

/// Whether a member may say yes to a change whose yes `asks` for this.
pub fn may_confirm(asks: Act, role: Role, sees: Sees) -> bool {
    sees == Sees::All && role.may(Act::ConfirmChanges) && role.may(asks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(in_flight: u32, per_window: u32, window_secs: u32) -> Numbers {
        let (max_in_flight, max_per_window, window_secs) = (Some(in_flight), Some(per_window), Some(window_secs));
        Numbers { max_in_flight, max_per_window, window_secs, ..Numbers::default() }
    }

    const ONE: &[Size] = &[Size { hosts: 1, first_week: false }];

    #[test]
    fn each_mode_is_looser_than_the_one_before() {
        use Mode::{Approve, Auto, Observe};
        for (from, to) in [(Observe, Approve), (Observe, Auto), (Approve, Auto)] {
            assert_eq!((of_mode(from, to), of_mode(to, from)), (Direction::Looser, Direction::Tighter));
        }
        assert_eq!(of_mode(Auto, Auto), Direction::Tighter);
        assert_eq!((strictest(Auto, Observe), strictest(Approve, Auto)), (Observe, Approve));
    }

    #[test]
    fn a_fix_of_high_or_unknown_risk_never_runs_by_itself() {
        assert_eq!(loosest_mode(["L", "M"]), Mode::Auto);
        assert_eq!(loosest_mode(["L", "H"]), Mode::Approve);
        assert_eq!(loosest_mode(["?"]), Mode::Approve);
    }

    #[test]
    fn more_runs_and_a_shorter_window_are_looser() {
        let way = |to| of_limit(BucketKind::Client, Part::Window, set(1, 4, 600), to, ONE);
        assert_eq!(way(set(1, 5, 600)), Direction::Looser);
        assert_eq!(way(set(1, 4, 599)), Direction::Looser);
        assert_eq!(way(set(1, 5, 6000)), Direction::Looser, "a mixed change takes two as well");
        assert_eq!(way(set(9, 4, 601)), Direction::Tighter);
        let way = |from, to| of_limit(BucketKind::Tenant, Part::InFlight, from, to, ONE);
        assert_eq!(way(set(2, 4, 600), set(3, 4, 600)), Direction::Looser);
        assert_eq!(way(Numbers::default(), set(3, 4, 600)), Direction::Tighter, "before, nothing was limited");
    }

    #[test]
    fn a_first_number_is_held_against_the_rule_of_every_size() {
        let sizes = [5, 300].map(|hosts| Size { hosts, first_week: false });
        let way = |n| of_limit(BucketKind::Client, Part::Window, Numbers::default(), set(1, n, 600), &sizes);
        assert_eq!(way(2), Direction::Tighter);
        assert_eq!(way(3), Direction::Looser, "a client of 5 hosts has two");
    }

    #[test]
    fn a_bound_on_damage_is_held_against_the_rule_too() {
        let bounds = |max_unproven, max_bad, max_wave| Numbers {
            damage: damage::Numbers { max_unproven, max_bad, max_wave },
            ..Numbers::default()
        };
        let way = |part, to| of_limit(BucketKind::Client, part, Numbers::default(), to, ONE);
        assert_eq!(way(Part::Unproven, bounds(Some(1), None, None)), Direction::Tighter);
        assert_eq!(way(Part::Unproven, bounds(Some(2), None, None)), Direction::Looser);
        assert_eq!(way(Part::Bad, bounds(None, Some(2), None)), Direction::Looser);
        assert_eq!(way(Part::Wave, bounds(None, None, Some(1))), Direction::Tighter);
        assert_eq!(way(Part::Wave, bounds(None, None, Some(2))), Direction::Looser);
        let moved = Part::Bad.moved(bounds(Some(5), None, None), bounds(None, Some(3), None));
        assert_eq!(moved, bounds(Some(5), Some(3), None));
    }

    #[test]
    fn the_second_person_is_another_one_who_may() {
        let (author, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let may = |who, role, state, word| may_answer(state, (Some(author), Act::ConfirmChanges), who, role, word);
        assert_eq!(may(author, Role::Owner, State::Proposed, Word::Yes), Err(Refusal::Own));
        assert_eq!(may(author, Role::Owner, State::Proposed, Word::No), Ok(()));
        assert_eq!(may(other, Role::Admin, State::Proposed, Word::Yes), Ok(()));
        assert_eq!(may(other, Role::Technician, State::Proposed, Word::Yes), Err(Refusal::Role));
        assert_eq!(may(other, Role::Owner, State::Confirmed, Word::No), Ok(()));
        for state in [State::Confirmed, State::Applied, State::Rejected, State::Stale, State::Lapsed] {
            assert_eq!(may(other, Role::Owner, state, Word::Yes), Err(Refusal::Over));
        }
    }

    #[test]
    fn what_only_owners_set_only_another_owner_lets_take_effect() {
        let (author, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let may = |who, role, word| may_answer(State::Proposed, (Some(author), Act::OwnOrganization), who, role, word);
        assert_eq!(may(other, Role::Admin, Word::Yes), Err(Refusal::Role));
        assert_eq!(may(other, Role::Admin, Word::No), Ok(()));
        assert_eq!(
            (may(other, Role::Owner, Word::Yes), may(author, Role::Owner, Word::Yes)),
            (Ok(()), Err(Refusal::Own))
        );
    }

    #[test]
    fn who_sees_some_clients_proposes_for_those_and_confirms_nothing() {
        for (sees, proposes, confirms) in
            [(Sees::All, true, true), (Sees::ItsClient, true, false), (Sees::Less, false, false)]
        {
            assert_eq!(may_propose(Act::ManageClients, Role::Admin, sees), proposes, "{sees:?}");
            assert_eq!(may_confirm(Act::ConfirmChanges, Role::Admin, sees), confirms, "{sees:?}");
        }
        assert!(!may_propose(Act::ManageClients, Role::Technician, Sees::All));
        assert!(!may_confirm(Act::OwnOrganization, Role::Admin, Sees::All));
        assert!(!may_confirm(Act::ConfirmChanges, Role::Viewer, Sees::All));
    }

    #[test]
    fn one_owner_waits_a_day() {
        assert_eq!((delay(1).as_hours(), delay(0).as_hours(), delay(2).as_mins()), (24, 24, 30));
    }
}
