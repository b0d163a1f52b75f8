//! Deleting a client or a whole organization: when, and whether it was meant.

use std::time::Duration;

/// From when an owner asks until an organization is deleted: any owner can call it off until then.
pub const DELAY: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whether what somebody typed is the name of what is to be deleted: as it is written, but for space around it.
pub fn is_meant(name: &str, typed: &str) -> bool {
    !name.trim().is_empty() && name.trim() == typed.trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_as_it_is_written_deletes() {
        assert!(is_meant("Alder & Co", " Alder & Co\n"));
        for typed in ["", "alder & co", "Alder", "Alder & Co."] {
            assert!(!is_meant("Alder & Co", typed), "{typed}");
        }
        assert!(!is_meant(" ", ""));
    }
}
