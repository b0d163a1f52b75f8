//! Deleting a client or a whole organization: when, and whether it was meant.

use std::time::Duration;

/// From when an owner asks until an organization is deleted: any owner can call it off until then.
pub const DELAY: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often within a day a deletion that the owners are told of may be asked for, of one client or of the organization.
const ASKED_MAX: u32 = 3;
/// How often of everything in an organization.
const ASKING_MAX: u32 = 20;

/// Whether a deletion may be asked for once more that the owners are told of, when within a day it was asked for so often, and
/// any so often: each is a mail to all of them, and its being called off another one.
///
/// # Errors
/// A sentence.
pub fn may_ask(of_this: u32, of_all: u32) -> Result<(), &'static str> {
    if of_this >= ASKED_MAX {
        return Err(
            "Its deletion was asked for three times within a day, and the owners were told each time: ask again tomorrow.",
        );
    }
    if of_all >= ASKING_MAX {
        return Err("20 deletions were asked for within a day, and the owners were told of each: ask again tomorrow.");
    }
    Ok(())
}

/// Who asks for a client to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// An owner, who has just proven who they are.
    Person,
    /// A token of an owner's, which proves nothing.
    Token,
}

/// From when a client's deletion is asked for until it begins: what nobody has just proven to be them waits as long as an
/// organization's does, and any owner can call it off until then.
pub fn delay_of_client(by: By) -> Duration {
    match by {
        By::Person => Duration::ZERO,
        By::Token => DELAY,
    }
}

/// Whether what somebody typed is the name of what is to be deleted: as it is written, but for space around it.
pub fn is_meant(name: &str, typed: &str) -> bool {
    !name.trim().is_empty() && name.trim() == typed.trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_asks_for_waits_as_long_as_an_organizations_deletion() {
        assert_eq!((delay_of_client(By::Person), delay_of_client(By::Token)), (Duration::ZERO, DELAY));
    }

    #[test]
    fn what_the_owners_are_told_of_is_asked_for_so_often_within_a_day() {
        assert!(may_ask(2, 19).is_ok());
        assert!(may_ask(3, 3).is_err() && may_ask(0, 20).is_err());
    }

    #[test]
    fn only_the_name_as_it_is_written_deletes() {
        assert!(is_meant("Alder & Co", " Alder & Co\n"));
        for typed in ["", "alder & co", "Alder", "Alder & Co."] {
            assert!(!is_meant("Alder & Co", typed), "{typed}");
        }
        assert!(!is_meant(" ", ""));
    }
}
