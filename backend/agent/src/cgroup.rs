//! Where the groups of this host's runs are made: a cgroup of their own below the agent's.

use std::fs;
use std::path::{Path, PathBuf};

use runner::confine::cannot_group;
use uuid::Uuid;

/// Where the cgroup of the runs of `host_id` can be made: below `declared` or else below the agent's own; or why there is none.
pub fn of_runs(declared: Option<&Path>, host_id: Uuid) -> Result<PathBuf, String> {
    let parent = match declared {
        Some(path) => path.to_owned(),
        None => own().ok_or("the agent is in no cgroup v2")?,
    };
    // Two agents on one machine must not clear each other's groups away.
    let root = parent.join(format!("mendwright-{host_id}"));
    match cannot_group(&root) {
        None => Ok(root),
        Some(error) => Err(format!("{}: {error}", root.display())),
    }
}

/// The cgroup of this process.
pub(crate) fn own() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    place(&groups, &mounts)
}

/// From the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`: where the group is mounted. A mount that shows
/// another part of the tree than its root is none of ours.
fn place(groups: &str, mounts: &str) -> Option<PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mount = mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, at) = (fields.next()?, fields.next()?);
        (kind.split(' ').next() == Some("cgroup2") && root == "/").then_some(at)
    })?;
    Some(Path::new(mount).join(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 0:20 / /proc rw - proc proc rw\n\
        31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_group_is_found_below_its_mount() {
        let unit = "12:memory:/x\n0::/system.slice/mendwright-agent.service\n";
        let found = place(unit, MOUNTS).unwrap();
        assert_eq!(found, Path::new("/sys/fs/cgroup/system.slice/mendwright-agent.service"));
        assert_eq!(place("0::/\n", MOUNTS).unwrap(), Path::new("/sys/fs/cgroup/"));
    }

    #[test]
    fn a_host_with_version_1_only_has_none() {
        assert_eq!(place("4:memory:/x\n", MOUNTS), None);
        assert_eq!(place("0::/\n", "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"), None);
        assert_eq!(place("0::/\n", "31 24 0:27 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"), None);
    }
}
