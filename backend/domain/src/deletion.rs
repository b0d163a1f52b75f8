//! Deleting a client or a whole organization: when, and whether it was meant.

use std::time::Duration;

/// From when an owner asks until an organization is deleted: any owner can call it off until then.
pub const DELAY: Duration = Duration::from_secs(7 * 24 * 3600);

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
    fn only_the_name_as_it_is_written_deletes() {
        assert!(is_meant("Alder & Co", " Alder & Co\n"));
        for typed in ["", "alder & co", "Alder", "Alder & Co."] {
            assert!(!is_meant("Alder & Co", typed), "{typed}");
        }
        assert!(!is_meant(" ", ""));
    }
}
