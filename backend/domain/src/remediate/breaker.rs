//! Breakers: a playbook version that goes badly stops at the client, on the host, or in the whole organization; never across
//! organizations. After an hour one canary may close it again, twice; then a person must.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::decide::{LimitKind, LimitRow};
use super::guardrails::BucketKind;

/// An open breaker lets a canary through after this long.
pub const REST: SignedDuration = SignedDuration::from_mins(60);
/// So often a canary may fail before only a person can close it.
pub const CANARIES: u32 = 2;
/// The judged runs that are looked back at.
pub const LOOK_BACK: usize = 5;
/// A version is stopped in the whole organization from this many bad runs in a day …
const TENANT_BAD: u32 = 3;
/// … at this many clients.
const TENANT_CLIENTS: u32 = 2;

/// What a breaker is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One playbook version at one client.
    ClientPlaybookVersion,
    /// All fixes on one host.
    Host,
    /// One playbook version in the organization.
    PlaybookVersion,
}

impl Scope {
    /// All with their stored words.
    pub const ALL: [(Scope, &'static str); 3] = [
        (Scope::ClientPlaybookVersion, "client_playbook_version"),
        (Scope::Host, "host"),
        (Scope::PlaybookVersion, "playbook_version"),
    ];

    /// The stored word.
    pub fn word(self) -> &'static str {
        Scope::ALL.iter().find(|(scope, _)| *scope == self).map_or("host", |(_, word)| word)
    }

    /// The scope of a stored word.
    pub fn parse(word: &str) -> Option<Scope> {
        Scope::ALL.iter().find(|(_, w)| *w == word).map(|(scope, _)| *scope)
    }

    /// The bucket whose lock it is written under.
    pub fn bucket(self) -> BucketKind {
        match self {
            Scope::ClientPlaybookVersion => BucketKind::Client,
            Scope::Host => BucketKind::Host,
            Scope::PlaybookVersion => BucketKind::Tenant,
        }
    }

    /// What it stops, for people.
    pub fn label(self) -> &'static str {
        match self {
            Scope::ClientPlaybookVersion => "this fix at this client",
            Scope::Host => "every fix on this host",
            Scope::PlaybookVersion => "this fix everywhere",
        }
    }
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is stopped.
    Closed,
    /// All is stopped.
    Open,
    /// One canary is let through.
    HalfOpen,
}

impl State {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
        }
    }

    /// The state of a stored word.
    pub fn parse(word: &str) -> Option<State> {
        [State::Closed, State::Open, State::HalfOpen].into_iter().find(|s| s.word() == word)
    }
}

/// A breaker as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Over what.
    pub scope: Scope,
    /// How it stands.
    pub state: State,
    /// Since when.
    pub changed_at: Timestamp,
    /// Canaries that failed.
    pub reopened: u32,
    /// Its canary has not ended.
    pub canary_out: bool,
}

/// Whether a breaker lets a run through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lets {
    /// As if it were not there.
    Through,
    /// As its canary.
    Canary,
    /// Not before then; `None`: only a person closes it, or its canary's verdict.
    Nobody(Option<Timestamp>),
}

impl Breaker {
    /// Whether it lets a run through now.
    pub fn lets(&self, now: Timestamp) -> Lets {
        match self.state {
            State::Closed => Lets::Through,
            State::HalfOpen if self.canary_out => Lets::Nobody(None),
            // Its canary ended without a verdict: another one.
            State::HalfOpen => Lets::Canary,
            State::Open if self.reopened >= CANARIES => Lets::Nobody(None),
            State::Open if now >= self.changed_at + REST => Lets::Canary,
            State::Open => Lets::Nobody(Some(self.changed_at + REST)),
        }
    }

    /// Its row among the limits.
    pub fn row(&self, now: Timestamp) -> LimitRow {
        let lets = self.lets(now);
        let (frees_at, holds) = match lets {
            Lets::Nobody(at) => (at, true),
            Lets::Through | Lets::Canary => (None, false),
        };
        let why = match (lets, self.state) {
            (Lets::Through, _) => format!("{} goes well", self.scope.label()),
            (Lets::Canary, _) => format!("{} went badly; this one run is let through to see", self.scope.label()),
            (Lets::Nobody(_), State::HalfOpen) => format!("{} is being tried by one run", self.scope.label()),
            (Lets::Nobody(None), _) => format!("{} went badly again and again; a person must look", self.scope.label()),
            (Lets::Nobody(Some(_)), _) => format!("{} went badly", self.scope.label()),
        };
        let scope = self.scope.bucket();
        LimitRow {
            limit: LimitKind::Breaker,
            scope,
            used: u32::from(holds),
            max: 0,
            window_secs: None,
            why,
            frees_at,
            holds,
        }
    }
}

/// How one judged run or remediation turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Fixed, and it did not relapse.
    Good,
    /// Not fixed, worse, relapsed, or in doubt.
    Bad,
}

