//! Service groups: a client's hosts, or services of them, that are declared to stand in for each other. While one member is
//! being fixed the others must carry it, so they are fixed one after the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::Direction;
use crate::fleet;

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

/// The most services that a group's fixes may be narrowed to.
pub const TARGETS_MAX: usize = 50;

impl ServiceGroup {
    /// A group that holds, as it is typed: tags as a host's are, and services one a line or between commas.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn parse(tags: &str, targets: &str) -> Result<ServiceGroup, String> {
        let tags = fleet::tags(tags)?;
        let targets = targets.split(['\n', ',']).map(str::trim).filter(|target| !target.is_empty());
        ServiceGroup::of(tags, targets).map_err(|(_, wrong)| wrong)
    }

    /// A group that holds, of a host's tags and of services.
    ///
    /// # Errors
    /// Which of them is wrong, `tags` or `targets`, and a sentence.
    pub fn of<'a>(
        tags: BTreeMap<String, String>,
        targets: impl IntoIterator<Item = &'a str>,
    ) -> Result<ServiceGroup, (&'static str, String)> {
        if tags.is_empty() {
            return Err(("tags", "say at least one tag that its hosts carry".to_owned()));
        }
        let mut found: Vec<String> = Vec::new();
        for target in targets {
            let is_odd = |c: char| c.is_control() || c == ',';
            if target.is_empty() || target.len() > fleet::NAME_MAX || target.chars().any(is_odd) {
                return Err(("targets", "a service has at most 200 characters in one line, and no comma".to_owned()));
            }
            if !found.iter().any(|other| other == target) {
                found.push(target.to_owned());
            }
        }
        if found.len() > TARGETS_MAX {
            let wrong = format!("a group names at most {TARGETS_MAX} services; with none, every fix counts");
            return Err(("targets", wrong));
        }
        Ok(ServiceGroup { tags, targets: found, active: true })
    }

    /// Whether a host with these tags is held by it.
    pub fn holds(&self, tags: &BTreeMap<String, String>) -> bool {
        self.active && self.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    /// Which way the group goes when it becomes `to`. Whatever has other members may let two of the old ones be fixed at
    /// once: only what holds as it did, or begins to hold, is no loosening.
    pub fn towards(&self, to: &ServiceGroup) -> Direction {
        let same_members = self.tags == to.tags && self.targets == to.targets;
        if !self.active || (to.active && same_members) { Direction::Tighter } else { Direction::Looser }
    }
}

/// Which way it goes when a host's tags are others: out of a group that holds is looser, for it may be fixed beside a member
/// from then on.
pub fn of_tags<'a>(
    groups: impl IntoIterator<Item = &'a ServiceGroup>,
    from: &BTreeMap<String, String>,
    to: &BTreeMap<String, String>,
) -> Direction {
    let leaves = groups.into_iter().any(|group| group.holds(from) && !group.holds(to));
    if leaves { Direction::Looser } else { Direction::Tighter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_as_it_is_typed_and_says_what_is_wrong_with_it() {
        let group = ServiceGroup::parse("pool=web\nrole = front", "shop-web, till\nshop-web").unwrap();
        assert_eq!(group.tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["pool=web", "role=front"]);
        assert_eq!(
            (group.targets.as_slice(), group.active),
            (["shop-web".to_owned(), "till".to_owned()].as_slice(), true)
        );
        assert!(ServiceGroup::parse("pool=web", "").unwrap().targets.is_empty());
        assert!(ServiceGroup::parse(" ", "").unwrap_err().contains("at least one tag"));
        assert!(ServiceGroup::parse("pool", "").unwrap_err().contains("is no tag"));
        assert!(ServiceGroup::parse("pool=web", &"x".repeat(201)).is_err());
        let many: Vec<String> = (0..=TARGETS_MAX).map(|n| n.to_string()).collect();
        assert!(ServiceGroup::parse("pool=web", &many.join(",")).unwrap_err().contains("at most 50"));
    }

    #[test]
    fn tags_that_take_a_host_out_of_a_group_that_holds_are_looser() {
        let web = ServiceGroup::parse("pool=web,env=prod", "").unwrap();
        let off = ServiceGroup { active: false, ..web.clone() };
        let (inside, way) = (fleet::tags("pool=web,env=prod,tier=1").unwrap(), |group: &ServiceGroup, from: &_, to| {
            of_tags([group], from, &fleet::tags(to).unwrap())
        });
        assert_eq!(way(&web, &inside, "pool=web,env=prod"), Direction::Tighter, "it stays a member");
        assert_eq!(way(&web, &inside, "pool=web,env=test"), Direction::Looser);
        assert_eq!(way(&web, &inside, ""), Direction::Looser);
        assert_eq!(way(&off, &inside, ""), Direction::Tighter, "it does not hold");
        assert_eq!(way(&web, &BTreeMap::new(), "pool=web,env=prod"), Direction::Tighter, "it comes in");
    }

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
