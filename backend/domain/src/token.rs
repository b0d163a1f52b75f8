//! What an API token may: its scopes, and never more than its maker may at that moment.

use crate::access::{Act, Role};

/// Every scope there is: what it lets do, its word, and what people read. Making API tokens has none of its own: whoever may
/// manage people may make them, as [`MINTING`] says.
pub const SCOPES: [(Act, &str, &str); 13] = [
    (Act::Read, "read", "Read incidents, runs, hosts, clients and limits"),
    (Act::WorkIncidents, "work", "Take incidents, hands off, release, answer a run in doubt"),
    (Act::Approve, "approve", "Answer fixes that ask first"),
    (Act::StopActions, "stop", "Stop all actions"),
    (Act::LetAct, "let_act", "Let act again, close breakers, end interlocks"),
    (Act::TrustHost, "trust", "Accept new hosts, say that a host is the same machine, retire one"),
    (Act::ManageClients, "clients", "Add, change, archive and restore clients, their sites, contacts and hosts"),
    (Act::EnrolHosts, "enrol", "Make and revoke enrolment tokens"),
    (Act::ConfirmChanges, "confirm", "Answer changes that wait for a second person"),
    (Act::ReadAudit, "audit", "Read and export the audit"),
    (Act::ManagePeople, "people", "See, invite, change and remove members; make and revoke API tokens"),
    (
        Act::ManageOrganization,
        "settings",
        "See and change limits, secrets, who is called, the mail relay and the asked second factor",
    ),
    (
        Act::OwnOrganization,
        "own",
        "Rename the organization, let the platform’s staff look, take everything along, ask for deletions; with members also make and unmake owners",
    ),
];

/// What changes who may do what or what holds for everybody, and what lets something be done: for these the console asks for a
/// fresh proof. The database holds tokens to it: `api_tokens_managing`.
const MANAGING: [Act; 7] = [
    Act::Approve,
    Act::LetAct,
    Act::TrustHost,
    Act::ConfirmChanges,
    Act::ManagePeople,
    Act::ManageOrganization,
    Act::OwnOrganization,
];

/// The roles that a service account may have: it changes nothing of who may do what.
pub const SERVICE_ROLES: [Role; 2] = [Role::Technician, Role::Viewer];
/// What only a person answers or sets, themselves or by a token of theirs: no service account's token does, so that none is
/// ever the second person. The database holds its tokens to it: `api_tokens_of_service`.
const PERSONS: [Act; 5] =
    [Act::Approve, Act::ConfirmChanges, Act::ManagePeople, Act::ManageOrganization, Act::OwnOrganization];
/// What a token needs for making others: who manages people revokes anybody's token too. What it makes may no more than
/// itself ([`Scopes::are_within`]), so a scope for it alone would be one more word for nothing more.
const MINTING: Act = Act::ManagePeople;

/// The longest life of a token, in days.
pub const DAYS_MAX: u16 = 366;
/// The longest life of a token that changes who may do what or what holds for everybody, or lets something be done, in days. The
/// console asks a person for a fresh proof of who they are; a token was made after one, and that counts for so long.
pub const MANAGING_DAYS_MAX: u16 = 90;
/// The longest name, in characters.
pub const NAME_MAX: usize = 100;
/// Source networks at most.
pub const NETWORKS_MAX: usize = 20;

/// The scopes of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Act>);

impl Scopes {
    /// Of stored words; one that is not known lets nothing.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Scopes {
        Scopes(words.into_iter().filter_map(parse).collect())
    }

    /// After how many days a token with these scopes ends at most.
    pub fn days_max(&self) -> u16 {
        if MANAGING.iter().any(|act| self.0.contains(act)) { MANAGING_DAYS_MAX } else { DAYS_MAX }
    }

    /// Whether what the console asks a fresh proof for may be done by them: such a token was made after one, and ends soon.
    pub fn stand_for_proof(&self) -> bool {
        self.days_max() <= MANAGING_DAYS_MAX
    }

    /// Whether a token with these scopes may, whose maker has `role` now.
    pub fn may(&self, role: Role, act: Act) -> bool {
        let needed = if act == Act::MakeTokens { MINTING } else { act };
        self.0.contains(&needed) && role.may(needed) && role.may(act)
    }

    /// Whether they let nothing that `others` do not.
    pub fn are_within(&self, others: &Scopes) -> bool {
        self.0.iter().all(|act| others.0.contains(act))
    }
}