/// What is known of a scope when one of its runs was judged.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The breaker, if there is one yet.
    pub breaker: Option<&'a Breaker>,
    /// The run just judged is its canary.
    pub is_canary: bool,
    /// The run just judged.
    pub turned: Turned,
    /// Judged ones since the breaker closed last, newest first, the one just judged included; [`LOOK_BACK`] at most.
    pub newest: &'a [Turned],
    /// For an organization: bad runs of the version in a day, and at how many clients.
    pub in_a_day: (u32, u32),
}

/// What a breaker becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Stays,
    /// It opens; a canary that failed counts.
    Opens {
        /// Canaries that failed so far.
        reopened: u32,
    },
    /// It closes: its canary went well.
    Closes,
}

/// What the breaker of `scope` becomes by the verdict on one run.
pub fn judge(scope: Scope, judged: &Judged<'_>) -> Change {
    let state = judged.breaker.map_or(State::Closed, |b| b.state);
    let reopened = judged.breaker.map_or(0, |b| b.reopened);
    match (state, judged.turned) {
        (State::Closed, Turned::Bad) if opens(scope, judged) => Change::Opens { reopened: 0 },
        (State::HalfOpen, Turned::Good) if judged.is_canary => Change::Closes,
        (State::HalfOpen, Turned::Bad) if judged.is_canary => Change::Opens { reopened: reopened + 1 },
        _ => Change::Stays,
    }
}

/// One bad run of a version that has never gone well at the client, or two bad of the last five; on a host, two of five;
/// in an organization three bad in a day at two clients.
fn opens(scope: Scope, judged: &Judged<'_>) -> bool {
    let newest = &judged.newest[..judged.newest.len().min(LOOK_BACK)];
    let bad = newest.iter().filter(|turned| **turned == Turned::Bad).count();
    match scope {
        Scope::ClientPlaybookVersion => bad >= 2 || (bad == 1 && newest.len() == 1),
        Scope::Host => bad >= 2,
        Scope::PlaybookVersion => judged.in_a_day.0 >= TENANT_BAD && judged.in_a_day.1 >= TENANT_CLIENTS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Turned::{Bad, Good};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).expect("a valid second")
    }

    fn breaker(state: State, reopened: u32) -> Breaker {
        Breaker { scope: Scope::Host, state, changed_at: at(0), reopened, canary_out: false }
    }

    fn judged(newest: &[Turned]) -> Judged<'_> {
        Judged { breaker: None, is_canary: false, turned: newest[0], newest, in_a_day: (0, 0) }
    }

    #[test]
    fn the_first_run_of_a_version_at_a_client_or_two_of_five_open_it() {
        let opens = |newest: &[Turned]| judge(Scope::ClientPlaybookVersion, &judged(newest)) != Change::Stays;
        assert!(opens(&[Bad]) && opens(&[Bad, Good, Good, Good, Bad]));
        assert!(!opens(&[Bad, Good]) && !opens(&[Bad, Good, Good, Good, Good, Bad]) && !opens(&[Good, Bad]));
        assert_eq!(judge(Scope::Host, &judged(&[Bad])), Change::Stays, "a host is not stopped by one bad fix");
        assert_eq!(judge(Scope::Host, &judged(&[Bad, Bad])), Change::Opens { reopened: 0 });
    }

    #[test]
    fn an_organization_is_stopped_by_three_bad_at_two_clients() {
        let of = |in_a_day| judge(Scope::PlaybookVersion, &Judged { in_a_day, ..judged(&[Bad, Bad, Bad]) });
        assert_eq!(of((3, 2)), Change::Opens { reopened: 0 });
        assert_eq!((of((3, 1)), of((2, 2))), (Change::Stays, Change::Stays));
    }

    #[test]
    fn after_an_hour_one_canary_decides_and_after_two_bad_ones_a_person() {
        let open = breaker(State::Open, 0);
        assert_eq!(open.lets(at(59)), Lets::Nobody(Some(at(60))));
        assert_eq!(open.lets(at(60)), Lets::Canary);
        assert_eq!(breaker(State::Open, 2).lets(at(6000)), Lets::Nobody(None));
        let half = breaker(State::HalfOpen, 1);
        assert_eq!(Breaker { canary_out: true, ..half.clone() }.lets(at(61)), Lets::Nobody(None));
        assert_eq!(half.lets(at(61)), Lets::Canary, "a canary without a verdict is followed by another");
        let canary = |turned| Judged {
            breaker: Some(&half),
            is_canary: true,
            ..judged(if turned == Good { &[Good] } else { &[Bad] })
        };
        assert_eq!(judge(Scope::Host, &canary(Good)), Change::Closes);
        assert_eq!(judge(Scope::Host, &canary(Bad)), Change::Opens { reopened: 2 });
        let other = Judged { is_canary: false, ..canary(Good) };
        assert_eq!(judge(Scope::Host, &other), Change::Stays, "only the canary closes it");
    }
}
