//! Service groups: a client's hosts, or services of them, that are declared to stand in for each other. While one member is
//! being fixed the others must carry it, so they are fixed one after the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::Direction;

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceGroup {
    /// Its members: the client's hosts that carry all of these tags.
    pub tags: BTreeMap<String, String>,
    /// Only fixes of checks on these targets; nothing said: every fix on its hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether it holds.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub active: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_yes(said: &bool) -> bool {
    *said
}

impl ServiceGroup {
    /// Which way the group goes when it becomes `to`. Whatever has other members may let two of the old ones be fixed at
    /// once: only what holds as it did, or begins to hold, is no loosening.
    pub fn towards(&self, to: &ServiceGroup) -> Direction {
        let same_members = self.tags == to.tags && self.targets == to.targets;
        if !self.active || (to.active && same_members) { Direction::Tighter } else { Direction::Looser }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_group_that_begins_to_hold_or_stays_as_it_is_is_no_loosening() {
        let group = |tag: &str, targets: &[&str], active| ServiceGroup {
            tags: BTreeMap::from([("role".to_owned(), tag.to_owned())]),
            targets: targets.iter().map(|&target| target.to_owned()).collect(),
            active,
        };
        let (web, off) = (group("web", &[], true), group("web", &[], false));
        assert_eq!([web.towards(&web), off.towards(&web), off.towards(&off)], [Direction::Tighter; 3]);
        assert_eq!(off.towards(&group("db", &["sql"], true)), Direction::Tighter, "it did not hold before");
        for other in [off, group("db", &[], true), group("web", &["shop"], true)] {
            assert_eq!(web.towards(&other), Direction::Looser, "{other:?}");
        }
    }
}