/// The act of a scope's word.
pub fn parse(word: &str) -> Option<Act> {
    SCOPES.iter().find(|(_, w, _)| *w == word).map(|(act, _, _)| *act)
}

/// The scopes that somebody of `role` may give a token: those that they may use themselves.
pub fn of_role(role: Role) -> impl Iterator<Item = (&'static str, &'static str)> {
    SCOPES.iter().filter(move |(act, _, _)| role.may(*act)).map(|(_, word, label)| (*word, *label))
}

/// Whether a service account's token may have the scope of this word.
pub fn is_for_services(word: &str) -> bool {
    parse(word).is_some_and(|act| !PERSONS.contains(&act))
}

/// The scopes that a token of a service account of `role` may be given.
pub fn of_service(role: Role) -> impl Iterator<Item = (&'static str, &'static str)> {
    of_role(role).filter(|(word, _)| is_for_services(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn roles() -> impl Strategy<Value = Role> {
        prop::sample::select(Role::ALL.map(|(role, _)| role).to_vec())
    }

    proptest! {
        /// Whatever roles its maker has one after the other, a token may exactly what it was made for and they may then.
        #[test]
        fn a_token_never_may_what_its_maker_may_not(
            made_by in roles(),
            wanted in prop::sample::subsequence(SCOPES.map(|(_, word, _)| word).to_vec(), 0..=SCOPES.len()),
            later in prop::collection::vec(roles(), 0..8),
        ) {
            let given: Vec<_> = of_role(made_by).map(|(word, _)| word).filter(|word| wanted.contains(word)).collect();
            let scopes = Scopes::of(given.iter().copied());
            for role in std::iter::once(made_by).chain(later) {
                for (act, _) in crate::access::TABLE {
                    let needed = if act == Act::MakeTokens { Act::ManagePeople } else { act };
                    let word = SCOPES.iter().find(|(a, _, _)| *a == needed).map(|(_, word, _)| *word);
                    let said = word.is_some_and(|word| given.contains(&word));
                    prop_assert_eq!(scopes.may(role, act), said && role.may(act) && role.may(needed));
                }
            }
        }

        /// Whatever roles its maker has later, what a token may make may nothing that it may not itself.
        #[test]
        fn a_minted_token_never_may_more_than_the_one_that_asks(
            asking in prop::sample::subsequence(SCOPES.map(|(_, word, _)| word).to_vec(), 0..=SCOPES.len()),
            wanted in prop::sample::subsequence(SCOPES.map(|(_, word, _)| word).to_vec(), 0..=SCOPES.len()),
            role in roles(),
        ) {
            let (asking, wanted) = (Scopes::of(asking), Scopes::of(wanted));
            let more = crate::access::TABLE.iter().any(|(act, _)| wanted.may(role, *act) && !asking.may(role, *act));
            prop_assert!(!(wanted.are_within(&asking) && more));
            prop_assert!(!wanted.are_within(&asking) || wanted.days_max() >= asking.days_max());
        }
    }

    #[test]
    fn a_service_account_works_and_answers_for_nobody() {
        let words = |role| of_service(role).map(|(word, _)| word).collect::<Vec<_>>();
        assert_eq!(words(Role::Technician), ["read", "work", "stop", "enrol"]);
        assert_eq!(words(Role::Viewer), ["read"]);
        for word in ["approve", "confirm", "people", "settings", "own", "everything"] {
            assert!(!is_for_services(word), "{word}");
        }
    }

    #[test]
    fn tokens_are_made_by_a_scope_that_ends_soon_of_who_manages_people() {
        for (_, word, _) in SCOPES {
            let scopes = Scopes::of([word]);
            assert_eq!(scopes.may(Role::Owner, Act::MakeTokens), word == "people", "{word}");
            assert!(!scopes.may(Role::Technician, Act::MakeTokens), "{word}");
        }
        assert!(Scopes::of(["people"]).stand_for_proof());
        assert_eq!(Scopes::of(["everything", ""]), Scopes::default());
    }

    #[test]
    fn what_changes_who_may_do_what_ends_sooner() {
        for (act, word, _) in SCOPES {
            let days = Scopes::of(["read", word]).days_max();
            // The database holds them to it too: `api_tokens_managing`.
            let soon = ["approve", "let_act", "trust", "confirm", "people", "settings", "own"].contains(&word);
            assert_eq!(days, if soon { 90 } else { 366 }, "{act:?}");
            assert_eq!(Scopes::of(["read", word]).stand_for_proof(), soon, "{act:?}");
        }
    }
}
